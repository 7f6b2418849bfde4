"""What a run is about: one kind of subject for each kind of task."""

from common.config import DigitsConfig, ModelConfig, TextConfig
from common.run import AnyData
from console.backend import Twin
from console.subjects.base import Subject, View
from console.subjects.digits import Digits
from console.subjects.sequences import Sequences
from console.subjects.texts import Texts

__all__ = ["Digits", "Sequences", "Subject", "Texts", "View", "of"]


def of(twin: Twin, model: ModelConfig, data: AnyData, words: str = "") -> Subject:
    """The subject of a run: its data says which. `words` is the text of a text task."""
    if isinstance(data.task, DigitsConfig):
        return Digits(twin, model, data)
    if isinstance(data.task, TextConfig):
        return Texts(twin, model, data, words)
    return Sequences(twin, model, data)
