"""An Analysis with planted curves, in the schema of ``synaug_ray.analysis.results``."""

from __future__ import annotations

import math
from collections.abc import Callable

from synaug_ray.analysis.results import (
    Analysis,
    Cell,
    Censoring,
    CurvePoint,
    Exchange,
    Generation,
    Outcome,
    PredictionGrid,
    RealCurve,
    Rows,
    Study,
    Verdict,
)
from synaug_ray.laws.results import Estimate, FitStatus, HeldOut, LawFit

SIZES = (50, 100, 200, 400, 800)


MULTIPLES = (0.5, 1.0, 2.0, 4.0, 8.0)


DELTA = 0.01


def real_error(n: float) -> float:
    return 0.012 + 2.9 * n**-0.82


def inverse(error: float) -> float:
    return ((error - 0.012) / 2.9) ** (-1 / 0.82)


def wobble(*key: float) -> float:
    """Noise in [-1, 1] that is the same in all runs."""
    return math.sin(12.9898 * sum((i + 1) * k for i, k in enumerate(key)))


def estimate(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, value + half)


def make_cell(n: int, k: float, gain: float) -> Cell:
    base, noise = real_error(n), 0.9 * n**-0.75
    gain += 0.4 * noise * wobble(n, k)
    error = base - gain
    censoring = Censoring.NONE
    if error < real_error(max(SIZES)):
        censoring = Censoring.ABOVE
    elif error > real_error(min(SIZES)):
        censoring = Censoring.BELOW
    m = {
        Censoring.NONE: estimate(inverse(error) - n, 0.35 * n) if error > 0.012 else Estimate(None),
        Censoring.ABOVE: Estimate(None, low=float(max(SIZES) - n)),
        Censoring.BELOW: Estimate(None, high=float(min(SIZES) - n)),
    }[censoring]
    return Cell(
        num_real=n,
        num_synthetic=int(k * n),
        synthetic_multiple=k,
        trials=12,
        error=estimate(error, noise / 2),
        gain=estimate(gain, noise / 2),
        gain_simultaneous=estimate(gain, noise),
        equivalent=m,
        censoring=censoring,
        held_out=n == max(SIZES) or k == max(MULTIPLES),
        predicted_error=error * (1 + 0.05 * wobble(k, n)),
    )


def make_fit(form: str, formula: str, names: tuple[str, ...], status: FitStatus) -> LawFit:
    return LawFit(
        form=form,
        formula=formula,
        source="arXiv 2508.09550" if form == "F1" else "bounded, after Muennighoff et al.",
        parameters={p: estimate(0.31 + i, 0.11) for i, p in enumerate(names)},
        units={p: "1/image" for p in names[:1]},
        status=status,
        share_of_starts=0.75,
        rmse_log_error=0.0421,
        aicc=-81.4,
        held_out=HeldOut(9, 0.063, 0.412, 0.138, 0.889),
    )


def make_study(generator: str, real_share: str, strength: float, harm: float) -> Study:
    cells = tuple(
        make_cell(n, k, strength * 60 / n * (1 - math.exp(-k)) - harm * k / 8) for n in SIZES for k in MULTIPLES
    )
    exchange = tuple(
        Exchange(
            n,
            n,
            estimate(1.6 * (n / 50) ** 0.9 + 1.1, 0.7) if strength > 0.05 else Estimate(None),
            estimate(1.3 * (n / 50) ** 0.9 + 1, 0.5) if strength > 0.05 else Estimate(None),
            reachable=n < 800,
            limit=2.0 * n,
            note="" if n < 800 else "no amount replaces more than 1,600",
            limit_interval=Estimate(2.0 * n, 1.5 * n, None),
            tradeoff=estimate(3.1 * (n / 50) ** 0.4, 0.9) if strength > 0.05 else Estimate(None),
        )
        for n in SIZES
    )
    fits = (
        make_fit("F1", "r = ln(1 + s·exp(−λn)) / ln c2", ("lambda", "c2"), FitStatus.CONVERGED),
        make_fit("F3", "r = R0·n^(−b)·(1 − exp(−s/s0))", ("R0", "b", "s0"), FitStatus.AT_BOUND),
    )
    return Study(
        "mlp",
        generator,
        "mixed",
        real_share,
        cells,
        fits,
        "F1" if strength > 0.05 else None,
        exchange,
        family="edm",
        open_set=generator == "edm-open",
        surface=make_grid(strength, harm),
        generation=tuple(Generation(n, 6.5 + n / 100, 0.0011) for n in SIZES),
    )


def make_grid(strength: float, harm: float) -> PredictionGrid:
    """The predictions of the planted curves: effective size n + m, m = n (worth (1 - e^(-k)) - harm k), k = s / n.

    If the gain is small, the marginal rate is not estimable; at the largest sizes it is not reachable.
    """
    sizes = tuple(25.0 * 2 ** (i / 2) for i in range(13))
    amounts = (0.0, *(25.0 * 2 ** (i * 0.9) for i in range(11)))
    worth = 12 * strength

    def over(value: Callable[[float, float], float | None]) -> Rows:
        return tuple(tuple(value(n, s) for s in amounts) for n in sizes)

    def equivalent(n: float, s: float) -> float:
        return n * max(worth * (1 - math.exp(-s / n)) - 0.4 * harm * s / n, -0.6)

    def error(n: float, s: float) -> float:
        return real_error(n + equivalent(n, s))

    def marginal(n: float, s: float) -> float | None:
        slope = worth * math.exp(-s / n) - 0.4 * harm
        return 1 / slope if strength > 0.05 and slope > 0.01 else None

    def rate(factor: float) -> Rows:
        return over(lambda n, s: None if (m := marginal(n, s)) is None else factor * m)

    return PredictionGrid(
        num_real=sizes,
        num_synthetic=amounts,
        measured_num_real=(min(SIZES), max(SIZES)),
        measured_num_synthetic=int(max(MULTIPLES) * max(SIZES)),
        measured_multiple=max(MULTIPLES),
        error=over(error),
        error_low=over(lambda n, s: error(n, s) * (1 - 0.5 * n**-0.3)),
        error_high=over(lambda n, s: error(n, s) * (1 + 0.6 * n**-0.3)),
        equivalent=over(equivalent),
        equivalent_low=over(lambda n, s: equivalent(n, s) - 0.2 * n),
        equivalent_high=over(lambda n, s: None if n > 1000 else equivalent(n, s) + 0.3 * n),
        marginal=rate(1.0),
        marginal_low=rate(0.6),
        marginal_high=over(lambda n, s: None if n > 300 or (m := marginal(n, s)) is None else 1.9 * m),
        measured_real_only=(min(SIZES), max(SIZES)),
    )


def make_verdict(study: Study, n: int) -> Verdict:
    cell = max((c for c in study.cells if c.num_real == n), key=lambda c: c.gain.value or 0)
    low, high = cell.gain_simultaneous.low or 0, cell.gain_simultaneous.high or 0
    outcome = (
        Outcome.HELPS
        if low > 0
        else Outcome.HURTS
        if high < 0
        else Outcome.NO_EFFECT
        if -DELTA < low and high < DELTA
        else Outcome.UNDECIDED
    )
    exchange = next(e for e in study.exchange if e.num_real == n)
    undecided = outcome == Outcome.UNDECIDED
    return Verdict(
        classifier=study.classifier,
        generator=study.generator,
        protocol=study.protocol,
        real_share=study.real_share,
        num_real=n,
        outcome=outcome,
        best_multiple=cell.synthetic_multiple,
        gain=cell.gain_simultaneous,
        equivalent=cell.equivalent,
        exchange=exchange,
        smallest_detectable_gain=0.0142 + 0.4 / n,
        deciding_draws=14 if undecided else None,
        deciding_seconds=840.0 if undecided else None,
        sentence=f"With {n} real images, {study.generator} at {cell.synthetic_multiple:g}x: {outcome.value}.",
    )


def make_analysis() -> Analysis:
    studies = (
        make_study("edm", "proportional", 0.015, 0.02),
        make_study("edm", "0.5", 0.02, 0.01),
        make_study("edm-open", "proportional", 0.10, 0.0),
        make_study("edm-open", "0.5", 0.12, 0.0),
    )
    points = tuple(CurvePoint(n, estimate(real_error(n), 0.5 * n**-0.75)) for n in SIZES)
    line = tuple(
        CurvePoint(
            50 * 16 ** (i / 24),
            estimate(real_error(50 * 16 ** (i / 24)), 0.3 * (50 * 16 ** (i / 24)) ** -0.75),
        )
        for i in range(25)
    )
    real = RealCurve(
        "mlp",
        "power law with floor",
        (
            make_fit("power law with floor", "E = E∞ + A·n^(−α)", ("E_inf", "A", "alpha"), FitStatus.CONVERGED),
            make_fit("power law", "E = A·n^(−α)", ("A", "alpha"), FitStatus.NOT_IDENTIFIABLE),
        ),
        points,
        line,
    )
    return Analysis(
        error="test_error",
        confidence=0.9,
        delta=DELTA,
        draws=6,
        seeds=2,
        test_images=590,
        replicates=2000,
        num_classes=10,
        warnings=("A bootstrap over 6 draws covers about 84 % where it says 90 %; the intervals are widened for it.",),
        real=(real,),
        studies=studies,
        verdicts=tuple(make_verdict(s, n) for s in studies for n in SIZES),
        headline="With 100 real images, 4× synthetic images from edm-open save 5.6 points of error "
        "[+2.8, +8.4]: worth about 150 more real images. Beyond 400 no gain was detectable.",
    )
