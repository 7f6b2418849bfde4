"""Which way imports point, and that NumPy alone is enough for the NumPy twin."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
FORBIDDEN = {
    "common": {"jax", "jaxlib", "numpy_ref", "jax_impl", "console"},
    "numpy_ref": {"jax", "jaxlib", "jax_impl", "console"},
    "jax_impl": {"numpy_ref", "console"},
}
INSIDE = {"ops": {"layers", "models"}, "layers": {"models"}}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", FORBIDDEN)
def test_packages_import_only_what_they_may(package):
    files = list((SRC / package).rglob("*.py"))
    assert files
    wrong = [(f.name, name) for f in files for name in imported(f) if name.split(".")[0] in FORBIDDEN[package]]
    assert wrong == []


@pytest.mark.parametrize("twin", ["numpy_ref", "jax_impl"])
@pytest.mark.parametrize("part", INSIDE)
def test_inside_a_twin_imports_go_from_models_to_ops(twin, part):
    found = [name for f in (SRC / twin / part).rglob("*.py") for name in imported(f)]
    assert [name for name in found if name.split(".")[:2] in [[twin, above] for above in INSIDE[part]]] == []


WITHOUT_JAX = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("jax", "jaxlib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import importlib, pathlib
for package in ("common", "numpy_ref", "console"):
    for file in sorted(pathlib.Path(sys.argv[1], package).rglob("*.py")):
        parts = file.relative_to(sys.argv[1]).with_suffix("").parts
        importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
from console.trainer import main
sys.exit(main(sys.argv[2:]))
"""


def run_without_jax(tmp_path, *args):
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    command = [
        sys.executable,
        "-c",
        WITHOUT_JAX,
        str(SRC),
        "--no-interactive",
        "--size",
        "small",
        "--epochs",
        "1",
        *args,
    ]
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)


def test_everything_in_numpy_works_with_jax_not_installed(tmp_path):
    done = run_without_jax(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch 1/1" in done.stdout


def test_asking_for_jax_where_it_is_not_installed_is_a_sentence(tmp_path):
    done = run_without_jax(tmp_path, "--backend", "jax")
    assert done.returncode == 2
    assert "--backend jax needs the package jax" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plain_run_does_not_wait_for_jax(tmp_path):
    code = "import sys, console.trainer, console.query, numpy_ref.train; sys.exit('jax' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False).returncode == 0
