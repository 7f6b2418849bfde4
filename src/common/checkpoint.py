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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from common import params as params_map
from common import tree
from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from common.errors import UserError
from common.run import Best, History, TrainState
from common.types import Array, Tree

_KEY = "transformer_twins"
_FAMILIES = {"classifier": ClassifierConfig}


class CheckpointError(UserError):
    """A checkpoint cannot be written or read. The message names the file and the reason."""

    def __init__(self, path: Path | str, reason: str):
        super().__init__(f"{path}: {reason}")


@dataclass(frozen=True)
class Model:
    """A model as it is asked: parameters, and what they were trained to do."""

    family: str
    config: ClassifierConfig
    task: DigitsConfig
    params: Tree
    train: TrainConfig | None = None
    notes: Mapping[str, Any] | None = None
    """What whoever saved it wanted to say: accuracy, epoch."""


@dataclass(frozen=True)
class Run:
    """A training run as it is resumed. `opt` in the state is a tree by name, as `optim.export` gives it."""

    family: str
    config: ClassifierConfig
    task: DigitsConfig
    train: TrainConfig
    state: TrainState


def save_model(path: Path | str, model: Model) -> None:
    """Write a model file. Raises CheckpointError; a file that stood there before is then untouched."""
    about = _about("model", model.family, model.config, model.task, model.train) | {"notes": dict(model.notes or {})}
    _write(Path(path), tree.named(model.params), about)


def save_run(path: Path | str, run: Run) -> None:
    """Write a run file. Raises CheckpointError; a file that stood there before is then untouched."""
    state = run.state
    parts: dict[str, Tree] = {"params": state.params}
    parts["opt"] = {name: part for name, part in state.opt.items() if name != "step"}
    parts["history"] = {"loss": np.array(state.history.loss), "accuracy": np.array(state.history.accuracy)}
    about = _about("run", run.family, run.config, run.task, run.train)
    about |= {"step": state.step, "opt_step": int(state.opt["step"]), "epochs": state.history.epochs}
    if state.best is not None:
        parts["best"] = state.best.params
        names = ("epoch", "step", "accuracy", "loss")
        about["best"] = {name: getattr(state.best, name) for name in names}
    _write(Path(path), tree.named(parts), about)


def load_model(path: Path | str, family: str | None = None) -> Model:
    """Read a model file, or the best parameters of a run file.

    Raises CheckpointError if the file is missing, unreadable, damaged, of another program or another family, or if
    its tensors are not the ones its configuration asks for or hold NaN or infinity.
    """
    path = Path(path)
    tensors, about = _read(path)
    if about["kind"] == "run":
        wanted = "best." if "best" in about else "params."
        tensors = {name.removeprefix(wanted): t for name, t in tensors.items() if name.startswith(wanted)}
    config, task, train = _configs(path, about, family)
    params = _checked(path, tensors, config)
    return Model(about["family"], config, task, params, train, about.get("notes", about.get("best")))


def load_run(path: Path | str, family: str | None = None) -> Run:
    """Read a run file. Raises CheckpointError as `load_model` does, and if the file is a model without a run."""
    path = Path(path)
    tensors, about = _read(path)
    if about["kind"] != "run":
        raise CheckpointError(path, "this is a finished model without its optimizer: there is no run to resume in it")
    config, task, train = _configs(path, about, family)
    if train is None:
        raise CheckpointError(path, "the training settings are missing")
    parts: dict[str, dict[str, Array]] = {}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    params = _checked(path, parts["params"], config)
    opt: dict[str, Any] = {"step": about["opt_step"]}
    kept = tree.build(parts.get("opt", {}))
    opt |= {name: _checked(path, tree.named(kept[name]), config, f"opt.{name}.") for name in kept}
    history = History(parts["history"]["loss"].tolist(), parts["history"]["accuracy"].tolist(), about["epochs"])
    best = Best(_checked(path, parts["best"], config, "best."), **about["best"]) if "best" in about else None
    return Run(about["family"], config, task, train, TrainState(params, opt, about["step"], history, best))


def _about(kind: str, family: str, config: Any, task: Any, train: TrainConfig | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "version": 1,
        "family": family,
        "config": config.to_dict(),
        "task": task.to_dict(),
        "train": train.to_dict() if train else None,
    }


def _configs(path: Path, about: Mapping[str, Any], family: str | None) -> tuple[Any, Any, TrainConfig | None]:
    found = about["family"]
    if family is not None and found != family:
        raise CheckpointError(path, f"this is a {found} model; here a {family} model is needed")
    if found not in _FAMILIES:
        raise CheckpointError(path, f"the model family {found!r} is unknown to this version")
    try:
        config = _FAMILIES[found].from_dict(about["config"])
        task = DigitsConfig.from_dict(about["task"])
        return config, task, TrainConfig.from_dict(about["train"]) if about["train"] else None
    except UserError as error:
        raise CheckpointError(path, f"its configuration is not usable: {error}") from None


def _checked(path: Path, tensors: Mapping[str, Array], config: Any, prefix: str = "") -> Tree:
    """The tensors as a tree, in the order of the configuration; every deviation is named at once."""
    wanted = params_map.names(config)
    wrong = [f"{prefix}{name} is missing" for name in wanted if name not in tensors]
    wrong += [f"{prefix}{name} is unknown" for name in tensors if name not in wanted]
    for name, shape in wanted.items():
        if name not in tensors:
            continue
        tensor = tensors[name]
        if tensor.shape != shape:
            wrong.append(f"{prefix}{name} has shape {tensor.shape}, not {shape}")
        elif tensor.dtype not in (np.float32, np.float64):
            wrong.append(f"{prefix}{name} is {tensor.dtype}, not float32 or float64")
        elif not np.isfinite(tensor).all():
            wrong.append(f"{prefix}{name} holds NaN or infinity")
    if wrong:
        raise CheckpointError(path, "; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""))
    return tree.build({name: tensors[name] for name in wanted})


def _digest(tensors: Mapping[str, Array], about: str) -> str:
    sha = hashlib.sha256(about.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        sha.update(f"\n{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        sha.update(tensor.tobytes())
    return sha.hexdigest()


def _write(path: Path, tensors: Mapping[str, Array], about: Mapping[str, Any]) -> None:
    # safetensors writes the memory of an array as it lies there: one that is transposed would come back scrambled
    solid = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    text = json.dumps(about, sort_keys=True)
    body = safetensors.numpy.save(solid, {_KEY: json.dumps({"about": text, "sha256": _digest(solid, text)})})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise CheckpointError(path, f"cannot be written: {error.strerror or error}") from None


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last through a power cut. Windows opens no folders and needs none of it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    try:
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except FileNotFoundError:
        raise CheckpointError(path, "there is no such file") from None
    except OSError as error:
        raise CheckpointError(path, f"cannot be read: {error.strerror or error}") from None
    except (safetensors.SafetensorError, TypeError, KeyError, AttributeError, ValueError) as error:
        raise CheckpointError(path, f"is damaged, or no safetensors file at all ({error})") from None
    if _KEY not in metadata:
        raise CheckpointError(path, "is a safetensors file, but not a checkpoint of this project")
    try:
        envelope = json.loads(metadata[_KEY])
        text, digest = envelope["about"], envelope["sha256"]
        if _digest(tensors, text) != digest:
            raise CheckpointError(path, "is damaged: its data does not match its checksum; use another copy")
        about = json.loads(text)
        if about["version"] != 1:
            raise CheckpointError(path, f"has format version {about['version']}; this program reads version 1")
    except (KeyError, TypeError, json.JSONDecodeError):
        raise CheckpointError(path, "is damaged: its description cannot be read; use another copy") from None
    return tensors, about
