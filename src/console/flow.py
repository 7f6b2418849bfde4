"""How each family computes, in a few lines."""

from common.config import ClassifierConfig, GPTConfig, ModelConfig, Seq2SeqConfig


def of(model: ModelConfig) -> list[str]:
    """The way from tokens to an answer."""
    ffn = f"feed-forward, {model.d_ffn} units"
    if isinstance(model, ClassifierConfig):
        block = f"(attention, {model.n_heads} heads -> add -> norm -> {ffn} -> add -> norm)"
        return [
            "tokens -> embedding + positions",
            f"  -> {model.n_blocks} x {block}",
            "  -> the first position -> head -> one token",
        ]
    if isinstance(model, Seq2SeqConfig):
        return _seq2seq(model, ffn) + _dropout(model.dropout)
    if isinstance(model, GPTConfig):
        return [
            f"tokens -> embedding + positions ({model.positions})",
            f"  -> {model.n_blocks} x (norm -> attention to what came before, {model.n_heads} heads -> add",
            f"    -> norm -> {ffn} -> add)",
            f"  -> norm -> {_head(model.tied)}",
            "  -> at every position, the next token",
            *_dropout(model.dropout),
        ]
    raise TypeError(f"no trainer knows {type(model).__name__}")


def _seq2seq(model: Seq2SeqConfig, ffn: str) -> list[str]:
    heads = f"{model.n_heads} heads"
    return [
        f"question -> embedding + positions ({model.positions})",
        f"  -> {model.n_encoder} x (attention, {heads} -> add -> norm",
        f"    -> {ffn} -> add -> norm)",
        f"answer so far -> embedding + positions ({model.positions})",
        f"  -> {model.n_decoder} x (attention to what came before, {heads} -> add -> norm",
        f"    -> attention across to the question, {heads} -> add -> norm",
        f"    -> {ffn} -> add -> norm)",
        f"  -> {_head(model.tied)}",
        "  -> at every position, the next token",
    ]


def _head(tied: bool) -> str:
    return "head (the embedding, transposed)" if tied else "head"


def _dropout(share: float) -> list[str]:
    return [f"In training {100 * share:g} % of what each part adds is dropped."] if share else []
