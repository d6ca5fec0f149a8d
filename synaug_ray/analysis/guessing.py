"""Classifiers that are hardly better than guessing: nothing that they are trained on can then be told apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synaug_ray.analysis.advice.more_real import number
from synaug_ray.common.text import listed

Json = Mapping[str, Any]
LEARNT = 0.25  # of the way from guessing to no errors
BETTER = 2.0  # times as often right as by guessing
REMEDY = (
    "First use another classifier (classifiers), larger images (data.size) or longer training of the classifier (its "
    "nimg), until real images alone are clearly better than guessing"
)


@dataclass(frozen=True)
class Guessing:
    """A classifier that is hardly better than guessing with the most real images that were measured."""

    classifier: str
    num_real: int
    error: float  # a fraction, on real images alone
    chance: float  # the error of the best answer that looks at no image

    @property
    def sentence(self) -> str:
        return (
            f"{self.classifier} is hardly better than guessing ({100 * self.error:.0f}% errors with {self.num_real:,} "
            f"real images, the most measured; {100 * self.chance:.0f}% by guessing)"
        )


def hardly_better(right: float, guessed: float) -> bool:
    """Whether a classifier that is right on a share ``right`` of images is hardly better than guessing.

    In the first quarter of the way from guessing to no errors, images of any kind have at most that quarter to show
    what they are worth. Of many classes a quarter of the way is much (a quarter of 100 classes right is no guessing),
    so it also has to be right less than twice as often as by guessing; this counts with more than five classes.
    """
    return right < min(guessed + LEARNT * (1 - guessed), BETTER * guessed)


def guessing(laws: Json) -> tuple[Guessing, ...]:
    """The classifiers of ``laws.json`` for which this holds at their largest size."""
    chance, classes = number(laws.get("chance_error")), number(laws.get("num_classes"))
    if chance is None and classes is not None and classes > 1:
        chance = 1 - 1 / classes  # files of older versions
    if chance is None:
        return ()
    found = []
    for curve in laws.get("real") or ():
        last = max(curve.get("points") or (), key=lambda p: p["num_real"], default=None)
        error = number((last or {}).get("error"))
        if last is not None and error is not None and hardly_better(1 - error, 1 - chance):
            found.append(Guessing(str(curve.get("classifier")), int(last["num_real"]), error, chance))
    return tuple(found)


def guessing_warnings(found: tuple[Guessing, ...]) -> list[str]:
    """One sentence for each such classifier."""
    return [f"{g.sentence}, so this run cannot tell what images are worth to it. {REMEDY}." for g in found]


def guessing_reason(found: tuple[Guessing, ...]) -> str:
    """Why nothing can be recommended, where only such classifiers were measured."""
    return f"{listed(g.sentence for g in found)}, so this run cannot tell what images are worth."
