"""Compile the JAX twin's programs with the real TPU compiler, on a machine that has no TPU.

    python benchmarks/compile_tpu.py [--tpus v4 v5e v5p v6e] [--only TEXT] [--write]     (needs libtpu: make tpu)

The compiler is part of libtpu and asks no device, only what kind it should compile for. It refuses programs that the
hardware cannot run or that do not fit its memory. What it accepts compiles for that TPU; nothing here runs on one. With
`--tpus` or `--only`, what was written of the others stays as it is, if it is of the same versions.
"""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# libtpu asks the cloud what machine it is on, and waits for an answer: these are the answers
os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
os.environ.setdefault("TPU_ACCELERATOR_TYPE", "v5litepod-4")
os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import report

TOPOLOGIES = {"v4": "v4:2x2x1", "v5e": "v5e:2x2", "v5p": "v5p:2x2x1", "v6e": "v6e:2x2"}
"""The smallest of each kind that libtpu describes. Programs are compiled for one of its chips."""


def compile_for(topology: str, function: Callable, args: tuple) -> tuple[str, float, Any]:
    """The chip's name, the CPU seconds that compilation took, and what the program needs of its memory."""
    import jax
    from jax.experimental import topologies

    chip = topologies.get_topology_desc(platform="tpu", topology_name=topology).devices[0]
    there = jax.sharding.SingleDeviceSharding(chip)
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype, sharding=there), args)
    lowered = jax.jit(function).lower(*shapes)
    start = time.process_time()
    compiled = lowered.compile()
    return chip.device_kind, time.process_time() - start, compiled.memory_analysis()


def measure(tpus: Sequence[str], only: str) -> list[dict]:
    from programs import programs

    found = []
    for name in tpus:
        for program, function, args in programs():
            if only not in program:
                continue
            kind, seconds, memory = compile_for(TOPOLOGIES[name], function, args)
            sizes = {part: getattr(memory, f"{part}_size_in_bytes") for part in ("argument", "temp", "generated_code")}
            found.append({"tpu": name, "device": kind, "program": program, "cpu_seconds": seconds, "bytes": sizes})
            print(found[-1], flush=True)
    return found


def beside(found: list[dict], versions: dict[str, str], whole: bool) -> list[dict]:
    """The figures, and those of the same versions that were written before of other TPUs; unless `whole`, of other
    programs too.
    """
    path = report.HERE / "results" / "compile_tpu.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    kept = before["programs"] if before.get("versions") == versions else []
    new, tpus = {(row["tpu"], row["program"]) for row in found}, {row["tpu"] for row in found}
    rows = [row for row in kept if row["tpu"] not in tpus or (not whole and (row["tpu"], row["program"]) not in new)]
    rows += found
    return sorted(rows, key=lambda row: list(TOPOLOGIES).index(row["tpu"]))


def markdown(found: list[dict], versions: dict[str, str]) -> str:
    """A row for each program; for each TPU the working memory and the code."""
    by = {(row["program"], row["tpu"]): row for row in found}
    tpus = list(dict.fromkeys(row["tpu"] for row in found))
    head = ("program", "arguments, MB", *(f"{tpu}: memory, code, MB" for tpu in tpus))

    def sizes(row: dict | None) -> str:
        return "" if row is None else f"{row['bytes']['temp'] / 1e6:.2f}, {row['bytes']['generated_code'] / 1e6:.2f}"

    arguments = {row["program"]: row["bytes"]["argument"] for row in found}
    rows = [
        (name, f"{size / 1e6:.2f}", *(sizes(by.get((name, tpu))) for tpu in tpus)) for name, size in arguments.items()
    ]
    told = f"{len(found)} compilations, {sum(row['cpu_seconds'] for row in found):,.0f} CPU seconds. Versions: "
    return "\n\n".join([report.table(head, rows), told + ", ".join(map(" ".join, versions.items())) + "."])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Compile the JAX twin's programs for TPUs, without a TPU.")
    parser.add_argument("--tpus", nargs="+", choices=TOPOLOGIES, default=list(TOPOLOGIES), help="kinds (all)")
    parser.add_argument("--only", default="", metavar="TEXT", help="programs with this in their name (all)")
    parser.add_argument("--write", action="store_true", help="write results/compile_tpu.json and README.md")
    args = parser.parse_args(argv)
    if importlib.util.find_spec("libtpu") is None:
        print(
            "error: the TPU compiler, the package libtpu, is not installed here: make tpu installs it and runs this",
            file=sys.stderr,
        )
        return 2
    from importlib.metadata import version

    versions = {package: version(package) for package in ("jax", "jaxlib", "libtpu")}
    measured = measure(args.tpus, args.only)
    if not measured:
        print(f"error: no program has {args.only!r} in its name", file=sys.stderr)
        return 2
    found = beside(measured, versions, whole=not args.only)
    print(markdown(found, versions))
    if args.write:
        report.save("compile_tpu", {"versions": versions, "programs": found})
        report.put_into_readme("compile_tpu", markdown(found, versions))
    return 0


if __name__ == "__main__":
    sys.exit(main())
