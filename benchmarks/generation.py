"""How fast tokens are generated with a KV cache: both twins and PyTorch, the same trained models, the same prompts.

    python benchmarks/generation.py [--batches 1 16] [--rounds 15] [--write]

Greedy, float32, one thread. All must generate the same tokens, or there is no table. They take turns, and times are CPU
times of the process: the table shows medians over the rounds, and ratios within a round. Reading the prompts is
included, compiling is not.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
import time
from collections.abc import Callable
from functools import partial

import jax_peers
import machine
import numpy as np
import report
import torch_generation

from common import checkpoint
from common.config import Seq2SeqConfig, SequenceConfig, TextConfig
from common.data import sequences, text
from common.sampling import Sampling
from common.types import Array
from common.vocabulary import START

CHECKPOINTS = report.HERE.parent / "checkpoints"
MODELS = ("text-gpt", "reverse-seq2seq")
PROMPT = 32
"""Characters of a prompt to the text model."""
Generate = Callable[[], Array]


def prompts(model: checkpoint.Model, batch: int) -> tuple[Array, int]:
    """Prompts of one length, (B, T), and how many tokens are to follow them."""
    if isinstance(model.task, TextConfig):
        words = text.corpus()
        shown = [c for c in words if c in model.task.alphabet]
        ids = np.array(text.encode("".join(shown), model.task))
        starts = np.linspace(0, len(ids) - PROMPT - 1, batch).astype(int)
        return ids[starts[:, None] + np.arange(PROMPT)], model.config.max_len - PROMPT
    assert isinstance(model.task, SequenceConfig)
    longest = [p for p in sequences.held_out(model.task, "test") if len(p.prompt) == model.task.max_prompt]
    return np.array([p.prompt for p in longest[:batch]]), model.task.max_answer + 1


def contestants(model: checkpoint.Model, batch: int) -> tuple[dict[str, Generate], int]:
    """By name, a function that generates everything once; and how many tokens that is for each prompt."""
    import jax.numpy as jnp

    from common import tree
    from jax_impl import generate as jax_generate
    from numpy_ref import generate as numpy_generate

    given_BT, new = prompts(model, batch)
    start = START if isinstance(model.config, Seq2SeqConfig) else None
    how = {"model": model.config, "sampling": Sampling(max_new_tokens=new), "start_token": start}
    rows, on_device = given_BT.tolist(), tree.map(jnp.asarray, model.params)
    theirs = torch_generation.generator(model.params, model=model.config)
    return {
        "NumPy": lambda: np.array(numpy_generate.generate(model.params, rows, **how)),
        "JAX": lambda: np.array(jax_generate.generate(on_device, rows, **how)),
        "PyTorch eager": partial(theirs, given_BT, new),
    }, new


def same_tokens(runs: dict[str, Generate]) -> None:
    """Warm up, and prove that all do the same work."""
    found = {name: run() for name, run in runs.items()}
    wanted = found["PyTorch eager"]
    for name, tokens_BL in found.items():
        if not np.array_equal(tokens_BL, wanted):
            raise SystemExit(f"{name} does other work: {(tokens_BL != wanted).sum()} of {wanted.size} tokens differ")


def measure(name: str, batch: int, rounds: int) -> dict:
    runs, new = contestants(checkpoint.load_model(CHECKPOINTS / f"{name}.safetensors"), batch)
    same_tokens(runs)
    seconds: dict[str, list[float]] = {who: [] for who in runs}
    for _ in range(rounds):
        for who, run in runs.items():
            start = time.process_time()
            run()
            seconds[who].append(time.process_time() - start)
    return {
        "model": name,
        "batch": batch,
        "new_tokens": new,
        "tokens_a_second": {who: batch * new / float(np.median(each)) for who, each in seconds.items()},
        "of_torch": {who: float(np.median(np.divide(seconds["PyTorch eager"], each))) for who, each in seconds.items()},
    }


def markdown(found: list[dict], rounds: int, words: dict[str, str]) -> str:
    names = list(found[0]["tokens_a_second"])
    head = ("model", "prompts", "new tokens each", *(f"{name}, tokens/s" for name in names))
    rows = []
    for one in found:
        rates = [f"{one['tokens_a_second'][who]:,.0f} ({one['of_torch'][who]:.2f})" for who in names]
        rows.append((one["model"], str(one["batch"]), str(one["new_tokens"]), *rates))
    note = f"Tokens of all prompts together, for each CPU second; in brackets, of PyTorch's rate. {rounds} rounds."
    return "\n\n".join([report.table(head, rows), note, machine.sentence(words)])


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast tokens are generated, in NumPy, JAX and PyTorch.")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16], help="prompts at once (1 16)")
    parser.add_argument("--rounds", type=int, default=15, help="how often each contestant has its turn (15)")
    parser.add_argument("--write", action="store_true", help="write results/generation.json and README.md")
    args = parser.parse_args()
    jax_peers.one_xla_thread()
    found = [measure(name, batch, args.rounds) for name in MODELS for batch in args.batches]
    words = machine.describe("torch", "jax", "jaxlib")
    print(markdown(found, args.rounds, words))
    if args.write:
        report.save("generation", {"machine": words, "rounds": args.rounds, "rows": found})
        report.put_into_readme("generation", markdown(found, args.rounds, words))


if __name__ == "__main__":
    main()
