"""Checkpoints: one safetensors file with everything in it, checked on the way in and written so that nothing is lost.

The file holds tensors under dotted names (`blocks.0.attn.q.w`) and one JSON text: kind, model family, configurations,
history, and a SHA-256 over that text and every tensor's name, dtype, shape and bytes. safetensors has no checksum
of its own, and most flipped bits would load in silence.

Two kinds of file:
    model   the parameters, ready to be asked
    run     a TrainState: parameters, optimizer, best parameters, history, step. Written each epoch, so that a run can
            be resumed; it can be asked too, and answers with its best parameters.

Writing is atomic: a temporary file beside the target is written and synced to disk, then renamed over it. Whoever reads
sees the old file or the new one, never half of one. The bytes are a function of the content: no date, no machine.
"""

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from common import params as params_map
from common import tree
from common.config import FAMILIES, KEEPS, TASKS, TrainConfig, kind_of
from common.errors import UserError
from common.run import Best, History, TrainState
from common.types import Array, Tree

_KEY = "transformer_twins"
_HISTORY = ("loss", "accuracy")
_BEST: dict[str, type] = {"epoch": int, "step": int, "accuracy": float, "loss": float}


class CheckpointError(UserError):
    """A checkpoint cannot be written or read. The message names the file and the reason."""

    def __init__(self, path: Path | str, reason: str):
        # a damaged or hostile file chooses part of the reason: it must stay one line of a sensible length
        short = reason if len(reason) <= 400 else f"{reason[:400]}…"
        super().__init__("".join(c if c.isprintable() else "?" for c in f"{path}: {short}"))


@dataclass(frozen=True)
class Model:
    """A model as it is asked: parameters, and what they were trained to do."""

    family: str
    config: Any
    """The ModelConfig of the family."""
    task: Any
    """A TaskConfig that the family can learn."""
    params: Tree
    train: TrainConfig | None = None
    notes: Mapping[str, Any] | None = None
    """What whoever saved it wanted to say: accuracy, epoch."""


@dataclass(frozen=True)
class Run:
    """A training run as it is resumed. `opt` in the state is a tree by name, as `optim.export` gives it."""

    family: str
    config: Any
    """The ModelConfig of the family."""
    task: Any
    """A TaskConfig that the family can learn."""
    train: TrainConfig
    state: TrainState


def save_model(path: Path | str, model: Model) -> None:
    """Write a model file.

    Raises CheckpointError if that fails or if the file could not be loaded again (NaN, tensors that are not those of
    the configuration); a file that stood there before is then untouched.
    """
    _checked(path, tree.named(model.params), model.config, doing="cannot be written: ")
    about = _about("model", model.family, model.config, model.task, model.train) | {"notes": dict(model.notes or {})}
    _write(Path(path), tree.named(model.params), about)


def save_run(path: Path | str, run: Run) -> None:
    """Write a run file. Raises CheckpointError as `save_model` does."""
    state = run.state
    lengths = (len(state.history.loss), len(state.history.accuracy), len(state.history.epochs))
    if lengths != (state.step, state.step, state.step // run.train.steps_per_epoch):
        raise CheckpointError(path, f"a history of {lengths} entries does not belong to update {state.step}")
    if set(state.opt) != {"step", *KEEPS[run.train.optimizer]}:
        raise CheckpointError(path, f"cannot be written: {sorted(state.opt)} is no state of {run.train.optimizer}")
    for name, part in _trees(state).items():
        _checked(path, tree.named(part), run.config, f"{name}.", doing="cannot be written: ")
    history = {name: np.array(getattr(state.history, name), dtype=np.float64) for name in _HISTORY}
    parts = _trees(state) | {f"history.{name}": series for name, series in history.items()}
    about = _about("run", run.family, run.config, run.task, run.train)
    about |= {"step": state.step, "opt_step": int(state.opt["step"]), "epochs": state.history.epochs}
    if state.best is not None:
        about["best"] = {name: getattr(state.best, name) for name in _BEST}
    _write(Path(path), tree.named(parts), about)


def load_model(path: Path | str, family: str | None = None) -> Model:
    """Read a model file, or the best parameters of a run file.

    Raises CheckpointError if the file is missing, unreadable, damaged, of another program or another family, or if
    its tensors are not the ones its configuration asks for or hold NaN or infinity.
    """
    path = Path(path)
    tensors, about = _read(path)
    config, task, train = _configs(path, about, family)
    best = _best(path, about) if "best" in about else None
    if about["kind"] == "run":
        tensors = _part(tensors, "params" if best is None else "best")
    params = _checked(path, tensors, config)
    notes = _field(path, about, "notes", dict) if "notes" in about else best
    return Model(about["family"], config, task, params, train, notes)


def load_run(path: Path | str, family: str | None = None) -> Run:
    """Read a run file. Raises CheckpointError as `load_model` does, and if the file is a model without a run."""
    path = Path(path)
    tensors, about = _read(path)
    if about["kind"] != "run":
        raise CheckpointError(path, "this is a finished model without its optimizer: there is no run to resume in it")
    config, task, train = _configs(path, about, family)
    if train is None:
        raise CheckpointError(path, "the training settings are missing")
    names = ["params", *(f"opt.{name}" for name in KEEPS[train.optimizer]), *(["best"] if "best" in about else [])]
    for name in tensors:
        if not name.startswith(tuple(f"{part}." for part in (*names, "history"))):
            raise CheckpointError(path, f"{name!r} is no part of a run with {train.optimizer}")
    trees = {name: _checked(path, _part(tensors, name), config, f"{name}.") for name in names}
    opt = {"step": _field(path, about, "opt_step", int)} | {
        name: trees[f"opt.{name}"] for name in KEEPS[train.optimizer]
    }
    step = _field(path, about, "step", int)
    history = _history(path, _part(tensors, "history"), about, step)
    best = Best(trees["best"], **_best(path, about)) if "best" in about else None
    return Run(about["family"], config, task, train, TrainState(trees["params"], opt, step, history, best))


def _trees(state: TrainState) -> dict[str, Tree]:
    """Everything in a state that has the form of the parameters, by the name it has in the file."""
    kept = {f"opt.{name}": part for name, part in state.opt.items() if name != "step"}
    best = {} if state.best is None else {"best": state.best.params}
    return {"params": state.params} | kept | best


def _best(path: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    told = _field(path, about, "best", dict)
    return {name: _field(path, told, name, kind) for name, kind in _BEST.items()}


def _part(tensors: Mapping[str, Array], name: str) -> dict[str, Array]:
    return {full.removeprefix(f"{name}."): t for full, t in tensors.items() if full.startswith(f"{name}.")}


def _history(path: Path, series: Mapping[str, Array], about: Mapping[str, Any], step: int) -> History:
    epochs = _field(path, about, "epochs", list)
    usable = all(isinstance(epoch, dict) for epoch in epochs) and set(series) == set(_HISTORY)
    if not usable or any(values.shape != (step,) or values.dtype != np.float64 for values in series.values()):
        raise CheckpointError(path, f"its history is not that of a run of {step} updates")
    return History(series["loss"].tolist(), series["accuracy"].tolist(), epochs)


def _about(kind: str, family: str, config: Any, task: Any, train: TrainConfig | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "version": 1,
        "family": family,
        "config": config.to_dict(),
        "task": {"kind": kind_of(task)} | task.to_dict(),
        "train": train.to_dict() if train else None,
    }


def _configs(path: Path, about: Mapping[str, Any], family: str | None) -> tuple[Any, Any, TrainConfig | None]:
    found = _field(path, about, "family", str)
    if family is not None and found != family:
        raise CheckpointError(path, f"this is a {found} model; here a {family} model is needed")
    told = _field(path, about, "task", dict)
    kind = _field(path, told, "kind", str)
    for what, name, known in (("model family", found, FAMILIES), ("kind of task", kind, TASKS)):
        if name not in known:
            raise CheckpointError(path, f"the {what} {name!r} is unknown to this version")
    try:
        config = FAMILIES[found].from_dict(_field(path, about, "config", dict))
        task = TASKS[kind].from_dict({name: value for name, value in told.items() if name != "kind"})
        train = TrainConfig.from_dict(_field(path, about, "train", dict)) if about.get("train") else None
        return config, task, train
    except CheckpointError:
        raise
    except UserError as error:
        raise CheckpointError(path, f"its configuration is not usable: {error}") from None


def _field(path: Path, values: Mapping[str, Any], name: str, kind: type) -> Any:
    """A value of the description, if it is there and of its type; a whole number may stand for a float."""
    value = values.get(name)
    fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
    if not fits or (isinstance(value, int) and value < 0):
        raise CheckpointError(path, f"its description has no usable {name!r}")
    return value


def _checked(path: Path | str, tensors: Mapping[str, Array], config: Any, prefix: str = "", doing: str = "") -> Tree:
    """The tensors as a tree, in the order of the configuration; every deviation is named at once."""
    depth = params_map.depth(config)
    if depth > len(tensors):
        # the list of what is wanted would be as long as the file claims: a billion blocks, perhaps
        raise CheckpointError(path, f"{doing}{len(tensors)} tensors cannot make a model of {depth} blocks")
    wanted = params_map.names(config)
    wrong = [f"{prefix}{name} is missing" for name in wanted if name not in tensors]
    wrong += [f"{prefix + name!r} is unknown" for name in tensors if name not in wanted]
    for name, shape in wanted.items():
        if name not in tensors:
            continue
        tensor = tensors[name]
        if tensor.shape != shape:
            wrong.append(f"{prefix}{name} has shape {tensor.shape}, not {shape}")
        elif tensor.dtype.name not in ("float32", "float64"):
            wrong.append(f"{prefix}{name} is {tensor.dtype}, not float32 or float64")
        elif not np.isfinite(tensor).all():
            wrong.append(f"{prefix}{name} holds NaN or infinity")
    if wrong:
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise CheckpointError(path, f"{doing}{'; '.join(wrong[:5])}{more}")
    return tree.build({name: tensors[name] for name in wanted})


def _digest(tensors: Mapping[str, Array], about: str) -> str:
    sha = hashlib.sha256(about.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        sha.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        sha.update(tensor.tobytes())
    return sha.hexdigest()


def _write(path: Path, tensors: Mapping[str, Array], about: Mapping[str, Any]) -> None:
    # safetensors writes the memory of an array as it lies there: one that is transposed, or of a machine with the other
    # byte order, would come back scrambled
    solid = {n: np.asarray(t, dtype=t.dtype.newbyteorder("<"), order="C") for n, t in tensors.items()}
    text = json.dumps(about, sort_keys=True)
    body = safetensors.numpy.save(solid, {_KEY: json.dumps({"about": text, "sha256": _digest(solid, text)})})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with open(temporary, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:  # Ctrl-C too
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except (OSError, ValueError) as error:  # ValueError: a path without a name, or with a zero byte in it
        raise CheckpointError(path, f"cannot be written: {_reason(error)}") from None
    _sync_folder(path.parent)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last through a power cut, where the system can: Windows and some network disks cannot.

    The new file is whole and in its place by now, so a failure here is not a failure to save.
    """
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _read(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Tensors and description of a file whose checksum holds."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise CheckpointError(path, "is a folder or a device, not a file")
        open(path, "rb").close()  # safetensors would call a file that may not be read missing
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except CheckpointError:
        raise
    except FileNotFoundError:
        raise CheckpointError(path, "there is no such file") from None
    except OSError as error:
        raise CheckpointError(path, f"cannot be read: {_reason(error)}") from None
    except Exception as error:
        # by the place of the damage: the library's own error, TypeError, KeyError, AttributeError or ValueError
        raise CheckpointError(path, f"is damaged, or no safetensors file at all ({error})") from None
    if _KEY not in metadata:
        raise CheckpointError(path, "is a safetensors file, but not a checkpoint of this project")
    return tensors, _description(path, metadata[_KEY], tensors)


def _description(path: Path, envelope: str, tensors: Mapping[str, Array]) -> dict[str, Any]:
    try:
        outer = json.loads(envelope)
        text, digest = outer["about"], outer["sha256"]
        intact = _digest(tensors, text) == digest
        about = json.loads(text)
        version, kind = about["version"], about["kind"]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise CheckpointError(path, "is damaged: its description cannot be read; use another copy") from None
    if not intact:
        raise CheckpointError(path, "is damaged: its data does not match its checksum; use another copy")
    if version != 1:
        raise CheckpointError(path, f"has format version {version!r}; this program reads version 1")
    if kind not in ("model", "run"):
        raise CheckpointError(path, f"holds {kind!r}, neither a model nor a run")
    return about
