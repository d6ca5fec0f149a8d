"""Predicted errors and the cheapest mix for a target error, from the plain JSON of ``laws.json`` alone.

The page's script ``report/html/expectation.js`` repeats this arithmetic, so it is kept simple and described here.
Values, the measured range, and the axes u and v are in ``interpolation``.

**Cost** = cost_real * max(num_real - have, 0) + cost_synthetic * s
+ (s > 0) * cost_core_hour / 3600 * (generator_seconds + seconds_per_image * s), the last two piecewise linear in
ln num_real between the sizes of ``generation``, constant beyond.

**Cheapest mix**, inside the measured range. For one amount s, the mix is the smallest integer num_real that is at least
``have``, inside the range, and has error <= target. In each grid interval of u, from the left, ln(error) is linear in
u, so the crossing is calculated and rounded up; the first interval that reaches the target decides. Intervals begin at
the smallest allowed size and end at the largest. The first amounts tried are round(num_synthetic[1] (e^v - 1)), with v
the grid's v values and ``SUBDIVISIONS`` equal steps in each interval, up to and including ``measured_num_synthetic``.
Then, ``ROUNDS`` times, the amounts are ``SUBDIVISIONS`` equal steps on either side of the best one, up to its
neighbours in the last round, rounded. The lowest cost wins; of equal costs, the smaller s.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from synaug_ray.analysis.advice.interpolation import SLACK, axis, estimate, interpolate, log_amounts, outside, too_many
from synaug_ray.analysis.advice.rate_precision import withheld
from synaug_ray.laws.results import Estimate

SUBDIVISIONS = 8
ROUNDS = 4
Json = Mapping[str, Any]  # a PredictionGrid, or an element of a study's ``generation``, as in laws.json


@dataclass(frozen=True)
class Expectation:
    """The predictions of a study at one (num_real, num_synthetic), in the units of ``PredictionGrid``.

    The value of ``marginal`` is None also if no amount replaces the next real image, whether it has a lower end or not.
    ``outside`` says in what respect the point is outside the measured range; it is empty inside.
    ``not_estimable`` names the fields whose values ``rate_precision`` withholds, and ``why`` says why.
    """

    num_real: int
    num_synthetic: int
    error: Estimate
    error_real_only: Estimate
    equivalent: Estimate
    average: Estimate
    marginal: Estimate
    outside: tuple[str, ...]
    not_estimable: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Costs:
    """Prices of a real image, a synthetic one and a core-hour (or GPU-hour), and the real images already owned."""

    real: float
    synthetic: float
    core_hour: float = 0.0
    have: int = 0


@dataclass(frozen=True)
class Mix:
    """Total numbers of real and synthetic images, their cost, and their expected error."""

    num_real: int
    num_synthetic: int
    cost: float
    error: Estimate


@dataclass(frozen=True)
class Answer:
    """The cheapest mix, and the cheapest without synthetic images; None if there is none.

    If there is no mix, ``reached`` is the mix of at least the owned images with the lowest expected error inside the
    measured range; None if ``have`` itself is beyond that range.
    """

    mix: Mix | None
    collect_only: Mix | None
    reached: Mix | None


def expectation(grid: Json, num_real: int, num_synthetic: int) -> Expectation:
    """All predictions at one point; beyond the grid, and beyond a fall of the gain, only ``outside``."""
    nothing = Estimate(None)
    if grid.get("falls") and too_many(grid, num_real, num_synthetic):
        said = (*outside(grid, num_real, num_synthetic), grid["falls"])
        alone = estimate(grid, "error", num_real, 0)
        return Expectation(num_real, num_synthetic, nothing, alone, nothing, nothing, nothing, said)
    equivalent = estimate(grid, "equivalent", num_real, num_synthetic)
    at = Expectation(
        num_real=num_real,
        num_synthetic=num_synthetic,
        error=estimate(grid, "error", num_real, num_synthetic),
        error_real_only=estimate(grid, "error", num_real, 0),
        equivalent=equivalent if num_synthetic else nothing,
        average=_average(equivalent, num_synthetic) if num_synthetic else nothing,
        # below the smallest measured amount the rate is not given, since there the laws differ most
        marginal=estimate(grid, "marginal", num_real, num_synthetic) if num_synthetic else nothing,
        outside=outside(grid, num_real, num_synthetic),
    )
    numbers = {name: getattr(at, name) for name in ("equivalent", "average", "marginal")}
    names, why = withheld(numbers, at.error.low is not None, grid, num_real, num_synthetic)
    kept = {"equivalent": replace(equivalent, value=None)} if "equivalent" in names else {}
    return replace(at, **{name: nothing for name in names} | kept, not_estimable=names, why=why)


def _average(equivalent: Estimate, num_synthetic: int) -> Estimate:
    """s / m; an end with m <= 0 is open, since that amount may replace nothing."""

    def over(m: float | None) -> float | None:
        return num_synthetic / m if m is not None and m > 0 else None

    return Estimate(over(equivalent.value), over(equivalent.high), over(equivalent.low))


def generation_seconds(generation: Sequence[Json], num_real: float, num_synthetic: float) -> float:
    """Core-seconds (or GPU-seconds) to train one generator at ``num_real`` and to sample from it."""
    if not num_synthetic or not generation:
        return 0.0
    sizes = [math.log(g["num_real"]) for g in generation]

    def at(values: list[float]) -> float:
        u = min(max(math.log(num_real), sizes[0]), sizes[-1])
        place = axis(sizes, u) if len(sizes) > 1 else None
        if place is None:
            return values[0]
        i, t = place
        return (1 - t) * values[i] + t * values[i + 1]

    trained = at([g["generator_seconds"] or 0.0 for g in generation])  # null in older files
    return trained + num_synthetic * at([g["seconds_per_image"] for g in generation])


def cost(generation: Sequence[Json], costs: Costs, num_real: int, num_synthetic: int) -> float:
    """The cost of the real images that are not owned yet, of the synthetic images, and of generating these."""
    computing = costs.core_hour / 3600 * generation_seconds(generation, num_real, num_synthetic)
    return costs.real * max(num_real - costs.have, 0) + costs.synthetic * num_synthetic + computing


def _allowed(grid: Json, have: int, num_synthetic: int) -> tuple[int, int]:
    """The smallest and largest num_real inside the measured range for one amount; if they cross, there is none."""
    low, high = grid["measured_num_real"] if num_synthetic else grid["measured_real_only"]
    least = math.ceil(num_synthetic / grid["measured_multiple"] * (1 - SLACK))
    return max(int(low), least, have), int(high)


def _real_needed(grid: Json, target: float, have: int, num_synthetic: int) -> int | None:
    """The smallest num_real inside the measured range whose expected error is at most ``target``."""
    low, high = _allowed(grid, have, num_synthetic)
    if low > high:
        return None
    wanted = math.log(target) + SLACK
    inner = [n for n in grid["num_real"] if low < n < high]
    left, left_error = float(low), _log_error(grid, low, num_synthetic)
    if left_error <= wanted:
        return low
    for right in (*inner, float(high)):
        right_error = _log_error(grid, right, num_synthetic)
        if right_error <= wanted:
            t = (left_error - wanted) / (left_error - right_error)
            crossing = math.exp(math.log(left) + t * math.log(right / left))
            return min(math.ceil(crossing * (1 - SLACK)), high)
        left, left_error = right, right_error
    return None


def _log_error(grid: Json, num_real: float, num_synthetic: float) -> float:
    error = interpolate(grid, "error", num_real, num_synthetic)
    return math.inf if error is None else math.log(error)


def _first_amounts(grid: Json) -> list[int]:
    v, first = log_amounts(grid), grid["num_synthetic"][1]
    steps = [v[j] + (v[j + 1] - v[j]) * k / SUBDIVISIONS for j in range(len(v) - 1) for k in range(SUBDIVISIONS)]
    most = int(grid["measured_num_synthetic"])
    amounts = {_whole(first * math.expm1(step)) for step in steps}
    return sorted({s for s in amounts if s <= most} | {most})


def _whole(value: float) -> int:
    """Round to the nearest integer, halves upwards, like JavaScript's Math.round."""
    return math.floor(value + 0.5)


def cheapest(grid: Json, generation: Sequence[Json], target: float, costs: Costs) -> Answer:
    """The cheapest mix inside the measured range whose expected error is at most ``target`` (a fraction).

    The search is described at the top of this file.
    """

    def mix(amount: int) -> Mix | None:
        n = _real_needed(grid, target, costs.have, amount)
        if n is None:
            return None
        return Mix(n, amount, cost(generation, costs, n, amount), estimate(grid, "error", n, amount))

    def lowest(mixes: Iterable[Mix | None]) -> Mix | None:
        return min((m for m in mixes if m), key=lambda m: (m.cost, m.num_synthetic), default=None)

    amounts = _first_amounts(grid)
    best = lowest(map(mix, amounts))
    for _ in range(ROUNDS):
        if best is None:
            break
        i = amounts.index(best.num_synthetic)
        low, high = amounts[max(i - 1, 0)], amounts[min(i + 1, len(amounts) - 1)]
        around = ((low, best.num_synthetic), (best.num_synthetic, high))
        amounts = sorted({_whole(a + (b - a) * k / SUBDIVISIONS) for a, b in around for k in range(SUBDIVISIONS + 1)})
        best = lowest(map(mix, amounts))
    return Answer(best, mix(0), None if best else _reached(grid, generation, costs))


def _reached(grid: Json, generation: Sequence[Json], costs: Costs) -> Mix | None:
    """The mix with the lowest error at the grid's sizes and the first amounts, inside the measured range."""
    points = []
    for amount in _first_amounts(grid):
        low, high = _allowed(grid, costs.have, amount)
        sizes = [n for n in grid["num_real"] if low < n < high]
        points += [(_log_error(grid, n, amount), amount, n) for n in (low, *sizes, high) if low <= high]
    if not points:
        return None
    _, amount, n = min(points)
    n = math.ceil(n)
    return Mix(n, amount, cost(generation, costs, n, amount), estimate(grid, "error", n, amount))
