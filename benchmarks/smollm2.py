"""A real model in three hands: SmolLM2-135M in NumPy, in JAX and in transformers, the same weights, the same words.

    python benchmarks/smollm2.py [--rounds 24] [--threads 1] [--write]

First the proof that all three do the same: greedy answers to ten prompts token by token, in one batch and one at a
time, and the logits. Then the speed, in turns: one token read beside a cache (decode), and 512 tokens at once
(prefill). Two products take their turns in the same rounds and say what the machine can do: a vector with a large
matrix how fast weights come from memory, the floor of decode, and two matrices how fast it multiplies and adds, the
floor of prefill. Where llama-cpp-python is installed, llama.cpp takes its turns too, on the four-bit file itself.
"""

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial

from common import threads

NAME = "smollm2"
PROMPTS = (
    "What is the capital of France?",
    "Write a sentence about the sea.",
    "Count from one to ten.",
    "Why is the sky blue?",
    "Name three colours.",
    "Translate to German: good morning.",
    "Hello",
    "Give me a recipe for pancakes in three short steps, please, with the amounts of everything that goes in.",
    "What is 7 plus 5?",
    "Who wrote the play Hamlet, and in which century was that?",
)
NEW, PREFILL, SIZE = 64, 512, 640
"""Tokens of an answer; of the long prompt; and places of the cache."""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--rounds", type=int, default=24, help="turns of each contestant (default: 24)")
    p.add_argument("--threads", type=int, default=1, help="of BLAS, XLA and PyTorch (default: 1)")
    p.add_argument("--write", action="store_true", help="put the figures into README.md and results/")
    return p


given = parser().parse_args()
os.environ.update(dict.fromkeys(threads.VARIABLES, str(given.threads)))
if given.threads == 1:
    single = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {single}"

import jax
import jax.numpy as jnp
import machine
import numpy as np
import report
import torch
from transformers import DynamicCache, LlamaForCausalLM

import jax_impl.generate
import jax_impl.models.llama
import numpy_ref.generate
import numpy_ref.models.llama
from common import params, tree, weights
from common.config import LlamaConfig
from common.sampling import Sampling
from common.weights import Loaded, smollm2

Turn = Callable[[], None]


def reference(model: Loaded) -> LlamaForCausalLM:
    """transformers with the same numbers, by way of a directory that we write and it reads."""
    with tempfile.TemporaryDirectory() as folder:
        weights.save(folder, model)
        return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def asked(model: Loaded) -> list[list[int]]:
    assert model.chat is not None and model.tokenizer is not None
    return [model.chat.encode([{"role": "user", "content": text}], model.tokenizer) for text in PROMPTS]


def answers(model: Loaded, theirs: LlamaForCausalLM) -> dict:
    """How many of the greedy answers agree, and how far the logits of the first prompt are apart."""
    prompts, ends = asked(model), tuple(sorted(model.ends))
    sampling = Sampling(max_new_tokens=NEW, end_token=ends)
    on_device = tree.map(jnp.asarray, model.params)
    found = {
        "transformers": [_their_answer(theirs, prompt, ends) for prompt in prompts],
        "NumPy, one batch": numpy_ref.generate.generate(model.params, prompts, model=model.config, sampling=sampling),
        "NumPy, one at a time": [
            numpy_ref.generate.generate(model.params, [prompt], model=model.config, sampling=sampling)[0]
            for prompt in prompts
        ],
        "JAX, one batch": jax_impl.generate.generate(on_device, prompts, model=model.config, sampling=sampling),
        "JAX, one at a time": [
            jax_impl.generate.generate(on_device, [prompt], model=model.config, sampling=sampling)[0]
            for prompt in prompts
        ],
    }
    same = {name: sum(a == b for a, b in zip(got, found["transformers"], strict=True)) for name, got in found.items()}
    tokens_BT = np.array([prompts[0]])
    ours, _ = numpy_ref.models.llama.forward(model.params, tokens_BT=tokens_BT, config=model.config)
    twins = jax.jit(partial(jax_impl.models.llama.forward, config=model.config))(on_device, tokens_BT=tokens_BT)
    with torch.inference_mode():
        wanted = theirs(torch.tensor(tokens_BT)).logits.numpy()
    logits = {"NumPy": float(np.max(np.abs(ours - wanted))), "JAX": float(np.max(np.abs(np.asarray(twins) - wanted)))}
    wide = _float64(model, tokens_BT)
    return {"same": same, "tokens": [len(row) for row in found["transformers"]], "logits": logits, "float64": wide}


def _their_answer(theirs: LlamaForCausalLM, prompt: list[int], ends: tuple[int, ...]) -> list[int]:
    with torch.inference_mode():
        ids = theirs.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=NEW,
            do_sample=False,
            eos_token_id=list(ends),
            pad_token_id=ends[0],
        )[0, len(prompt) :].tolist()
    return ids[:-1] if ids[-1] in ends else ids


def _float64(model: Loaded, tokens_BT: np.ndarray) -> float:
    """How far the twins' logits are apart in float64."""
    wide = tree.map(lambda x: x.astype(np.float64), model.params)
    ours, _ = numpy_ref.models.llama.forward(wide, tokens_BT=tokens_BT, config=model.config)
    with jax.enable_x64(True):
        twins = jax.jit(partial(jax_impl.models.llama.forward, config=model.config))(
            tree.map(jnp.asarray, wide), tokens_BT=tokens_BT
        )
        return float(np.max(np.abs(np.asarray(twins) - ours)))


def decoders(model: Loaded, theirs: LlamaForCausalLM) -> dict[str, Turn]:
    """One token more, each beside its own cache of the first prompt."""
    tokens_BT = np.array([asked(model)[0]])
    begun = {"tokens_BT": tokens_BT, "lengths_B": np.array([tokens_BT.shape[1]]), "size": 256, "config": model.config}
    token_B = np.array([5])
    ours = [numpy_ref.models.llama.prefill(model.params, **begun)[1]]
    on_device = tree.map(jnp.asarray, model.params)
    twins = [jax.tree.map(jnp.asarray, ours[0])]
    past = DynamicCache(config=theirs.config)
    with torch.inference_mode():
        theirs(torch.tensor(tokens_BT), past_key_values=past, use_cache=True)

    def numpy_turn() -> None:
        _, ours[0] = numpy_ref.models.llama.decode(model.params, ours[0], tokens_B=token_B, config=model.config)

    def jax_turn() -> None:
        logits_BV, twins[0] = jax_impl.generate._decode(on_device, twins[0], jnp.asarray(token_B), model=model.config)
        logits_BV.block_until_ready()

    def torch_turn() -> None:
        with torch.inference_mode():
            theirs(torch.tensor([[5]]), past_key_values=past, use_cache=True)

    return {"NumPy": numpy_turn, "JAX": jax_turn, "transformers": torch_turn}


def prefillers(model: Loaded, theirs: LlamaForCausalLM) -> dict[str, Turn]:
    """512 tokens at once, and the logits after the last."""
    tokens_BT = np.random.default_rng(0).integers(0, model.config.vocab, (1, PREFILL))
    begun = {"tokens_BT": tokens_BT, "lengths_B": np.array([PREFILL])}
    on_device = tree.map(jnp.asarray, model.params)
    program = jax.jit(partial(jax_impl.models.llama.prefill, size=SIZE, config=model.config))

    def numpy_turn() -> None:
        numpy_ref.models.llama.prefill(model.params, **begun, size=SIZE, config=model.config)

    def jax_turn() -> None:
        program(on_device, **begun)[0].block_until_ready()

    def torch_turn() -> None:
        with torch.inference_mode():
            theirs(torch.tensor(tokens_BT), use_cache=True, logits_to_keep=1)

    return {"NumPy": numpy_turn, "JAX": jax_turn, "transformers": torch_turn}


def memory_turn() -> Turn:
    """One product of a vector with 200 MB of weights."""
    w_IO, x_1I = np.ones((4096, 12288), np.float32), np.ones((1, 4096), np.float32)

    def turn() -> None:
        x_1I @ w_IO

    return turn


def product_turn() -> Turn:
    """One product of the model's own kind: 512 tokens with the weights of a gate."""
    x_TD, w_DF = np.ones((PREFILL, 576), np.float32), np.ones((576, 1536), np.float32)

    def turn() -> None:
        for _ in range(10):
            x_TD @ w_DF

    return turn


PRODUCT = 10 * 2 * PREFILL * 576 * 1536
"""Multiplications and additions of such a turn."""


def arithmetic(config: LlamaConfig) -> int:
    """Multiplications and additions of a prefill: the blocks' matrices for every token, the head's for the last, and
    the two products of attention with no more than what the mask lets through.
    """
    blocks = sum(math.prod(shape) for name, shape in params.names(config).items() if name.startswith("blocks"))
    attention = 4 * config.n_blocks * config.n_heads * config.d_head * PREFILL * (PREFILL + 1) // 2
    return 2 * PREFILL * blocks + 2 * config.vocab * config.d_model + attention


def anchor(prompt: list[int]) -> tuple[dict[str, Turn], dict[str, Turn]]:
    """llama.cpp's turns at decode and prefill, on the file as it is; none where its package is not there."""
    try:
        import llama_cpp
    except ImportError:
        return {}, {}
    how = {"n_ctx": SIZE, "n_batch": PREFILL, "n_ubatch": PREFILL, "verbose": False}
    how |= {"n_threads": given.threads, "n_threads_batch": given.threads}
    one, many = (llama_cpp.Llama(str(smollm2.path()), **how) for _ in range(2))
    one.eval(prompt)
    tokens = np.random.default_rng(0).integers(0, 40_000, PREFILL).tolist()

    def decode() -> None:
        one.eval([5])

    def prefill() -> None:
        many.reset()
        many.eval(tokens)

    return {FOUR_BIT: decode}, {FOUR_BIT: prefill}


FOUR_BIT = "llama.cpp, four-bit weights"


def in_turns(turns: dict[str, Turn], rounds: int) -> dict[str, dict[str, float]]:
    """Median and best decile of the CPU and wall seconds of each, after one turn that does not count."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in turns}
    for number in range(rounds + 2):
        for name, turn in turns.items():
            cpu, wall = time.process_time(), time.perf_counter()
            turn()
            if number >= 2:
                taken[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    found = {}
    for name, pairs in taken.items():
        cpu, wall = (sorted(column) for column in zip(*pairs, strict=True))
        middle, low = len(cpu) // 2, len(cpu) // 10
        found[name] = {"cpu": cpu[middle], "cpu_best": cpu[low], "wall": wall[middle], "wall_best": wall[low]}
    return found


def main() -> int:
    torch.set_num_threads(given.threads)
    model = weights.load(NAME)
    theirs = reference(model)
    figures: dict = {"threads": given.threads, "agreement": answers(model, theirs)}
    size = sum(leaf.nbytes for leaf in tree.leaves(model.params))
    anchors = anchor(asked(model)[0])
    figures["decode"] = in_turns({"memory": memory_turn()} | decoders(model, theirs) | anchors[0], given.rounds)
    clock = _clock(given.threads)
    rate = 4096 * 12288 * 4 / figures["decode"]["memory"][clock]
    turns = {"product": product_turn()} | prefillers(model, theirs) | anchors[1]
    figures["prefill"] = in_turns(turns, max(4, given.rounds // 2))
    speed, work = PRODUCT / figures["prefill"]["product"][clock], arithmetic(model.config)
    figures |= {"bytes": size, "rate": rate, "arithmetic": work, "speed": speed}
    figures["floor"] = {"decode": size / rate, "prefill": work / speed}
    figures["machine"] = machine.describe("jax", "jaxlib", "torch", "transformers")
    text = tables(figures)
    print(text)
    if given.write:
        report.save(f"{NAME}_{given.threads}", figures)
        report.put_into_readme(f"{NAME}_{given.threads}", text)
    return 0


def tables(figures: dict) -> str:
    told, clock = figures["agreement"], _clock(figures["threads"])
    unit = "CPU ms" if clock == "cpu" else "ms by the clock"
    n = len(PROMPTS)
    rows = [
        (name, f"{same} of {n}", "" if name == "transformers" else _apart(name, told))
        for name, same in told["same"].items()
    ]
    parts = [report.table(("greedy answers", "the same", "logits apart, at most"), rows)]
    parts.append(f"The twins' logits in float64: {told['float64']:.1e} apart.")
    for what, floor in figures["floor"].items():
        found = figures[what]
        theirs = found["transformers"][clock]
        tokens = 1 if what == "decode" else PREFILL
        lines = [
            (
                name,
                f"{1e3 * found[name][clock]:.1f}",
                f"{1e3 * found[name][f'{clock}_best']:.1f}",
                f"{tokens / found[name][clock]:.1f}",
                f"{theirs / found[name][clock]:.2f}",
                "" if name == FOUR_BIT else f"{100 * floor / found[name][clock]:.0f} %",
            )
            for name in ("NumPy", "JAX", "transformers", FOUR_BIT)
            if name in found
        ]
        head = (f"{what}, {tokens} token{'s' if tokens > 1 else ''}", f"median, {unit}", "best decile")
        parts.append(report.table((*head, "tokens/s", "times as fast as transformers", "floor / median"), lines))
    parts.append(
        f"Floor of decode: {1e3 * figures['floor']['decode']:.1f} ms, {figures['bytes'] / 1e6:.0f} MB of weights at "
        f"the {figures['rate'] / 1e9:.1f} GB/s of a product of a vector with a 200 MB matrix in the same rounds. Floor "
        f"of prefill: {1e3 * figures['floor']['prefill']:.0f} ms, {figures['arithmetic'] / 1e9:.0f} GFLOP at the "
        f"{figures['speed'] / 1e9:.0f} GFLOP/s of a product of 512 × 576 and 576 × 1536 numbers."
    )
    parts.append(machine.sentence(figures["machine"]))
    return "\n\n".join(parts)


def _clock(threads: int) -> str:
    """What is compared: CPU time of one thread, which a busy machine changes least, or time by the clock of several."""
    return "cpu" if threads == 1 else "wall"


def _apart(name: str, told: dict) -> str:
    return f"{told['logits'][name.split(',', maxsplit=1)[0]]:.1e}" if "batch" in name else ""


if __name__ == "__main__":
    sys.exit(main())
