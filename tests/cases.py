"""One list of cases for every module of `ops`, `layers` and `models`, walked by the gradient, shape and parity tests.

A case names a module by its path inside a twin (`layers.linear`), the differentiable arguments in order, and the
constants. In one call no two axes have the same size, so that a swapped axis cannot fit by luck. Arrays are float64 (or
ids and masks) and read-only: a function that writes into an argument raises.
"""

import importlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from common import masks, params, random, tree
from common.config import ClassifierConfig, GPTConfig, LlamaConfig, Seq2SeqConfig
from common.types import Array, Tree


class Case(NamedTuple):
    name: str
    module: str
    args: tuple[Tree, ...]
    kw: dict[str, Any]
    forward: str = "forward"
    backward: str = "backward"

    def functions(self, twin: str = "numpy_ref"):
        """The module's forward and its backward (None where a twin has no use for one)."""
        module = importlib.import_module(f"{twin}.{self.module}")
        return getattr(module, self.forward), getattr(module, self.backward, None)

    def without_gradient(self, names: Iterable[str]) -> list[str]:
        """The tensors whose gradient is exactly zero. A key that is turned after its bias keeps the bias's trace."""
        turned = self.module == "models.llama" or self.kw.get("turn") is not None
        return [] if turned else key_biases(names)


def read_only(value: Tree) -> Tree:
    """The same tree (or tuple of trees, or constant) with arrays that raise when written into."""
    if isinstance(value, tuple):
        return tuple(read_only(part) for part in value)
    return tree.map(_frozen, value)


def _frozen(leaf: Any) -> Any:
    if not isinstance(leaf, np.ndarray):
        return leaf
    copy = leaf.copy()
    copy.setflags(write=False)
    return copy


def as_tuple(grads: Tree) -> tuple[Tree, ...]:
    """Gradients as one tree for each positional argument, also where there is only one."""
    return grads if isinstance(grads, tuple) else (grads,)


def key_biases(names: Iterable[str]) -> list[str]:
    """The tensors whose gradient is exactly zero: a key bias moves all scores of a row alike, which softmax forgets."""
    return [name for name in names if name.endswith("k.b")]


def random_params(rng: np.random.Generator, shapes: Tree) -> Tree:
    """Parameters without a special value among them: no zero bias, no unit gain. Shapes come as a tree of tuples."""
    return tree.map(lambda shape: rng.normal(size=shape) / np.sqrt(shape[0] if len(shape) == 2 else 4), shapes)


def padding(lengths: list[int], size: int) -> Array:
    """mask_BT, True for the first `lengths[b]` places of row b."""
    return np.arange(size) < np.array(lengths)[:, None]


def linear(n_in: int, n_out: int, bias: bool = True) -> Tree:
    return {"w": (n_in, n_out)} | ({"b": (n_out,)} if bias else {})


def attention(d: int, n_heads: int, n_kv: int, k: int, bias: bool = False) -> Tree:
    return {
        "q": linear(d, n_heads * k, bias),
        "k": linear(d, n_kv * k, bias),
        "v": linear(d, n_kv * k, bias),
        "o": linear(n_heads * k, d, bias),
    }


def _cases() -> list[Case]:
    rng = np.random.default_rng(0)

    def x(*shape: int) -> Array:
        return rng.normal(size=shape)

    def weights(shapes: Tree) -> Tree:
        return random_params(rng, shapes)

    b, t, s, n, k, d, f, v = 3, 5, 7, 4, 6, 10, 9, 11
    pad_BTS = np.broadcast_to(padding([7, 4, 2], s)[:, None], (b, t, s))
    any_BTS = (rng.random((b, t, s)) < 0.5) | (np.arange(s) == 2)
    forbidden = np.where(rng.random((3, 4, 6)) < 0.3, -np.inf, x(3, 4, 6))
    norm = {"g": (d,), "b": (d,)}
    ffn = {"up": linear(d, f), "down": linear(f, d)}

    # 11 tokens, width 12, 3 heads of 4, 2 sequences of 7 and of 5 tokens, with repetitions
    model = ClassifierConfig(vocab=v, d_model=12, n_blocks=2, n_heads=3, d_ffn=10, max_len=13)
    whole = weights(params.shapes(model))
    tokens = {
        "tokens_BT": np.array([[8, 3, 3, 9, 8, 1, 3], [10, 9, 4, 4, 2, 0, 0]]),
        "mask_BT": padding([7, 5], 7),
    }
    block = {"mask_BS": padding([7, 5], 7), "config": model}

    gpt = GPTConfig(vocab=v, d_model=12, n_blocks=2, n_heads=3, d_ffn=10, max_len=9, dropout=0.3)
    gpts = {
        "gpt-tied": (gpt, None),
        "gpt-dropout": (gpt, random.key(5)),
        "gpt-untied": (replace(gpt, tied=False, activation="gelu_exact"), None),
        "gpt-sinusoidal": (replace(gpt, positions="sinusoidal", activation="relu"), random.key(6)),
    }
    s2s = Seq2SeqConfig(v, 8, d_model=12, n_encoder=1, n_decoder=2, n_heads=3, d_ffn=10, max_len=9, dropout=0.3)
    s2ss = {
        "seq2seq": (s2s, None),
        "seq2seq-dropout": (s2s, random.key(7)),
        "seq2seq-tied-learned": (replace(s2s, tied=True, positions="learned"), random.key(8)),
    }
    sides = {
        "src_BS": tokens["tokens_BT"],
        "src_mask_BS": tokens["mask_BT"],
        "tokens_BT": np.array([[1, 5, 5, 2, 0], [1, 7, 3, 0, 0]]),
    }

    # G = 2 and a head wider than d_model / n_heads; the second turns 4 of a head's 6 numbers and looks back at 3 places
    llama = LlamaConfig(v, 12, n_blocks=2, n_heads=4, n_kv_heads=2, d_head=6, d_ffn=10, max_len=9)
    scaled = {"rope_factor": 8.0, "rope_trained_len": 12, "rope_base": 50.0}
    llamas = {
        "llama": llama,
        "llama-untied-bias-scaled": replace(llama, tied=False, bias=True, **scaled),
        "llama-partial-window": replace(llama, n_kv_heads=1, rope_share=4 / 6, window=3, gate="gelu"),
    }
    angle_BTP = x(b, t, 2)
    turn = {"turn": (np.cos(angle_BTP), np.sin(angle_BTP))}
    swiglu = {"gate": linear(d, f, False), "up": linear(d, f, False), "down": linear(f, d, False)}

    return [
        *(
            Case(name, "models.llama", (weights(params.shapes(c)),), {"tokens_BT": tokens["tokens_BT"], "config": c})
            for name, c in llamas.items()
        ),
        Case("silu", "ops.silu", (x(2, 3, 5),), {}),
        Case("rope", "ops.rope", (x(b, t, n, 2, k),), turn),
        Case("rope-keys", "ops.rope", (x(b, t, n, 4),), turn),
        Case("rope-at-rest", "ops.rope", (x(b, t, n, k),), {"turn": None}),
        Case("rmsnorm", "layers.rmsnorm", (weights({"g": (d,)}), x(b, t, d)), {}),
        Case("rmsnorm-large-eps", "layers.rmsnorm", (weights({"g": (d,)}), x(b, t, d)), {"eps": 0.5}),
        Case("swiglu", "layers.swiglu", (weights(swiglu), x(b, t, d)), {}),
        Case("swiglu-relu", "layers.swiglu", (weights(swiglu), x(b, t, d)), {"gate": "relu"}),
        Case(
            "attention-turned",
            "layers.attention",
            (weights(attention(d, 2 * n, n, k, bias=True)), x(b, t, d), x(b, t, d)),
            {"n_heads": 2 * n, "n_kv_heads": n, "mask_BTS": masks.seen(np.arange(t)[None] + np.zeros((b, 1)), t)}
            | turn,
        ),
        *(
            Case(
                name,
                "models.gpt",
                (weights(params.shapes(c)),),
                {"tokens_BT": tokens["tokens_BT"], "config": c, "key": key},
            )
            for name, (c, key) in gpts.items()
        ),
        *(
            Case(name, "models.seq2seq", (weights(params.shapes(c)),), sides | {"config": c, "key": key})
            for name, (c, key) in s2ss.items()
        ),
        Case("gelu", "ops.gelu", (x(2, 3, 5),), {}),
        Case("gelu-exact", "ops.gelu", (x(2, 3, 5),), {"exact": True}),
        Case("dropout", "ops.dropout", (x(2, 3, 5),), {"rate": 0.4, "key": random.key(3)}),
        Case("dropout-at-rest", "ops.dropout", (x(2, 3, 5),), {"rate": 0.4, "key": None}),
        Case("ffn-gelu", "layers.ffn", (weights(ffn), x(b, t, d)), {"activation": "gelu"}),
        Case("relu", "ops.relu", (x(2, 3, 5),), {}),
        Case("softmax", "ops.softmax", (x(2, 3, 5, 4),), {}),
        Case("softmax-forbidden", "ops.softmax", (forbidden,), {}),
        Case("cross_entropy", "ops.cross_entropy", (x(5, v),), {"targets_B": np.array([4, 0, 10, 4, 3])}),
        Case(
            "cross_entropy-weighted",
            "ops.cross_entropy",
            (x(2, 7, v),),
            {"targets_BT": tokens["tokens_BT"], "weights_BT": padding([7, 5], 7) & (np.arange(7) > 1)},
            "forward_weighted",
            "backward_weighted",
        ),
        Case("attend-G1", "ops.attend", (x(b, t, n, 1, k), x(b, s, n, k), x(b, s, n, k)), {"mask_BTS": pad_BTS}),
        Case("attend-G2", "ops.attend", (x(b, t, n, 2, k), x(b, s, n, k), x(b, s, n, k)), {"mask_BTS": any_BTS}),
        Case("linear-rank2", "layers.linear", (weights(linear(d, f)), x(t, d)), {}),
        Case("linear-rank3", "layers.linear", (weights(linear(d, f)), x(b, t, d)), {}),
        Case("linear-no-bias", "layers.linear", (weights(linear(d, f, False)), x(b, t, d)), {}),
        Case("embedding", "layers.embedding", (weights({"w": (v, d)}),), {"tokens_BT": tokens["tokens_BT"]}),
        Case("layernorm", "layers.layernorm", (weights(norm), x(b, t, d)), {}),
        Case("layernorm-large-eps", "layers.layernorm", (weights(norm), x(b, t, d)), {"eps": 0.5}),
        Case("ffn", "layers.ffn", (weights(ffn), x(b, t, d)), {}),
        Case(
            "attention-G1",
            "layers.attention",
            (weights(attention(d, n, n, k)), x(b, t, d), x(b, s, d)),
            {"n_heads": n, "n_kv_heads": n, "mask_BTS": pad_BTS},
        ),
        Case(
            "attention-G2",
            "layers.attention",
            (weights(attention(d, 2 * n, n, k)), x(b, t, d), x(b, s, d)),
            {"n_heads": 2 * n, "n_kv_heads": n, "mask_BTS": any_BTS},
        ),
        Case(
            "attention-bias",
            "layers.attention",
            (weights(attention(d, n, n, k, bias=True)), x(b, t, d), x(b, s, d)),
            {"n_heads": n, "n_kv_heads": n, "mask_BTS": any_BTS},
        ),
        Case(
            "classifier-block",
            "models.classifier",
            (whole["blocks"][0], x(2, 7, 12)),
            block | {"queries": 3},
            "block_forward",
            "block_backward",
        ),
        Case("classifier", "models.classifier", (whole,), tokens | {"config": model}),
        Case("classifier-pooled", "models.classifier", (whole,), tokens | {"config": model}, "forward_pooled"),
    ]


CASES = [case._replace(args=read_only(case.args), kw=read_only(case.kw)) for case in _cases()]
