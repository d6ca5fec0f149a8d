"""How commands end: an exit code, and a traceback for bugs alone."""

import getpass
import os
import runpy
import subprocess
import sys

import pytest
from helpers.paths import REPOSITORY

from synaug_ray.common.cli import run_command
from synaug_ray.common.errors import BUG, DONE, INTERRUPTED, STORAGE


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
    assert run_command(main) == code
    told = capsys.readouterr().err
    assert said in told and bool(told) == bool(said)


@pytest.mark.parametrize(("lines", "code"), [(1, 0), (100_000, 7)])  # what fits into the buffer shows at the end alone
def test_nobody_reads_on(lines, code):
    text = (
        "import sys; from synaug_ray.common.cli import run_command; sys.stdin.read(); "
        f"sys.exit(run_command(lambda: [print('é' * 80) for _ in range({lines})] and 0, unread={code}))"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    run.stdout.close()  # before it prints anything
    run.stdin.close()
    assert run.stderr.read() == b"" and run.wait() == code


COMMANDS = ["grid", "audit", "predict", "status", "doctor", "export", "report.__main__"]


def as_main(command, word, monkeypatch):
    """The exit code of a command as ``python -m`` runs it, with one word."""

    def end(code):
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(sys, "argv", [command, word])
    monkeypatch.delitem(sys.modules, f"synaug_ray.{command}", raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"synaug_ray.{command}", run_name="__main__")
    return ended.value.code


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_an_unknown_option(command, monkeypatch, capsys):
    code = as_main(command, "--nonsense", monkeypatch)
    shown = capsys.readouterr().err
    assert code == 2 and "Traceback" not in shown and shown


@pytest.fixture
def gone(tmp_path, monkeypatch):
    """A working directory that was deleted."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PWD", str(folder))
    folder.rmdir()
    yield folder
    monkeypatch.undo()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_that_its_working_directory_was_deleted(command, gone, monkeypatch, capsys):
    assert as_main(command, "--help", monkeypatch) == STORAGE
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(f"error: the working directory {gone} no longer exists") and "cd ." in told


def test_nothing_that_a_command_imports_needs_a_working_directory(tmp_path):
    """A process of its own: in the others all is imported already."""
    words = f"mkdir {tmp_path}/d && cd {tmp_path}/d && rmdir {tmp_path}/d && exec {sys.executable} -m synaug_ray.grid x"
    done = subprocess.run(
        ["sh", "-c", words], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}
    )
    (told,) = done.stderr.splitlines()
    assert done.returncode == STORAGE and "no longer exists" in told


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("No username set"), ImportError("pwd")])
def test_a_user_without_a_name_gets_the_number(error, monkeypatch):
    """What getpass raises differs between versions of Python; torch and others ask it for folders of their own."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "")  # so that it is as before afterwards
        monkeypatch.delenv(name)

    def nameless(uid):
        raise error

    monkeypatch.setattr("pwd.getpwuid", nameless)
    assert run_command(lambda: int(getpass.getuser()) - os.getuid()) == 0
    monkeypatch.setenv("USER", "ada")
    monkeypatch.delenv("LOGNAME")
    assert run_command(lambda: len(getpass.getuser())) == 3
