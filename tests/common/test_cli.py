"""How commands end: an exit code, and a traceback for bugs alone."""

import os
import runpy
import subprocess
import sys

import pytest

from synaug_ray.common.cli import ended
from synaug_ray.common.errors import BUG, DONE, INTERRUPTED


def broken():
    raise ValueError("cannot be")


def interrupted():
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("main", "code", "said"),
    [
        (lambda: DONE, DONE, ""),
        (interrupted, INTERRUPTED, ""),
        (broken, BUG, "ValueError: cannot be\nerror: this is a bug"),
    ],
)
def test_a_command_ends_in_a_code(main, code, said, capsys):
    assert ended(main) == code
    told = capsys.readouterr().err
    assert said in told and bool(told) == bool(said)


@pytest.mark.parametrize(("lines", "code"), [(1, 0), (100_000, 7)])  # what fits into the buffer shows at the end alone
def test_nobody_reads_on(lines, code):
    text = (
        "import sys; from synaug_ray.common.cli import ended; sys.stdin.read(); "
        f"sys.exit(ended(lambda: [print('é' * 80) for _ in range({lines})] and 0, unread={code}))"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    run.stdout.close()  # before it prints anything
    run.stdin.close()
    assert run.stderr.read() == b"" and run.wait() == code


@pytest.mark.parametrize("command", ["grid", "audit", "predict", "status", "doctor", "report.__main__"])
def test_every_command_refuses_an_unknown_option(command, monkeypatch, capsys):
    """As ``python -m`` runs it."""

    def end(code):
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(sys, "argv", [command, "--nonsense"])
    monkeypatch.delitem(sys.modules, f"synaug_ray.{command}", raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"synaug_ray.{command}", run_name="__main__")
    shown = capsys.readouterr().err
    assert ended.value.code == 2 and "Traceback" not in shown and shown
