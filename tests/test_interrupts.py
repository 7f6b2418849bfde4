"""Ctrl-C: an exception in our own Python alone, and at every prompt the same."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from console import interrupts, query, terminal, trainer

ROOT = Path(interrupts.__file__).parents[2]
ENV = os.environ | {"PYTHONPATH": str(ROOT / "src")}


def at_work(module, do):
    """Call `do` from a function of a module of that name."""
    inside = {"__name__": module, "do": do}
    exec("def work():\n    do()\n", inside)
    return inside["work"]


def press():
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("module", ["jax", "jax._src.compiler", "jax_impl.generate"])
def test_while_jax_works_the_wish_waits_for_the_next_check(module):
    done = []
    with interrupts.hold() as held:
        at_work(module, press)()
        done.append(held.wanted)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        interrupts.check()  # told once
    assert done == [True]


def test_a_wish_that_nobody_asked_for_is_told_at_the_end():
    with pytest.raises(KeyboardInterrupt), interrupts.hold():
        at_work("jaxlib.xla", press)()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_our_own_python_it_comes_at_once():
    def work():
        with interrupts.hold() as held:
            at_work("numpy_ref.generate", press)()
            held.deaf = True  # never reached

    with pytest.raises(KeyboardInterrupt):
        work()


def test_it_comes_between_two_steps():
    seen = []

    def steps():
        for number in range(5):
            if number == 2:
                at_work("jax", press)()
            yield number

    with pytest.raises(KeyboardInterrupt), interrupts.hold():
        seen.extend(interrupts.between(steps()))
    assert seen == [0, 1]


def test_a_second_one_ends_a_program_that_has_nothing_to_lose():
    code = (
        "import signal; from console import interrupts\n"
        "twice = {'__name__': 'jax', 's': signal}\n"
        "exec('def work():\\n    s.raise_signal(2)\\n    s.raise_signal(2)\\n    print(1)', twice)\n"
        "with interrupts.hold(hasty=True): twice['work']()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, env=ENV, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


# ---- at the prompts, and where nobody reads

SHIPPED = str(ROOT / "checkpoints" / "digits-medium.safetensors")
LEAVES = "Ctrl-C again leaves"


def typed(monkeypatch, *lines):
    left = list(lines)

    def answer(prompt=""):
        line = left.pop(0)
        if line is KeyboardInterrupt:
            raise KeyboardInterrupt
        return line

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr("console.draw.interactive", lambda: True)
    monkeypatch.setattr(query, "is_terminal", lambda stream: True)
    return left


PROGRAMS = {
    "ask": lambda: query.main(["--checkpoint", SHIPPED]),
    "train": lambda: trainer.main(["--size", "small", "--no-plots"]),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_at_a_prompt_the_second_ctrl_c_leaves_and_the_first_says_so(program, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    left = typed(monkeypatch, KeyboardInterrupt, "help", KeyboardInterrupt, KeyboardInterrupt, "never read")
    assert PROGRAMS[program]() == 0
    told = capsys.readouterr()
    assert left == ["never read"]
    assert (told.out + told.err).count(LEAVES) == 2


@pytest.mark.parametrize(
    "argv",
    [["train_step_by_step.py", "--size", "small", "--steps", "1"], ["test_model_manually.py", "--expr", "Max 1 2 3"]],
)
def test_a_closed_pipe_is_one_code_everywhere(argv, tmp_path):
    read, write = os.pipe()
    os.close(read)
    command, given = [sys.executable, str(ROOT / argv[0]), *argv[1:]], {"stdin": subprocess.DEVNULL, "stdout": write}
    more = ["--checkpoint", SHIPPED] if argv[0].startswith("test") else []
    done = subprocess.run(
        [*command, *more], check=False, cwd=tmp_path, env=ENV, stderr=subprocess.PIPE, timeout=60, **given
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (terminal.CLOSED, b"")


def test_a_path_that_is_wrong_is_told_before_the_terminal(capsys):
    assert query.main(["--checkpoint", "runs/nope"]) == 2
    assert trainer.main(["--resume", "runs/nope"]) == 2
    assert capsys.readouterr().err.count("runs/nope: there is no such file") == 2
