"""What a run is made of: one frozen dataclass for each model family, one for each kind of task, one for training.

A checkpoint carries them, so that nobody repeats an architecture to load a file. Every value is checked when the
object is made; an error names the field, the value and what would be right.
"""

from common.config.models import (
    ACTIVATIONS,
    FAMILIES,
    GATES,
    POSITIONS,
    ClassifierConfig,
    GPTConfig,
    LlamaConfig,
    ModelConfig,
    Seq2SeqConfig,
    family_of,
)
from common.config.tasks import (
    LEVELS,
    SEQUENCE_TASKS,
    TASKS,
    DigitsConfig,
    SequenceConfig,
    TaskConfig,
    TextConfig,
    kind_of,
)
from common.config.training import DTYPES, KEEPS, OPTIMIZERS, SCHEDULES, SIZES, TrainConfig

__all__ = [
    "ACTIVATIONS",
    "DTYPES",
    "FAMILIES",
    "GATES",
    "KEEPS",
    "LEVELS",
    "OPTIMIZERS",
    "POSITIONS",
    "SCHEDULES",
    "SEQUENCE_TASKS",
    "SIZES",
    "TASKS",
    "ClassifierConfig",
    "DigitsConfig",
    "GPTConfig",
    "LlamaConfig",
    "ModelConfig",
    "Seq2SeqConfig",
    "SequenceConfig",
    "TaskConfig",
    "TextConfig",
    "TrainConfig",
    "family_of",
    "kind_of",
]
