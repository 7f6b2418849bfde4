"""Plant errors in the backward passes, one at a time, and count how many the tests find.

    python benchmarks/mutants.py [--children 2]

mutmut changes one operator, number or argument of a function: a mutant. Mutated are all functions that run while any
backward of tests/cases.py runs. The tests are those that need no JAX (mutmut forks, and JAX does not survive that) and
little time: the complex step along a direction through all entries of each tensor, the facts and the golden files. A
mutant that no test notices survives; benchmarks/mutants.md has to say why it is no error. Everything happens in a
temporary copy of the tree.

Exit code 1 if fewer than 95 % are killed or a survivor is not explained.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
EXPLAINED = ROOT / "benchmarks" / "mutants.md"
ENOUGH = 0.95
TESTS = [
    "tests/test_gradients.py::test_gradients_have_the_names_order_and_shapes_of_the_arguments",
    "tests/test_gradients.py::test_every_tensor_along_one_direction",
    "tests/test_gradients.py::test_every_tensor_of_the_default_model_along_one_direction",
    "tests/test_gradients.py::test_backward_changes_nothing_it_was_given",
    "tests/test_gradients.py::test_float32_stays_float32",
    "tests/test_facts.py",
    "tests/test_golden.py",
]
KILLED = (1, 3)
"""pytest's exit codes for failed tests and for an error of its own."""


class Survivor(NamedTuple):
    name: str
    removed: str
    added: str

    @property
    def item(self) -> str:
        """Its place in mutants.md: the function and the line as changed. The mutant's number moves with the code."""
        return f"- {plain(self.name)}: `{self.added}`"


def plain(name: str) -> str:
    """`numpy_ref.ops.relu.backward` of `numpy_ref.ops.relu.x_backward__mutmut_3`."""
    return name.partition("__mutmut_")[0].replace(".x_", ".")


def reached() -> set[tuple[str, str]]:
    """Module and name of every function of src/ that runs while a backward runs."""
    sys.path.insert(0, str(ROOT / "tests"))
    import numpy as np

    from cases import CASES

    found = set()

    def note(frame, event, _):
        if event == "call" and Path(frame.f_code.co_filename).is_relative_to(ROOT / "src"):
            found.add((frame.f_globals["__name__"], frame.f_code.co_name))

    for case in CASES:
        forward, backward = case.functions()
        y, saved = forward(*case.args, **case.kw)
        sys.setprofile(note)
        backward(np.ones_like(y), saved)
        sys.setprofile(None)
    return {(module, name) for module, name in found if not name.startswith("<")}


def prepare(copy: Path, functions: set[tuple[str, str]]) -> None:
    """What mutmut needs, in `copy`: sources, tests, and its settings."""
    for part in ("src", "tests"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    files = sorted({f"src/{module.replace('.', '/')}.py" for module, _ in functions})
    settings = {
        "source_paths": ["src"],
        "only_mutate": files,
        "pytest_add_cli_args_test_selection": TESTS,
        "pytest_add_cli_args": ["-p", "no:cacheprovider"],
    }
    section = "\n".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
    (copy / "pyproject.toml").write_text(f"{(ROOT / 'pyproject.toml').read_text()}\n[tool.mutmut]\n{section}\n")


def mutmut(copy: Path, *args: str) -> str:
    """The output of mutmut in `copy`. Raises SystemExit with it if it fails."""
    command = [str(Path(sys.executable).with_name("mutmut")), *args]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"mutmut {args[0]} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def verdicts(copy: Path, patterns: tuple[str, ...]) -> dict[str, int | None]:
    """pytest's exit code for each mutant of the functions asked for."""
    found: dict[str, int | None] = {}
    for file in sorted((copy / "mutants").rglob("*.meta")):
        codes = json.loads(file.read_text())["exit_code_by_key"]
        found |= {name: code for name, code in codes.items() if name.startswith(patterns)}
    return found


def survivor(copy: Path, name: str) -> Survivor:
    diff = mutmut(copy, "show", name).splitlines()
    changed = {sign: " ".join(line[1:].strip() for line in diff if line[:1] == sign != line[1:2]) for sign in "-+"}
    return Survivor(name, changed["-"], changed["+"])


def main() -> int:
    parser = argparse.ArgumentParser(description="Mutation testing of the backward passes.")
    parser.add_argument("--children", type=int, default=os.cpu_count(), help="mutants tested at a time (all cores)")
    children = parser.parse_args().children
    start = time.monotonic()
    functions = reached()
    patterns = tuple(sorted(f"{module}.x_{name}__mutmut_" for module, name in functions))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        prepare(copy, functions)
        mutmut(copy, "run", "--max-children", str(children), *(f"{pattern}*" for pattern in patterns))
        codes = verdicts(copy, patterns)
        alive = [survivor(copy, name) for name, code in codes.items() if code not in KILLED]
    for pattern in patterns:
        of_this = [code for name, code in codes.items() if name.startswith(pattern)]
        killed = sum(code in KILLED for code in of_this)
        print(f"{plain(pattern):50} {killed:4} of {len(of_this):4} killed")
    lines = EXPLAINED.read_text().splitlines()
    explained = [s for s in alive if s.item in lines]
    for s in alive:
        print(f"\n{s.name}: survived ({codes[s.name]}), {'explained' if s in explained else 'NOT EXPLAINED'}")
        print(f"  - {s.removed}\n  + {s.added}")
    share = 1 - len(alive) / len(codes)
    print(f"\n{len(codes)} mutants, {len(codes) - len(alive)} killed ({share:.1%}), {len(alive)} survived,", end=" ")
    print(f"{len(alive) - len(explained)} of them not explained, {time.monotonic() - start:.0f} s")
    return 0 if share >= ENOUGH and len(explained) == len(alive) else 1


if __name__ == "__main__":
    raise SystemExit(main())
