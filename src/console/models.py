"""A trained model from a file or from a run's folder, checked to be one that can be asked."""

from pathlib import Path

from common import checkpoint
from common.checkpoint import Model
from common.config import Seq2SeqConfig, kind_of
from common.data.tasks import LEARNS
from common.errors import UserError

BEST, LAST = "best.safetensors", "last.safetensors"


def load(path: Path) -> Model:
    """The model of a checkpoint; of a run's folder its best one.

    Raises UserError if there is none, if its family cannot do its task, or if the two disagree about the tokens.
    """
    file = _file(path)
    model = checkpoint.load_model(file)
    if model.family not in LEARNS[kind_of(model.task)]:
        raise UserError(f"{file}: a {model.family} model cannot do this task; use another checkpoint")
    config = model.config
    sides = (config.src_vocab, config.tgt_vocab) if isinstance(config, Seq2SeqConfig) else (config.vocab,)
    for known in sides:
        if known != model.task.vocab:
            raise UserError(f"{file}: this model knows {known} tokens; its task has {model.task.vocab}")
    return model


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    if (path / BEST).exists():
        return path / BEST
    hint = f"the run has not finished an epoch; name its {LAST}" if (path / LAST).exists() else "name a model's file"
    raise UserError(f"{path}: there is no {BEST} in this folder; {hint}")
