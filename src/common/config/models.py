"""One frozen dataclass for each model family: its sizes, and what about it can be chosen."""

from dataclasses import dataclass
from typing import Any

from common.config.checks import Config, number, one_of, require, whole
from common.vocabulary import TOKENS

POSITIONS = ("learned", "sinusoidal")
ACTIVATIONS = ("relu", "gelu", "gelu_exact")
GATES = ("silu", "gelu", "gelu_exact", "relu")


def _check_widths(config: Any) -> None:
    """What every model family asks of its sizes."""
    whole(config, 1, "d_model", "n_heads", "d_ffn", "max_len")
    number(config, "eps", 0.0, open_low=True)
    require(
        config.d_model % config.n_heads == 0,
        f"d_model {config.d_model} does not split into {config.n_heads} heads: make d_model a multiple of n_heads",
    )


def _check_blocks(config: Any) -> None:
    """What the sequence models ask besides."""
    _check_widths(config)
    one_of(config, "positions", POSITIONS)
    one_of(config, "activation", ACTIVATIONS)
    number(config, "dropout", 0.0, 0.9)
    even = config.positions == "learned" or config.d_model % 2 == 0
    require(even, f"d_model must be even for sine and cosine positions, not {config.d_model}")


@dataclass(frozen=True)
class ClassifierConfig(Config):
    """The encoder-only digit transformer: post-LN, sinusoidal positions, ReLU, one token out."""

    vocab: int = len(TOKENS)
    d_model: int = 64
    n_blocks: int = 2
    n_heads: int = 4
    d_ffn: int = 256
    max_len: int = 50
    eps: float = 1e-5

    def __post_init__(self) -> None:
        _check_widths(self)
        whole(self, 1, "vocab", "n_blocks")
        require(self.d_model % 2 == 0, f"d_model must be even for sine and cosine positions, not {self.d_model}")


@dataclass(frozen=True)
class GPTConfig(Config):
    """The decoder alone: pre-LN, GELU, learned or sinusoidal positions, dropout, tied or untied head."""

    vocab: int
    d_model: int = 64
    n_blocks: int = 2
    n_heads: int = 4
    d_ffn: int = 256
    max_len: int = 64
    eps: float = 1e-5
    positions: str = "learned"
    activation: str = "gelu"
    dropout: float = 0.0
    tied: bool = True

    def __post_init__(self) -> None:
        _check_blocks(self)
        whole(self, 1, "vocab", "n_blocks")
        require(isinstance(self.tied, bool), f"tied must be true or false, not {self.tied!r}")


@dataclass(frozen=True)
class Seq2SeqConfig(Config):
    """Encoder and decoder: post-LN, ReLU, sinusoidal or learned positions, dropout, tied or untied head."""

    src_vocab: int
    tgt_vocab: int
    d_model: int = 64
    n_encoder: int = 2
    n_decoder: int = 2
    n_heads: int = 4
    d_ffn: int = 256
    max_len: int = 64
    eps: float = 1e-5
    positions: str = "sinusoidal"
    activation: str = "relu"
    dropout: float = 0.0
    tied: bool = False

    def __post_init__(self) -> None:
        _check_blocks(self)
        whole(self, 1, "src_vocab", "tgt_vocab", "n_encoder", "n_decoder")
        require(isinstance(self.tied, bool), f"tied must be true or false, not {self.tied!r}")


@dataclass(frozen=True)
class LlamaConfig(Config):
    """The decoder of LLaMA: RMSNorm, rotary positions, grouped-query attention, a gated feed-forward, no dropout.

    `rope_factor` above 1 turns on LLaMA 3's scaling of slow frequencies: a clock hand that turns fewer than
    `rope_low_turns` times within `rope_trained_len` positions is slowed by the factor, one that turns more than
    `rope_high_turns` times is left alone, and between the two the change is smooth.
    """

    vocab: int
    d_model: int = 64
    n_blocks: int = 2
    n_heads: int = 4
    n_kv_heads: int = 2
    d_head: int = 16
    """Width of one head; n_heads times this need not be d_model."""
    d_ffn: int = 176
    max_len: int = 256
    eps: float = 1e-5
    rope_base: float = 10_000.0
    rope_share: float = 1.0
    """The share of each head's width that turns with the position; the rest stays as it is."""
    rope_factor: float = 1.0
    rope_low_turns: float = 1.0
    rope_high_turns: float = 4.0
    rope_trained_len: int = 8192
    gate: str = "silu"
    tied: bool = True
    bias: bool = False
    """Whether the four projections of attention have biases."""
    window: int = 0
    """How many positions a token may look at, itself included, counted back from it; 0 is all."""

    def __post_init__(self) -> None:
        whole(self, 1, "vocab", "d_model", "n_blocks", "n_heads", "n_kv_heads", "d_head", "d_ffn", "max_len")
        whole(self, 1, "rope_trained_len")
        whole(self, 0, "window")
        number(self, "eps", 0.0, open_low=True)
        number(self, "rope_base", 1.0, open_low=True)
        number(self, "rope_share", 0.0, 1.0)
        number(self, "rope_factor", 1.0)
        number(self, "rope_low_turns", 0.0, open_low=True)
        number(self, "rope_high_turns", self.rope_low_turns, open_low=True)
        one_of(self, "gate", GATES)
        for name in ("tied", "bias"):
            value = getattr(self, name)
            require(isinstance(value, bool), f"{name} must be true or false, not {value!r}")
        require(
            self.n_heads % self.n_kv_heads == 0,
            f"{self.n_heads} heads cannot share {self.n_kv_heads} key/value heads evenly: make n_heads a multiple",
        )
        require(
            self.turning % 2 == 0,
            f"rope_share {self.rope_share:g} of a head of {self.d_head} is {self.turning} numbers: pairs turn, so it "
            "must be an even number",
        )

    @property
    def turning(self) -> int:
        """How many numbers of each head turn with the position."""
        return round(self.rope_share * self.d_head)


ModelConfig = ClassifierConfig | GPTConfig | Seq2SeqConfig | LlamaConfig
FAMILIES: dict[str, type[ModelConfig]] = {
    "classifier": ClassifierConfig,
    "gpt": GPTConfig,
    "seq2seq": Seq2SeqConfig,
    "llama": LlamaConfig,
}


def family_of(config: ModelConfig) -> str:
    """The name of the family that a configuration belongs to."""
    return next(name for name, kind in FAMILIES.items() if type(config) is kind)
