"""Exchange rates: how many synthetic images one more real image is worth, from fitted laws.

There are two different questions. *Replacement*: how many synthetic images have the same effect as one more real image
in a real-only set (``marginal`` and ``average``, from r alone). *Trade-off at the working point*: (dE/dn) / (dE/ds) at
(n, s), which also credits a real image with improving the generator.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from synaug_ray.analysis.advice.rate_precision import TOO_WIDE, UNDECIDED, UNKNOWN, decided_sizes, undecided, vague
from synaug_ray.analysis.cells.measured_rates import Slopes
from synaug_ray.analysis.results import Cell, Exchange
from synaug_ray.analysis.verdict_text import multiple
from synaug_ray.laws.averaging import WeightedLaw
from synaug_ray.laws.bootstrap import interval
from synaug_ray.laws.equivalence import EquivalenceForm, Natural
from synaug_ray.laws.results import Estimate

NOT_ESTIMABLE = f"{UNKNOWN}: more real images are not shown to help"
IMPRECISE = f"{UNKNOWN}: {TOO_WIDE}"
OPEN = f"{UNKNOWN}: {UNDECIDED}"
OPPOSED = f"{UNKNOWN}: the measurement contradicts the fitted laws here"
LEAST_SLOPE = 1e-9  # real images per synthetic one; smaller slopes, as of a saturated law, count as "not reachable"


def rates(
    form: EquivalenceForm, parameters: Natural, n: np.ndarray, n0: float, amount: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Marginal rate ds/dr, average rate s/r and limit in real images, each [B, W], at working points n, amount [W].

    inf means "not reachable": no further synthetic images (marginal), or not this amount (average), are worth a real
    one. The limit is inf if the law is unbounded.
    """
    x, s = n / n0, amount / n
    slope = form.slope(parameters, x, s)
    r = form.r(parameters, x, s)
    limit = np.broadcast_to(form.limit(parameters, x) * n, r.shape)
    out_of_reach = (slope < LEAST_SLOPE) | (r * n + 1 > limit)
    marginal = np.where(out_of_reach, np.inf, 1 / np.where(out_of_reach, 1.0, slope))
    average = np.where(r > 0, s / np.where(r > 0, r, 1.0), np.inf)
    return marginal, average, limit


def rates_of_slopes(slope: np.ndarray) -> np.ndarray:
    """1 / slope; inf if synthetic images do not help."""
    return np.where(slope < LEAST_SLOPE, np.inf, 1 / np.maximum(slope, LEAST_SLOPE))


def growth(form: EquivalenceForm, parameters: Natural, n: np.ndarray, n0: float, amount: np.ndarray) -> np.ndarray:
    """1 + dm/dn at constant num_synthetic, at least 0: the worth of a real image that also trains the generator."""
    x, s = n / n0, amount / n
    dm_dn = form.r(parameters, x, s) + x * form.slope_in_x(parameters, x, s) - s * form.slope(parameters, x, s)
    return np.maximum(1 + dm_dn, 0.0)


def tradeoff(form: EquivalenceForm, parameters: Natural, n: np.ndarray, n0: float, amount: np.ndarray) -> np.ndarray:
    """(dE/dn) / (dE/ds) at n [W] real and ``amount`` [W] synthetic images, [B, W]; inf if synthetic images do not help.

    In J1 both derivatives contain E_real' at n + m, with m = n r(n, s/n), so that the curve cancels:
    (1 + dm/dn) / (dm/ds). It is 0 if another real image does not help.
    """
    slope = form.slope(parameters, n / n0, amount / n)
    helps = slope >= LEAST_SLOPE
    return np.where(helps, growth(form, parameters, n, n0, amount) / np.where(helps, slope, 1.0), np.inf)


def median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted lower median over the first axis of values [L, ...], which may be infinite."""
    order = np.argsort(values, axis=0, kind="stable")
    reached = np.cumsum(weights[order], axis=0) >= 0.5 * weights.sum() - 1e-12
    return np.take_along_axis(values, np.take_along_axis(order, reached.argmax(axis=0)[None], axis=0), axis=0)[0]


def _estimate(value: float, samples: list[np.ndarray], confidence: float) -> Estimate:
    low, high = interval(np.concatenate(samples), confidence) if samples else (None, None)
    return Estimate(value if np.isfinite(value) else None, low, high)


def _spanned(value: float, ends: list[list[np.ndarray]], confidence: float) -> Estimate:
    """An estimate whose lower end is from the first samples, and whose upper end is from the second."""
    first, second = (_estimate(value, samples, confidence) for samples in ends)
    return Estimate(first.value, first.low, second.high)


def not_estimable(n: int, num_synthetic: int, note: str = NOT_ESTIMABLE) -> Exchange:
    """The exchange if the value of a real image is itself unknown."""
    return Exchange(
        num_real=n,
        num_synthetic=num_synthetic,
        marginal=Estimate(None),
        average=Estimate(None),
        reachable=True,
        limit=None,
        note=note,
    )


def as_measured(found: Exchange, cell: Cell, refused: str = "") -> Exchange:
    """The exchange with the cell's own measured average rate, and without the laws' rates if the laws are ``refused``.

    The laws' average rate is kept if m is unknown, because the real-only curve was not measured there.
    """
    m, s = cell.equivalent, cell.num_synthetic
    if refused:
        found = not_estimable(cell.num_real, cell.num_synthetic, f"{UNKNOWN}: {refused}")
    if m.value is None:
        return found
    if m.low is None and m.high is None and cell.gain.low is None:  # no intervals at all
        average = Estimate(s / m.value if m.value > 0 else None)
    else:
        least = 0.0 if m.high is None else (s / m.high if m.high > 0 else None)
        average = Estimate(s / m.value if m.value > 0 else None, least, s / m.low if m.low and m.low > 0 else None)
    return dataclasses.replace(found, average=average)


def precise(found: Exchange, drawn: bool) -> Exchange:
    """The exchange without the rates that are vague; its note says why, once.

    Args:
        drawn: whether there are intervals.
    """
    without = {
        name: Estimate(None) for name in ("marginal", "average", "tradeoff") if vague(getattr(found, name), drawn)
    }
    if not without:
        return found
    said = IMPRECISE if "marginal" in without else f"on average {IMPRECISE}" if "average" in without else ""
    return dataclasses.replace(found, note="; ".join(filter(None, (found.note, said))), **without)


def withheld_at(found: Iterable[Exchange]) -> tuple[tuple[int, int, tuple[str, ...]], ...]:
    """(num_real, num_synthetic, rates) of the cells of which ``precise`` withholds rates."""
    return tuple(
        (e.num_real, e.num_synthetic, tuple(n for n in ("average", "marginal") if getattr(e, n).value is None))
        for e in found
        if IMPRECISE in e.note
    )


def opposed(gain: Estimate, found: Exchange) -> bool:
    """Whether the laws predict a gain although the images significantly hurt, or none although they significantly help.

    Args:
        gain: measured in the cell, with its simultaneous interval.
    """
    if gain.low is None or gain.high is None:
        return False
    counted = found.average.value is not None
    return (gain.high < 0 and counted) or (gain.low > 0 and not counted)


def exchange(
    laws: list[WeightedLaw], n: int, num_synthetic: int, n0: float, confidence: float, slopes: Slopes | None = None
) -> Exchange:
    """The exchange rate at n real and ``num_synthetic`` synthetic images, averaged over laws.

    The value is the weighted median over laws; the interval is from the replicates of all laws together, and so
    includes the choice of the law. With measured ``slopes``, the marginal rate is from these, and so is the trade-off,
    except for the effect of a real image on the generator, which is from the laws. An interval without an upper end
    includes "not reachable"; without either end, nothing is known.
    """
    at, amount = np.array([float(n)]), np.array([float(num_synthetic)])

    def answers(law: WeightedLaw, theta: np.ndarray) -> np.ndarray:
        own = law.law(theta)
        columns = (*rates(law.form, own, at, n0, amount), tradeoff(law.form, own, at, n0, amount))
        return np.stack([column[:, 0] for column in columns])

    weights = np.array([law.weight for law in laws])
    points = np.stack([answers(law, law.theta)[:, 0] for law in laws])
    drawn = [answers(law, law.thetas) for law in laws if law.thetas is not None]
    marginal, average, limit, trade = (float(v) for v in median(points, weights))
    marginals = [[d[0] for d in drawn]] * 2
    trades = [[d[3] for d in drawn]] * 2
    if slopes is not None:
        grown = median(np.array([growth(law.form, law.law(law.theta), at, n0, amount)[0, 0] for law in laws]), weights)
        marginal = float(rates_of_slopes(np.array(slopes.value)))
        trade = float(grown) * marginal
        if slopes.low is not None and slopes.high is not None:
            ends = [
                (growth(law.form, law.law(law.thetas), at, n0, amount)[:, 0], law.rows)
                for law in laws
                if law.thetas is not None and law.rows is not None
            ]
            marginals = [[rates_of_slopes(side)] for side in (slopes.high, slopes.low)]
            trades = [
                [np.maximum(g, 1e-12) * rates_of_slopes(side[rows]) for g, rows in ends]
                for side in (slopes.high, slopes.low)
            ]
    reachable = bool(np.isfinite(marginal))
    bound = limit if np.isfinite(limit) else None
    note = ""
    if not reachable and bound is not None and bound >= 0.5:
        note = f"not reachable: no amount replaces more than {bound:,.0f} real images"
    elif not reachable:
        note = "not reachable: further synthetic images replace no real image here"
    return Exchange(
        num_real=n,
        num_synthetic=num_synthetic,
        marginal=_spanned(marginal, marginals, confidence),
        average=_estimate(average, [d[1] for d in drawn], confidence),
        reachable=reachable,
        limit=bound,
        note=note,
        limit_interval=_estimate(limit, [d[2] for d in drawn], confidence),
        tradeoff=_spanned(trade, trades, confidence),
    )


def exchanges(
    cells: tuple[Cell, ...],
    laws: list[WeightedLaw],
    n0: float,
    confidence: float,
    steep: Mapping[tuple[float, float], Slopes],
    misfit: str,
) -> tuple[tuple[Exchange, ...], list[str]]:
    """Exchange rates at the cells, and warnings; none where the size is undecided or the cell contradicts the laws.

    With a ``misfit`` of the laws, there are only the cells' own measured average rates.
    """
    found, against, warnings = [], [], []
    sizes, drawn = decided_sizes(cells), any(law.thetas is not None for law in laws)
    for cell in cells:
        at = cell.num_real, cell.num_synthetic
        if undecided(sizes, cell.num_real):
            found.append(not_estimable(*at, f"{UNKNOWN}: {misfit}" if misfit else OPEN))
            continue
        rate = exchange(laws, *at, n0, confidence, steep.get(at))
        if opposed(cell.gain_simultaneous, rate):
            rate = not_estimable(*at, OPPOSED)
            against.append(f"{multiple(cell.synthetic_multiple)} at {cell.num_real:,}")
        else:
            rate = precise(as_measured(rate, cell, misfit), drawn)
        found.append(rate)
    if against:
        warnings.append(
            f"{', '.join(against)} {'contradicts' if len(against) == 1 else 'contradict'} the fitted laws, which "
            "predict the opposite effect: no exchange rate is given there, and the calculator, which uses the laws, is "
            "unreliable nearby."
        )
    return tuple(found), warnings
