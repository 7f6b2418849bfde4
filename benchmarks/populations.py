"""Training N models together against N runs one after another, in JAX.

    python benchmarks/populations.py [--seeds 8 64] [--updates 200] [--rounds 3] [--write]

Together: N parameter trees stacked, one program with `vmap` over them (jax_impl/device/population.py). One after
another: `jax_impl.train.fit` for each seed. Both train the same models on the same data (default settings, a short run
of four epochs), judge them after each epoch and on the test part, and must find the same mean loss. The data are made
beforehand. They take turns; the factor is taken within a round, then the median over the rounds: below 1, together is
faster. XLA may use as many threads as it likes, as in training.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from statistics import fmean, median

import machine
import report

from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from common.evaluation import Member

EPOCHS = 4
MODEL, TASK = ClassifierConfig(), DigitsConfig()


def config(updates: int) -> TrainConfig:
    per_epoch = max(1, updates // EPOCHS)
    return TrainConfig(examples=per_epoch * TrainConfig().batch_size, epochs=EPOCHS, warmup=min(50, per_epoch))


def together(seeds: range, train: TrainConfig) -> list[Member]:
    from jax_impl.device import population

    return list(population.fit_together(seeds, TASK, model=MODEL, train=train))


def apart(seeds: range, train: TrainConfig) -> list[Member]:
    from jax_impl import train as twin

    members = []
    for seed in seeds:
        one = replace(train, seed=seed)
        data = digits.load(TASK, seed=seed, examples=train.examples)
        *_, end = twin.fit(twin.init(MODEL, one), data, model=MODEL, train=one)
        members.append(Member(seed, end.best.epoch, twin.evaluate(end.best.params, data.test, model=MODEL)))
    return members


WAYS: dict[str, Callable[[range, TrainConfig], list[Member]]] = {"together": together, "one after another": apart}


def timed(way: Callable, seeds: range, train: TrainConfig) -> tuple[dict[str, float], list[Member]]:
    cpu, wall = time.process_time(), time.perf_counter()
    members = way(seeds, train)
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}, members


def measure(n: int, updates: int, rounds: int) -> dict:
    """Seconds of both ways and of one run alone; of the first time, which compiles, too."""
    import jax

    train, seeds = config(updates), range(n)
    for seed in seeds:
        digits.load(TASK, seed=seed, examples=train.examples)
    first, found = {}, {}
    for name, way in WAYS.items():
        jax.clear_caches()
        first[name], found[name] = timed(way, seeds, train)
    same_losses(*found.values())
    for way in WAYS.values():
        way(seeds, train)  # compiled again: clear_caches has thrown away the other way's
    turns: list[dict[str, dict[str, float]]] = []
    for _ in range(rounds):
        turns.append({name: timed(way, seeds, train)[0] for name, way in WAYS.items()})
        turns[-1]["one run"] = timed(apart, range(1), train)[0]
    return {
        "seeds": n,
        "updates": train.steps,
        "first": first,
        "seconds": {
            name: {clock: median(turn[name][clock] for turn in turns) for clock in ("cpu", "wall")} for name in turns[0]
        },
        "runs": {
            name: {clock: median(t[name][clock] / t["one run"][clock] for t in turns) for clock in ("cpu", "wall")}
            for name in WAYS
        },
        "factor": {
            clock: median(t["together"][clock] / t["one after another"][clock] for t in turns)
            for clock in ("cpu", "wall")
        },
        "factor_first": {
            clock: first["together"][clock] / first["one after another"][clock] for clock in ("cpu", "wall")
        },
    }


def same_losses(a: list[Member], b: list[Member]) -> None:
    """The mean test loss agrees to 5 %. In float32 single members part; tests/test_device.py holds them in float64."""
    one, other = (fmean(member.test.loss for member in members) for members in (a, b))
    if abs(one - other) > 0.05 * other:
        raise SystemExit(f"the two ways train other models: mean test loss {one:.4f} together, {other:.4f} apart")


def markdown(found: list[dict], words: dict[str, str]) -> str:
    head = ("models", "one run", "one after another", "together", "together / one after another", "with compilation")
    rows = [
        (
            f"{size['seeds']}, {kind}",
            *(f"{size['seconds'][name][clock]:.2f}" for name in ("one run", "one after another", "together")),
            f"{size['factor'][clock]:.2f}",
            f"{size['factor_first'][clock]:.2f}",
        )
        for size in found
        for clock, kind in (("cpu", "CPU seconds"), ("wall", "seconds by the clock"))
    ]
    compiling = "; ".join(
        f"{size['seeds']} models: {name} {size['first'][name]['cpu'] - size['seconds'][name]['cpu']:.1f} CPU seconds"
        for size in found
        for name in WAYS
    )
    return "\n\n".join(
        [report.table(head, rows), f"Compilation, the first time: {compiling}.", machine.sentence(words)]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Training N models together against one after another, in JAX.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[8, 64], help="how many models (8 and 64)")
    parser.add_argument("--updates", type=int, default=200, help="updates of each run (200)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way has its turn (3)")
    parser.add_argument("--write", action="store_true", help="write results/populations.json and README.md")
    args = parser.parse_args()
    digits.load = lru_cache(maxsize=None)(digits.load)
    found = []
    for n in args.seeds:
        found.append(measure(n, args.updates, args.rounds))
        print(found[-1], flush=True)
    words = machine.describe("jax", "jaxlib")
    print(markdown(found, words))
    if args.write:
        report.save("populations", {"machine": words, "rounds": args.rounds, "populations": found})
        report.put_into_readme("populations", markdown(found, words))


if __name__ == "__main__":
    main()
