"""What a user can cause, and the exit code that says so; no traceback is shown for any of it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

DONE, USAGE, DATA, FAILED_CELLS, STORAGE, RESOURCES, INTERRUPTED, TERMINATED = 0, 2, 3, 4, 5, 6, 130, 143
BUG = 70  # EX_SOFTWARE. Not 1: Ray ends a process so that touches the object store of a node that has died
LOST = 75  # EX_TEMPFAIL: nothing is wrong with the run, and the same command goes on


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


class PeerLost(RuntimeError):
    """A process of several that train one generator together failed or died: the others cannot go on without it."""


class TooFewKept(RuntimeError):
    """A filter dropped so much of a pool that a trial lacks images."""


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


class ClusterLost(Problem):
    """The cluster went away in the middle of a run."""

    exit_code = LOST


def collect_problems(*checks: Callable[[], Any]) -> list[Any]:
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


def parts(error: BaseException) -> Iterator[BaseException]:
    """An exception and what other libraries' exceptions hold: causes, contexts, members, the failures of workers."""
    seen: list[BaseException] = []
    todo: list[Any] = [error]
    while todo:
        at = todo.pop(0)
        if not isinstance(at, BaseException) or any(at is one for one in seen):
            continue
        seen.append(at)
        yield at
        held = [*vars(at).values(), at.__cause__, at.__context__, *at.args]
        todo += [one for value in held for one in (value.values() if isinstance(value, dict) else [value])]


def problem_within(error: BaseException) -> Problem | None:
    """The Problem that another library's exception was raised from, or holds, if there is one."""
    found = next((part for part in parts(error) if isinstance(part, Problem)), None)
    return getattr(found, "cause", found)  # Ray's class of both kinds has the Problem itself as its cause


def did_you_mean(word: str, known: Any, otherwise: str = "") -> str:
    """`. Did you mean 'x'?` for a close match, else nothing (or ``otherwise``)."""
    close = difflib.get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.6)
    return f". Did you mean {close[0]!r}?" if close else otherwise
