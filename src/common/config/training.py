"""How a model is trained, and what `--size` sets."""

from dataclasses import dataclass
from typing import Any

from common.config.checks import Config, number, one_of, require, whole

KEEPS = {"sgd": (), "momentum": ("m",), "adam": ("m", "v"), "adamw": ("m", "v")}
"""What each optimizer keeps from update to update besides its step count, each as large as the parameters."""
OPTIMIZERS = tuple(KEEPS)
SCHEDULES = ("constant", "cosine", "linear")
DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True)
class TrainConfig(Config):
    """How a model is trained. `steps` is the length of the run; the schedule stretches over it."""

    examples: int = 10_000
    epochs: int = 6
    batch_size: int = 64
    optimizer: str = "adamw"
    lr: float = 3e-3
    schedule: str = "cosine"
    warmup: int = 50
    weight_decay: float = 1.0
    clip_norm: float = 0.0
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    seed: int = 0
    dtype: str = "float32"
    """What the passes compute in; parameters and optimizer are float32 in both cases."""

    def __post_init__(self) -> None:
        whole(self, 1, "examples", "epochs", "batch_size")
        whole(self, 0, "warmup", "seed")
        require(self.seed < 2**32, f"seed must be below 2^32, not {self.seed}")
        one_of(self, "optimizer", OPTIMIZERS)
        one_of(self, "schedule", SCHEDULES)
        one_of(self, "dtype", DTYPES)
        number(self, "lr", 0.0, open_low=True)
        number(self, "eps", 0.0, open_low=True)
        number(self, "weight_decay", 0.0)
        number(self, "clip_norm", 0.0)
        for name in ("momentum", "beta1", "beta2"):
            number(self, name, 0.0, 0.999999)
        require(
            self.batch_size <= self.examples,
            f"batch_size {self.batch_size} is more than the {self.examples} training examples: make it smaller",
        )

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in one pass over the examples; each epoch leaves out a different remainder."""
        return self.examples // self.batch_size

    @property
    def steps(self) -> int:
        return self.epochs * self.steps_per_epoch


SIZES: dict[str, dict[str, Any]] = {
    "small": {"examples": 1_000, "epochs": 60, "batch_size": 64, "optimizer": "adamw", "schedule": "cosine"},
    "medium": {"examples": 10_000, "epochs": 6, "batch_size": 64, "optimizer": "adamw", "schedule": "cosine"},
    "large": {"examples": 100_000, "epochs": 2, "batch_size": 64, "optimizer": "adamw", "schedule": "cosine"},
}
"""What `--size` sets; each can be overridden by its own option."""
