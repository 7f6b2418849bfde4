"""One frozen dataclass for each model family: its sizes, and what about it can be chosen."""

from dataclasses import dataclass
from typing import Any

from common.config.checks import Config, number, one_of, require, whole
from common.vocabulary import TOKENS

POSITIONS = ("learned", "sinusoidal")
ACTIVATIONS = ("relu", "gelu", "gelu_exact")


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


ModelConfig = ClassifierConfig | GPTConfig | Seq2SeqConfig
FAMILIES: dict[str, type[ModelConfig]] = {"classifier": ClassifierConfig, "gpt": GPTConfig, "seq2seq": Seq2SeqConfig}


def family_of(config: ModelConfig) -> str:
    """The name of the family that a configuration belongs to."""
    return next(name for name, kind in FAMILIES.items() if type(config) is kind)
