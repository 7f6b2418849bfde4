"""How a conversation is written down for a model: the template that it was trained with.

    messages = [{"role": "user", "content": "Hello"}]
    ids = chat.encode(messages, tokenizer)      what goes into the model
    text = chat.render(messages)                the same as text, to look at

Messages are text and nothing else. Where one holds the name of a special token (`<|im_end|>`), `encode` spells the name
out instead of ending the message there, so that nobody can speak in another's name; for messages without such names
the ids are those of `transformers`. `encode(..., trusted=True)` recognises special tokens everywhere, as
`transformers` does by default.

Templates are programs by strangers. They run in Jinja's sandbox, which keeps them from everything but the messages,
and on a budget, which ends them (see sandbox).
"""

from common.chat_template.reading import from_folder, from_gguf
from common.chat_template.template import ChatTemplate

__all__ = ["ChatTemplate", "from_folder", "from_gguf"]
