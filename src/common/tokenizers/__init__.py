"""Tokenizers of trained models, all behind one class: text to token ids and back.

    tok.encode("Hello")                  ids; a special token that is written out in the text is text like any other
    tok.encode("<|im_end|>", special=True)    the same, special tokens recognised
    tok.prompt("Once upon")              ids of a text to go on with, opened as the model is used to
    tok.decode(ids)                      text; special tokens leave nothing behind
    stream = tok.stream()                text while the ids come: stream.feed(id), at last stream.end()

Every id stands for some bytes. Text is what those bytes say together, so half a character is never shown: a stream
holds its bytes back until the rest has come.

What is encoded with `special=True` can end a message or begin one in another's name. It is for templates (see
chat_template), never for what a person typed.
"""

from common.tokenizers.base import Stream, Tokenizer
from common.tokenizers.read import from_folder, from_gguf

__all__ = ["Stream", "Tokenizer", "from_folder", "from_gguf"]
