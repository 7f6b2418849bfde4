"""Models that others have trained, for the programs that run them: found, loaded with a bar, put where they run."""

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from common import files, tree, weights
from common.checkpoint import Model
from common.data.pieces import ParseError
from common.files import FileError
from common.sampling import Sampling
from common.weights import Loaded, smollm2
from console.backend import Twin
from console.growing import Row
from console.terminal import is_terminal, printable

AnyModel = TypeVar("AnyModel", bound=Model | Loaded)
_USUAL = {"temperature": 0.7, "top_p": 0.9}
_SMOLLM2 = {"temperature": 0.2, "top_p": 0.9}
"""What its authors use (the model card of SmolLM2-135M-Instruct); the file itself recommends nothing."""
_FIELDS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


def load(name: str, err: Console) -> Loaded:
    """The model at a path, or `smollm2`, in float32, with a bar on a terminal's stderr.

    Raises UserError for files that are missing or wrong, for packages that are missing, and for a model of which only
    the weights are there.
    """
    columns = (TextColumn("loading {task.description}"), BarColumn(bar_width=10), TaskProgressColumn())
    with Progress(*columns, console=err, transient=True, disable=not is_terminal(err.file)) as progress:
        bar = progress.add_task(printable(Path(name).name[:20], plain=False), total=None)
        found = weights.load(name, progress=lambda done, total: progress.update(bar, completed=done, total=total))
    if found.tokenizer is None:
        raise FileError(name, "has no tokenizer beside its weights, so there are no words for its tokens")
    return found


def check_chat(model: Loaded, name: str) -> None:
    """Raises UserError where the model has no form for conversations."""
    if model.chat is None:
        raise FileError(
            name, "has no chat template, so it knows no conversations; let it go on with generate.py --model"
        )


def read(text: str, number: int, model: Loaded, *, chat: bool) -> Row:
    """A prompt: text to go on from, or a message to answer. Raises ParseError for one that leaves no room."""
    tokenizer: Any = model.tokenizer
    template: Any = model.chat
    ids = template.encode([{"role": "user", "content": text}], tokenizer) if chat else tokenizer.prompt(text)
    if not ids:
        raise ParseError(0, "there is nothing here; type the beginning of a text")
    room = model.config.max_len - len(ids)
    if room < 1:
        told = f"this text has {len(ids)} tokens; the model has room for {model.config.max_len}, the next one included"
        raise ParseError(len(text), told)
    return Row(number, tokenizer.stream(), text, ids, room, answers=chat)


def placed(model: AnyModel, twin: Twin) -> AnyModel:
    """The same model with its parameters on the twin's device.

    A compiled program that is handed NumPy's arrays copies them there anew at every token.
    """
    if twin.name == "numpy":
        return replace(model, params=tree.map(np.asarray, model.params))
    import jax

    return replace(model, params=jax.device_put(model.params))


def recommended(name: str) -> dict[str, Any]:
    """Settings of Sampling that go with a model: those of its generation_config.json, or else usual ones.

    Raises FileError for recommendations that cannot be followed.
    """
    if name == smollm2.NAME:
        return _SMOLLM2
    path = Path(name) / "generation_config.json"
    told = files.json_object(path) if path.exists() else {}
    if told.get("do_sample") is False:
        return {"temperature": 0.0}
    found = {field: told[field] for field in _FIELDS if told.get(field) is not None}
    try:
        Sampling(**found)
    except ValueError as error:
        raise FileError(path, f"recommends settings that cannot be: {error}") from None
    return _USUAL | found
