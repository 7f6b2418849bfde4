"""Lesson 04: what each part of a stack is good for. `python -m course.figures.f04` records the runs by depth."""

import json
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np

from common import checkpoint, tree
from common.config import SIZES, ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from common.data.batching import Examples
from common.plots import BLUE, GREY, ORANGE, save, styled
from common.positions import sinusoidal
from common.trace import Trace
from common.types import Array, Tree
from common.vocabulary import OPERATIONS, TOKENS, encode
from course.figures import FOLDER, Numbers
from course.page import ROOT
from numpy_ref import train
from numpy_ref.layers import attention, ffn, layernorm, linear
from numpy_ref.models import classifier

SHIPPED = ROOT / "checkpoints/digits-medium.safetensors"
DEPTHS = FOLDER / "depths.json"
REMOVED = ("nothing", "attn 0", "ffn 0", "attn 1", "ffn 1")


def weights() -> Tree:
    """Of the shipped model, in float64."""
    return tree.cast(checkpoint.load_model(SHIPPED).params, np.float64)


def asked() -> Examples:
    """The expressions that the shipped model was never trained on."""
    return digits.load(DigitsConfig(), seed=0, examples=1_000).test


def states(params: Tree, examples: Examples, *, without: str = "nothing", order: tuple[int, ...] = (0, 1)) -> list:
    """x_BTD before the first block and behind each, with one sublayer left out, or the blocks in another order."""
    tokens_BT = examples.tokens
    mask_BTS = np.broadcast_to(examples.mask[:, None], (*tokens_BT.shape, tokens_BT.shape[1]))
    xs = [params["emb"]["w"][tokens_BT] + sinusoidal(tokens_BT.shape[1], params["emb"]["w"].shape[1])]
    for i in order:
        block, x_BTD = params["blocks"][i], xs[-1]
        a_BTD, _ = attention.forward(block["attn"], x_BTD, x_BTD, mask_BTS=mask_BTS, n_heads=4, n_kv_heads=4)
        m_BTD, _ = layernorm.forward(block["norm1"], x_BTD + (without != f"attn {i}") * a_BTD)
        f_BTD, _ = ffn.forward(block["ffn"], m_BTD)
        y_BTD, _ = layernorm.forward(block["norm2"], m_BTD + (without != f"ffn {i}") * f_BTD)
        xs.append(y_BTD)
    return xs


def right(params: Tree, x_BTD: Array, examples: Examples) -> Array:
    """Which examples the head answers correctly from the first position of x, bool, (B,)."""
    logits_BC, _ = linear.forward(params["head"], x_BTD[:, 0])
    return np.argmax(logits_BC, axis=-1) == examples.targets


def contributions(params: Tree, text: str, position: int = 0) -> dict[str, Array]:
    """The last x of a position as a sum of what each part wrote into it, each of shape (D,): exact.

    A norm whose mean and spread are known is linear: each part goes through it by itself.
    """
    tokens_BT = np.array([encode(text)])
    config = ClassifierConfig()
    with Trace(params) as trace:
        classifier.forward(params, tokens_BT=tokens_BT, mask_BT=tokens_BT != 0, config=config)
    root = "/classifier._forward"
    parts = {"token": trace[f"{root}/e_BTD"][0, position], "position": trace[f"{root}/p_TD"][position]}
    parts["biases"] = np.zeros_like(parts["token"])
    for i, block in enumerate(params["blocks"]):
        for name, norm, local in (("attn", "norm1", "a_BTD"), ("ffn", "norm2", "f_BTD")):
            parts[f"{name} {i}"] = trace[f"blocks.{i}/classifier.block_forward/{local}"][0, position]
            r_1 = trace[f"blocks.{i}.{norm}/layernorm.forward/r_BT1"][0, position]
            parts = {key: block[norm]["g"] * r_1 * (part - np.mean(part)) for key, part in parts.items()}
            parts["biases"] = parts["biases"] + block[norm]["b"]
    return parts


@styled
def parts(path: Path) -> Numbers:
    from matplotlib.figure import Figure

    params = weights()
    digits_DC = params["head"]["w"][:, 2:12]
    found = {name: part @ digits_DC for name, part in contributions(params, "Max ( 5 3 9 )").items()}
    table = np.stack(list(found.values()))
    figure = Figure(figsize=(6.4, 2.9), layout="constrained")
    axes = figure.subplots()
    axes.imshow(table, cmap="RdBu_r", vmin=-4.5, vmax=4.5, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        axes.text(column, row, f"{value:.1f}", ha="center", va="center", color="white" if abs(value) > 3 else "black")
    axes.set_xticks(range(10), TOKENS[2:12])
    axes.set_yticks(range(len(found)), list(found))
    axes.set(xlabel="digit that is spoken for", title="what each part adds to the logits of Max ( 5 3 9 )")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    save(figure, path)
    return found


@styled
def removed(path: Path) -> Numbers:
    from matplotlib.figure import Figure

    params, examples = weights(), asked()
    found = {name: shares(params, examples, name) for name in REMOVED}
    table = np.array([list(row.values()) for row in found.values()])
    figure = Figure(figsize=(6.4, 2.4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(table, cmap="Blues", vmin=0, vmax=140, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        axes.text(column, row, f"{value:.0f} %", ha="center", va="center")
    axes.set_xticks(range(table.shape[1]), list(found["nothing"]))
    axes.set_yticks(range(len(found)), REMOVED)
    axes.set(ylabel="left out", title="right answers on expressions never trained on")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    save(figure, path)
    return found


def shares(params: Tree, examples: Examples, without: str = "nothing") -> dict[str, float]:
    """Right answers in percent, for each operation and in all, with a sublayer left out."""
    good = right(params, states(params, examples, without=without)[-1], examples)
    by_op = {op: 100 * float(np.mean(good[examples.groups == TOKENS.index(op)])) for op in OPERATIONS}
    return by_op | {"all": 100 * float(np.mean(good))}


@styled
def depths(path: Path) -> Numbers:
    from matplotlib.figure import Figure

    runs = json.loads(DEPTHS.read_text())["right"]
    figure = Figure(figsize=(4.6, 2.6), layout="constrained")
    axes = figure.subplots()
    for blocks, found in runs.items():
        axes.plot([int(blocks)] * len(found), [100 * share for share in found], "o", color=BLUE, alpha=0.6)
        axes.plot(int(blocks), 100 * float(np.median(found)), "_", color=ORANGE, markersize=22, markeredgewidth=2)
    axes.axhline(100, color=GREY, linewidth=0.6)
    axes.set_xticks([int(blocks) for blocks in runs])
    axes.set(xlabel="blocks", ylabel="right answers in %", title="five seeds each, and their median")
    save(figure, path)
    return {"right": runs}


def record(blocks: tuple[int, ...] = (1, 2), seeds: tuple[int, ...] = (0, 1, 2, 3, 4)) -> None:
    """Train `--size small` with other numbers of blocks and write down the share of right answers of each run."""
    found = {}
    for n in blocks:
        model, settings = replace(ClassifierConfig(), n_blocks=n), TrainConfig(**SIZES["small"])
        members = train.population(seeds, DigitsConfig(), model=model, train=settings)
        found[str(n)] = [member.test.accuracy for member in members]
    machine = f"{platform.system()} {platform.machine()}, NumPy {np.__version__}"
    DEPTHS.write_text(json.dumps({"machine": machine, "seeds": list(seeds), "right": found}, indent=1) + "\n")


FIGURES = {"parts": parts, "removed": removed, "depths": depths}

if __name__ == "__main__":
    from common.threads import one_blas_thread

    one_blas_thread()
    record()
