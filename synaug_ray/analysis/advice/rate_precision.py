"""Where an exchange rate is too uncertain to be a number: one rule for tables, the calculator and ``predict``.

A rate whose interval is open may be infinite, and one that spans orders of magnitude decides nothing: its value, from
the middle of such an interval, would read as if it were known. Where a size is undecided, whether the images are worth
any real one is open, and so is every rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from synaug_ray.laws.results import Estimate

UNKNOWN = "not estimable"  # the beginning of the notes of unknown rates
WIDEST = 100.0  # from the lower end of a rate's interval to the upper one, as a factor
TOO_WIDE = f"the interval of the rate is open, or spans more than a factor of {WIDEST:g}"
UNDECIDED = "whether these images help or hurt is undecided"


class Judged(Protocol):
    """A cell, as far as it is decided."""

    @property
    def num_real(self) -> int: ...

    @property
    def gain_simultaneous(self) -> Estimate: ...


def vague(rate: Estimate, drawn: bool) -> bool:
    """Whether a rate has a value that its interval does not support.

    Args:
        drawn: whether there are replicates; without them there are no intervals, and the value is all there is.
    """
    if rate.value is None or not drawn:
        return False
    return rate.low is None or rate.high is None or rate.low <= 0 or rate.high > WIDEST * rate.low


def decided_sizes(cells: Iterable[Judged]) -> tuple[tuple[int, bool], ...]:
    """(num_real, whether any amount there is shown to help or hurt), ascending; without intervals a size counts so."""
    found: dict[int, bool] = {}
    for cell in cells:
        gain = cell.gain_simultaneous
        shown = gain.low is None or gain.high is None or gain.low > 0 or gain.high < 0
        found[cell.num_real] = found.get(cell.num_real, False) or shown
    return tuple(sorted(found.items()))


def undecided(sizes: Sequence[Sequence[float]], num_real: float) -> bool:
    """Whether all measured sizes next to ``num_real`` are undecided; at a measured size, whether that one is.

    Args:
        sizes: ``decided_sizes``; empty if unknown, as in files of older versions.
    """
    near = [shown for n, shown in sizes if n == num_real]
    if not near:
        near = [shown for n, shown in sizes if n < num_real][-1:] + [shown for n, shown in sizes if n > num_real][:1]
    return bool(near) and not any(near)


def withheld(
    numbers: Mapping[str, Estimate], drawn: bool, grid: Mapping[str, Any], num_real: float, num_synthetic: float
) -> tuple[tuple[str, ...], str]:
    """Which numbers of a prediction are not given, and why; '' if all are.

    Args:
        numbers: ``equivalent``, ``average`` and ``marginal``.
        drawn: as in ``vague``.
        grid: its ``decided`` sizes and the rates ``withheld`` at its cells; files of older versions have neither.
    """
    if numbers["equivalent"].value is not None and undecided(grid.get("decided") or (), num_real):
        return tuple(numbers), UNDECIDED
    at_cell = next((names for *at, names in grid.get("withheld") or () if at == [num_real, num_synthetic]), ())
    names = tuple(name for name in ("average", "marginal") if name in at_cell or vague(numbers[name], drawn))
    return names, TOO_WIDE if names else ""
