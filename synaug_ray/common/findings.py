"""What a check found, a line for a person; a problem knows the exit code that it has."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from synaug_ray.common.errors import Problem, ResourceProblem

Level = Literal["ok", "note", "problem"]
WIDTH = 120  # characters a line


@dataclass(frozen=True)
class Finding:
    """What was looked at, and in a sentence what was found and what to do."""

    what: str
    means: str
    level: Level = "ok"
    kind: type[Problem] = ResourceProblem  # of a problem


def table(findings: Iterable[Finding]) -> str:
    """Level, what, sentence, in columns."""
    lines = []
    for f in findings:
        first, *more = textwrap.wrap(f.means, WIDTH - 20, break_long_words=False, break_on_hyphens=False) or [""]
        lines += [f"{f.level:<9}{f.what:<11}{first}", *(" " * 20 + line for line in more)]
    return "\n".join(lines)


def problem(findings: Iterable[Finding]) -> Problem | None:
    """All problems as one, of the kind that shows earliest; None where there is none."""
    found = [f for f in findings if f.level == "problem"]
    return min((f.kind for f in found), key=lambda kind: kind.exit_code)([f.means for f in found]) if found else None
