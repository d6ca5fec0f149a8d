"""The grid command in this process, and what all refusals have in common: sentences, an exit code, nothing started."""

from __future__ import annotations

from pathlib import Path

import pytest

from synaug_ray import grid
from synaug_ray.common.cli import print_problem
from synaug_ray.common.errors import DataProblem, Message, Problem

GRID = """dataset: digits
num_real: [20, 40, 60, 80]
synthetic_multiples: [0, 1]
generators: [jitter]
classifiers: [mlp]
draws: 6
seeds: 1
"""


class Door:
    """``python -m synaug_ray.grid`` with a storage to which nothing may be written."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.capsys, self.monkeypatch = folder, capsys, monkeypatch
        self.storage, self.cache = folder / "storage", folder / "cache"
        self.grid = folder / "g.yaml"
        self.messages: list[Message] = []  # of the last refusal
        (folder / "here").mkdir()
        monkeypatch.chdir(folder / "here")

    def run(self, *words: str, text: str = GRID, storage: str | None = None) -> tuple[int, str, list[str]]:
        """Run the command; returns its exit code, what it printed, and the sentences of the refusal."""
        self.grid.write_text(text, encoding="utf-8")
        self.messages = []
        with self.monkeypatch.context() as patch:
            patch.setattr(grid, "print_problem", self.print_problem)
            code = grid.main(
                [str(self.grid), *words, "--storage", storage or str(self.storage), "--data", str(self.cache)]
            )
        shown = self.capsys.readouterr()
        lines = shown.err.splitlines()
        assert "Traceback" not in shown.err
        assert all("\n" not in str(message) for message in self.messages)
        return code, shown.out, [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]

    def print_problem(self, problem: Problem) -> int:
        """Keep the problem's messages, and print them as the command does."""
        assert all(message.code != DataProblem.code for message in problem.messages), "a message has no code of its own"
        self.messages = problem.messages
        return print_problem(problem)

    @property
    def found(self) -> list[tuple[str, str, str]]:
        """(code, place, value) of each message of the last refusal."""
        return [(m.code, m.place.replace(f"{self.folder}/", ""), m.value) for m in self.messages]

    def refused(self, code: int, *words: str, text: str = GRID, storage: str | None = None) -> list[str]:
        """The sentences of a refusal by the command line and the grid file alone, the same in dry runs and real ones."""
        self.monkeypatch.setattr(grid, "_run", lambda *args: pytest.fail("something was started"))
        wet = self.run(*words, text=text, storage=storage)
        dry = self.run(*words, "--dry-run", text=text, storage=storage)
        self.monkeypatch.undo()
        self.monkeypatch.chdir(self.folder / "here")
        assert wet == dry and wet[0] == code and wet[2], wet
        assert not self.storage.exists()
        return [s.replace(f"{self.folder}/", "") for s in wet[2]]

    def refused_in_a_run(self, code: int, *words: str, text: str = GRID) -> list[str]:
        """The sentences of a refusal that only a real run finds; it has trained and written nothing."""
        from synaug_ray.engine import local

        self.monkeypatch.setattr(local, "run_local", lambda *args: pytest.fail("something was started"))
        found, _, sentences = self.run(*words, "--local", text=text)
        assert found == code and sentences, (found, sentences)
        assert not self.storage.exists()
        return [s.replace(f"{self.folder}/", "") for s in sentences]
