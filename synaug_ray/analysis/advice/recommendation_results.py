"""A recommendation: the advice at one number of real images, in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Advice(StrEnum):
    """What a team should do."""

    COLLECT = "Collect"
    GENERATE = "Generate"
    EITHER = "Either"
    NOT_KNOWN = "Not known yet"


@dataclass(frozen=True)
class Recommendation:
    """The advice at one number of real images. The study's fields are empty where none is recommended."""

    advice: Advice
    num_real: int
    title: str  # a few words after the advice
    reason: str  # one sentence
    next_step: str  # what to do, or what to do to find out
    sure: str  # how sure this is
    classifier: str = ""
    generator: str = ""
    protocol: str = ""
    real_share: str = ""
    multiple: float | None = None  # synthetic images per real one
    learnt: bool = True  # a generator that learns, and that a reader could train, was measured here

    @property
    def generates(self) -> bool:
        """Whether synthetic images are recommended."""
        return self.advice in (Advice.GENERATE, Advice.EITHER)

    @property
    def sentence(self) -> str:
        """All of it on one line, for a terminal."""
        return f"{self.advice}{': ' + self.title if self.title else ''}. {self.reason} {self.next_step}".strip()
