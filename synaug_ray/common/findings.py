"""Results of checks as a table for people, and as an error with an exit code."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from synaug_ray.common.errors import Message, Problem, ResourceProblem

Level = Literal["ok", "note", "problem"]
WIDTH = 120  # characters per line


@dataclass(frozen=True)
class Finding:
    """One check: what was checked, what was found, and what to do about it."""

    what: str
    means: str
    level: Level = "ok"
    kind: type[Problem] = ResourceProblem  # what to raise if ``level`` is "problem"


def table(findings: Iterable[Finding]) -> str:
    """The findings in three columns: level, what, means."""
    lines = []
    for f in findings:
        first, *more = textwrap.wrap(f.means, WIDTH - 20, break_long_words=False, break_on_hyphens=False) or [""]
        lines += [f"{f.level:<9}{f.what:<11}{first}", *(" " * 20 + line for line in more)]
    return "\n".join(lines)


def problem(findings: Iterable[Finding]) -> Problem | None:
    """All problems as one, of the subclass with the lowest exit code; None if there are none."""
    found = [f for f in findings if f.level == "problem"]
    if not found:
        return None
    kind = min((f.kind for f in found), key=lambda kind: kind.exit_code)
    return kind([Message(f.means, code=f"cluster-{f.what.lower()}") for f in found])
