"""Where a family's numbers are: its parts in the order of the forward, its tensors in that of the backward."""

from typing import NamedTuple

from common import params
from common.config import ClassifierConfig, GPTConfig, ModelConfig, Seq2SeqConfig


class Part(NamedTuple):
    """A sublayer, or the embedding."""

    kind: str
    """`embed`, `attention` or `ffn`."""
    path: str
    """Of its parameters: `blocks.0.attn`."""
    title: str
    call: str
    """The call whose locals are named below: `blocks.0/classifier.block_forward`."""
    before: str
    """What it reads of the residual stream; of the embedding, the rows of the tokens."""
    added: str
    """What it adds; of the embedding, the positions."""
    after: str
    """The sum, behind the norm where that comes after it."""
    asks: str = "tokens"
    """Whose positions ask: the field of the examples."""
    answers: str = "tokens"
    """Whose positions are looked at."""


class Group(NamedTuple):
    """Tensors whose gradients become known together."""

    name: str
    """`blocks.1`"""
    title: str
    tensors: list[str]
    passed: str
    """The local with the gradient that goes on down from here, or nothing."""


def forward(model: ModelConfig) -> list[Part]:
    """Embedding, attention, feed-forward and so on, in the order in which they are computed."""
    if isinstance(model, Seq2SeqConfig):
        return _seq2seq(model)
    gpt = isinstance(model, GPTConfig)
    name = "gpt" if gpt else "classifier"
    root = "/gpt.forward" if gpt else "/classifier._forward"
    parts = [Part("embed", "emb", "Embedding", root, "e_BTD", "p_TD", "x_BTD" if gpt else "xs")]
    for i in range(model.n_blocks):
        path, call = f"blocks.{i}", f"blocks.{i}/{name}.block_forward"
        x, a, f = ("x_BTD", "a_dropped_BTD", "f_dropped_BTD") if gpt else ("x_BSD", "a_BTD", "f_BTD")
        parts += [
            Part("attention", f"{path}.attn", f"Attention, block {i}", call, x, a, "m_BTD"),
            Part("ffn", f"{path}.ffn", f"Feed-forward, block {i}", call, "m_BTD", f, "y_BTD"),
        ]
    return parts


def _seq2seq(model: Seq2SeqConfig) -> list[Part]:
    embed, sums = "/seq2seq._embed", ("e_BTD", "p_TD", "x_BTD")
    parts = [Part("embed", "src", "Embedding of the question", embed, *sums, "src", "src")]
    for i in range(model.n_encoder):
        path, of = f"encoder.{i}", f"encoder block {i}"
        call = f"{path}/seq2seq.encoder_forward"
        parts += [
            Part(
                "attention", f"{path}.attn", f"Attention, {of}", call, "x_BSD", "a_dropped_BSD", "m_BSD", "src", "src"
            ),
            Part("ffn", f"{path}.ffn", f"Feed-forward, {of}", call, "m_BSD", "f_dropped_BSD", "y_BSD", "src", "src"),
        ]
    parts.append(Part("embed", "tgt", "Embedding of the answer", f"{embed}#2", *sums))
    for i in range(model.n_decoder):
        path, of = f"decoder.{i}", f"decoder block {i}"
        call = f"{path}/seq2seq.decoder_forward"
        parts += [
            Part("attention", f"{path}.attn", f"Attention, {of}", call, "y_BTD", "a_dropped_BTD", "m_BTD"),
            Part("attention", f"{path}.cross", f"Across, {of}", call, "m_BTD", "c_dropped_BTD", "o_BTD", answers="src"),
            Part("ffn", f"{path}.ffn", f"Feed-forward, {of}", call, "o_BTD", "f_dropped_BTD", "z_BTD"),
        ]
    return parts


def backward(model: ModelConfig) -> list[Group]:
    """The tensors in groups, those nearest to the loss first."""
    names = list(params.names(model))
    found = []
    for name, title, begins, passed in _groups(model):
        tensors = [one for one in names if one.startswith(begins)]
        if tensors:
            found.append(Group(name, f"Backward: {title}", tensors, passed))
    return found


def _groups(model: ModelConfig) -> list[tuple[str, str, tuple[str, ...], str]]:
    """Name, title, how the names of its tensors begin, and the local with what goes on down."""
    if isinstance(model, Seq2SeqConfig):
        decoder = [
            (f"decoder.{i}", f"decoder block {i}", (f"decoder.{i}.",), f"decoder.{i}/seq2seq.decoder_backward/dy_BTD")
            for i in reversed(range(model.n_decoder))
        ]
        encoder = [
            (f"encoder.{i}", f"encoder block {i}", (f"encoder.{i}.",), f"encoder.{i}/seq2seq.encoder_backward/dx_BSD")
            for i in reversed(range(model.n_encoder))
        ]
        tgt = ("tgt", "embedding of the answer", ("tgt.", "tgt_pos."), "")
        src = ("src", "embedding of the question", ("src.", "src_pos."), "")
        return [("head", "head", ("head.",), "/seq2seq.backward/dlast_BTD"), *decoder, tgt, *encoder, src]
    name = "classifier" if isinstance(model, ClassifierConfig) else "gpt"
    last = "dlast_BTD"
    dx = "dx_BSD" if name == "classifier" else "dx_BTD"
    blocks = [
        (f"blocks.{i}", f"block {i}", (f"blocks.{i}.",), f"blocks.{i}/{name}.block_backward/{dx}")
        for i in reversed(range(model.n_blocks))
    ]
    head = ("head", "head", ("head.", "norm."), f"/{name}.backward/{last}")
    return [head, *blocks, ("emb", "embedding", ("emb.", "pos."), "")]
