"""What a user can cause, and the exit code that says so; no traceback is shown for any of it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

DONE, BUG, USAGE, DATA, FAILED_CELLS, STORAGE, RESOURCES, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 4, 5, 6, 130, 143


class Problem(Exception):
    """One or more sentences, each: what is wrong, where, with the value; what is allowed; what to do."""

    exit_code = BUG

    def __init__(self, sentences: Iterable[str] | str) -> None:
        self.sentences = [sentences] if isinstance(sentences, str) else list(sentences)
        super().__init__("\n".join(self.sentences))

    def __reduce__(self) -> tuple[type[Problem], tuple[list[str]]]:
        return type(self), (self.sentences,)


class Diverged(RuntimeError):
    """A loss, a weight or a pixel is no longer a number: what was trained is of no use."""


class Collapsed(RuntimeError):
    """A generator makes one and the same image, or images without content: what was trained is of no use."""


class DamagedState(RuntimeError):
    """A checkpoint is not what was saved: the training has to start anew."""


class UsageProblem(Problem):
    """The command line or the grid file alone shows it."""

    exit_code = USAGE


class DataProblem(Problem):
    """It shows once the data are read."""

    exit_code = DATA


class StorageProblem(Problem):
    """The storage cannot be read or written."""

    exit_code = STORAGE


class ResourceProblem(Problem):
    """The machine or the cluster lacks what is asked for."""

    exit_code = RESOURCES


def together(*checks: Callable[[], Any]) -> list[Any]:
    """What independent checks return, in order.

    Raises:
        Problem: with the sentences of all that refuse, of the kind that shows earliest.
    """
    values, problems = [], []
    for check in checks:
        try:
            values.append(check())
        except Problem as problem:
            problems.append(problem)
    if problems:
        kind = type(min(problems, key=lambda p: p.exit_code))
        raise kind([sentence for problem in problems for sentence in problem.sentences])
    return values


def did_you_mean(word: str, known: Any, otherwise: str = "") -> str:
    """`. Did you mean 'x'?` for a close match, else nothing (or ``otherwise``)."""
    close = difflib.get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.6)
    return f". Did you mean {close[0]!r}?" if close else otherwise
