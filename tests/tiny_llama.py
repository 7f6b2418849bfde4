"""A LLaMA in a folder, as others ship theirs: random weights, one token for each byte, a chat template."""

import json

import numpy as np
import pytest

from common import params, random, tree
from common.config import LlamaConfig
from common.weights import huggingface

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
END = 258
CONFIG = LlamaConfig(vocab=259, d_model=24, n_blocks=2, n_heads=4, n_kv_heads=2, d_head=6, d_ffn=20, max_len=256)
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def tokenizer():
    """The text of a tokenizer.json; ids 0 to 255 are bytes, in an order of their own."""
    library = pytest.importorskip("tokenizers")
    letters = sorted(library.pre_tokenizers.ByteLevel.alphabet())
    inner = library.Tokenizer(library.models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    inner.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = library.decoders.ByteLevel()
    inner.add_special_tokens(list(SPECIAL))
    return inner.to_str()


def weights(config=CONFIG, seed=0, scale=0.4):
    drawn = (random.normal(random.key(seed), shape) for shape in params.names(config).values())
    named = zip(params.names(config), drawn, strict=True)
    return tree.build({name: (scale * w + name.endswith("g")).astype(np.float32) for name, w in named})


def save(folder, *, template=CHATML, config=CONFIG, params=None, words=True, settings=None):
    """Write the model; without `words` it has no tokenizer, `settings` are recommendations for sampling."""
    others = {}
    if words:
        about = {"eos_token": "<|im_end|>"} | ({"chat_template": template} if template else {})
        others = {"tokenizer.json": tokenizer().encode(), "tokenizer_config.json": json.dumps(about).encode()}
    huggingface.save(folder, config, params or weights(config), ends=[END], others=others)
    if settings:
        path = folder / "generation_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return folder
