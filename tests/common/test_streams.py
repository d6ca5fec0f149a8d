"""Standard streams that are closed, full or read by nobody: a command does its work all the same."""

import os
import subprocess
import sys

import pytest
from helpers.paths import REPOSITORY

MAIN = (
    "import sys; from synaug_ray.common.cli import run_command; "
    "sys.exit(run_command(lambda: [print('é' * 50), print('warning', file=sys.stderr), "
    "open('made', 'w').write('x'), {then}] and 0))"
)


def run(redirection, words, folder):
    """By a shell, as a user or a service closes them; the streams that it leaves open are returned."""
    return subprocess.run(
        ["bash", "-c", f'"$@" {redirection}', "bash", sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("flags", [[], ["-u"]])
@pytest.mark.parametrize(
    "redirection", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full", ">&- 2>/dev/full", ""]
)
def test_closed_and_full_streams_are_like_dev_null(redirection, flags, tmp_path):
    done = run(redirection, [*flags, "-c", MAIN.format(then="sys.stdout.flush()")], tmp_path)
    assert done.returncode == 0 and (tmp_path / "made").read_text() == "x"
    assert done.stdout == ("" if ">&-" in redirection.replace("2>&-", "") else "\\xe9" * 50 + "\n")
    assert done.stderr == ("" if "2>" in redirection else "warning\n")


@pytest.mark.parametrize("flags", [[], ["-u"]])
def test_an_output_that_is_full_is_a_sentence_at_the_end_and_the_work_is_done(flags, tmp_path):
    done = run(">/dev/full", [*flags, "-c", MAIN.format(then="0")], tmp_path)
    assert done.returncode == 5 and (tmp_path / "made").exists() and "Traceback" not in done.stderr
    assert "error: cannot write to standard output (No space left on device)" in done.stderr


def test_help_that_cannot_be_written(tmp_path):
    script = (
        "import sys; from synaug_ray.common.cli import Parser, run_command; "
        "sys.exit(run_command(lambda: Parser().parse_args()))"
    )
    assert run(">/dev/full", ["-c", script, "--help"], tmp_path).returncode == 5
    assert run(">&-", ["-c", script, "--help"], tmp_path).returncode == 0


def test_what_others_print_does_not_go_into_a_file(tmp_path):
    """The next file that is opened would take the number of a closed stream: C libraries write to that."""
    script = (
        "import os, sys; from synaug_ray.common.streams import replace_streams; replace_streams(); "
        "file = open('kept', 'w'); "
        "os.write(1, b'of a library'); os.write(2, b'of another'); file.write('mine'); "
        "file.close(); sys.exit(file.closed - 1)"
    )
    assert run("<&- >&- 2>&-", ["-c", script], tmp_path).returncode == 0
    assert (tmp_path / "kept").read_text() == "mine"


def test_a_reader_that_is_slow_and_a_pipe_that_does_not_block(tmp_path):
    """As node and some terminals leave it: a write there may take nothing."""
    script = (
        "import os; os.set_blocking(1, False); import sys; from synaug_ray.common.cli import run_command; "
        "sys.exit(run_command(lambda: [print('x' * 1000) for _ in range(1000)] and 0))"
    )
    done = run("| (sleep 0.5; wc -c); exit ${PIPESTATUS[0]}", ["-c", script], tmp_path)
    assert done.returncode == 0 and done.stdout.strip() == "1001000" and not done.stderr


@pytest.mark.parametrize("command", ["grid", "status", "report", "predict"])
def test_the_commands_themselves(command, small_run, tmp_path):
    words = {
        "grid": ["smoke", "--dry-run", "--storage", str(tmp_path / "s")],
        "status": [str(small_run / "small")],
        "report": [str(tmp_path / "nowhere")],
        "predict": [str(tmp_path / "nowhere"), "--real", "20"],
    }[command]
    wanted = 0 if command in ("grid", "status") else 2
    assert run(">&- 2>&-", ["-m", f"synaug_ray.{command}", *words], tmp_path).returncode == wanted
