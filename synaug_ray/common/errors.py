"""Errors that a user can cause, shown without a traceback, and their exit codes."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

DONE, USAGE, DATA, FAILED_CELLS, STORAGE, RESOURCES, INTERRUPTED, TERMINATED = 0, 2, 3, 4, 5, 6, 130, 143
BUG = 70  # EX_SOFTWARE. Not 1: Ray uses it for a process that touches the object store of a dead node
LOST = 75  # EX_TEMPFAIL: nothing is wrong with the run; the same command resumes it


@dataclass(frozen=True)
class Message:
    """One error: ``place: text`` for people, ``code`` for programs."""

    text: str  # what is wrong, with the value; what is allowed; what to do
    place: str = ""  # such as "grids/digits.yaml:7: num_real[2]"; empty if the text itself says where
    code: str = ""  # stable, such as "unknown-key"; if empty, the Problem's
    value: str = ""  # the wrong value, as quoted in the text

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


class Problem(Exception):
    """An error that a user can cause: one or more messages, and the process's exit code."""

    exit_code = BUG
    code = "bug"  # of messages without a code of their own

    def __init__(self, messages: Iterable[Message | str] | Message | str, code: str = "") -> None:
        """``code`` is that of messages without one of their own; by default the class's."""
        every = [messages] if isinstance(messages, (Message, str)) else list(messages)
        self.messages = list(dict.fromkeys(self._coded(message, code or self.code) for message in every))  # each once
        super().__init__("\n".join(self.sentences))

    @staticmethod
    def _coded(message: Message | str, code: str) -> Message:
        if isinstance(message, str):
            return Message(message, code=code)
        return message if message.code else replace(message, code=code)

    @property
    def sentences(self) -> list[str]:
        """The messages as people read them, one line each."""
        return [str(message) for message in self.messages]

    def __reduce__(self) -> tuple[type[Problem], tuple[list[Message]]]:
        return type(self), (self.messages,)


class Diverged(RuntimeError):
    """A loss, weight or pixel is not finite, or the loss ended far above its lowest: the network is useless."""


class Collapsed(RuntimeError):
    """A generator makes the same image every time, or images without content: it is useless."""


class DamagedState(RuntimeError):
    """A checkpoint is corrupt: training has to restart from the beginning."""


class PeerLost(RuntimeError):
    """One of several processes training a generator together failed or died; the others cannot continue."""


class TooFewKept(RuntimeError):
    """A filter dropped so many of a pool's images that too few remain for a trial."""


class UsageProblem(Problem):
    """The command line or the grid file is wrong, as can be seen without the data."""

    exit_code = USAGE
    code = "usage"


class DataProblem(Problem):
    """The data are wrong, which is found when they are read."""

    exit_code = DATA
    code = "data"


class StorageProblem(Problem):
    """The storage cannot be read or written."""

    exit_code = STORAGE
    code = "storage"


class ResourceProblem(Problem):
    """The machine or the cluster lacks something that a run needs."""

    exit_code = RESOURCES
    code = "resources"


class ClusterLost(Problem):
    """The cluster was lost during a run."""

    exit_code = LOST
    code = "cluster-lost"


def collect_problems(*checks: Callable[[], Any]) -> list[Any]:
    """The return values of independent checks, in order.

    Raises:
        Problem: with the messages of all checks that fail; of the subclass with the lowest exit code.
    """
    values, problems = [], []
    for check in checks:
        try:
            values.append(check())
        except Problem as problem:
            problems.append(problem)
    if problems:
        kind = type(min(problems, key=lambda p: p.exit_code))
        raise kind([message for problem in problems for message in problem.messages])
    return values


def nested_exceptions(error: BaseException) -> Iterator[BaseException]:
    """An exception and all exceptions nested in it: causes, contexts, attributes, arguments."""
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
    """The Problem nested in another library's exception, if any."""
    found = next((one for one in nested_exceptions(error) if isinstance(one, Problem)), None)
    return getattr(found, "cause", found)  # Ray raises a class derived from both; its cause is the Problem itself


def did_you_mean(word: str, known: Any, otherwise: str = "") -> str:
    """`. Did you mean 'x'?` for a close match, else nothing (or ``otherwise``)."""
    close = difflib.get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.6)
    return f". Did you mean {close[0]!r}?" if close else otherwise
