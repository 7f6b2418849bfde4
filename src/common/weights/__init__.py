"""Models that others have trained: read from a Hugging Face directory or a GGUF file, written back to a directory.

    model = weights.load("smollm2")            or a directory, or a file.gguf
    model.config, model.params                 what both twins run
    model.tokenizer.encode("Hello")            see common/tokenizers
    model.chat.encode(messages, model.tokenizer)    see common/chat_template
    weights.save("my-model", model)            a directory that `transformers` loads, too

Only the LLaMA family is read; anything else is refused with a sentence.
"""

from common.weights.loading import Loaded, load, save

__all__ = ["Loaded", "load", "save"]
