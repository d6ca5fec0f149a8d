"""``--plan``: what a gain takes here in draws, seeds and test images, what that costs, and what the grid can show."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from synaug_ray.analysis.power import (
    MOST_DRAWS,
    Amount,
    Design,
    Noise,
    Power,
    Rule,
    cheapest_seeds,
    draws_needed,
    power,
)
from synaug_ray.analysis.power_noise import noise_of
from synaug_ray.analysis.study_key import StudyKey
from synaug_ray.common.errors import Problem
from synaug_ray.common.text import duration
from synaug_ray.config.spec import GridSpec
from synaug_ray.data.audit.detectable_gain import DISCORDANCE
from synaug_ray.data.image_counts import copies_uncounted, count_test_images, in_proportion
from synaug_ray.plan.plan import Plan, make_plan, pending
from synaug_ray.runs.cost import RecordedRates, costs
from synaug_ray.runs.run import Run
from synaug_ray.runs.tables import family_of, measurements, predictions, share_name
from synaug_ray.runs.timings import Shape, Timings
from synaug_ray.store.run_folder import VERDICT

# Where nothing is measured: the audit's discordance, at the errors it is meant for, and the rest in the middle of what
# the runs of tests/benchmarks/laws/power.md had.
ASSUMED = Noise(error=0.15, discordance=DISCORDANCE, image=0.05, draw=0.35, spread=0.05)
UNKNOWN_TEST = (100,) * 10  # test images by class, where only a download tells
MORE_TEST = (2, 4, 8, 16, 32)  # times the test images


@dataclass(frozen=True)
class Wanted:
    """What ``--plan`` asks: a gain as a fraction, the power, and test images in all (None: those of the data)."""

    gain: float
    power: float
    test: int | None


def power_lines(
    run: Run, missing: Plan, shape: Shape | None, timed: Timings, wanted: Wanted, cache: Path
) -> Iterator[str]:
    """The lines of ``--plan``, each as soon as it is known.

    Args:
        missing: what the grid as it is has still to do.
        shape: of an image, [C, H, W], if known from the grid alone.
        timed: timings of this machine.
    """
    test, where = _test(run, wanted.test, cache)
    noise, at, source = _noise(run)
    amounts = _amounts(run.plan)
    said, often = f"{100 * wanted.gain:g} point{'' if wanted.gain == 0.01 else 's'}", f"{wanted.power:.0%}"
    if not amounts:
        yield "plan     no cell has synthetic images, so that there is no gain to plan for; give synthetic_multiples"
        return
    design = Design(amounts, run.spec.draws, run.spec.seeds, test, noise, at)
    rule = Rule(run.spec.confidence, run.spec.delta / 100, run.spec.relative_delta, wanted.power)
    yield f"plan     to show a gain of {said} with {often} power (a generator that has it is said to help so often)"
    now = power(design, wanted.gain, rule)
    none = power(design, 0.0, rule).no_effect
    yield _row("as it is", design, _cost(run, run.plan, missing, shape, timed))
    yield _indented(_shows(now, said, often, none))
    likely = design.draws * (now.smallest / wanted.gain) ** 2 if math.isfinite(now.smallest) else 8.0
    own = draws_needed(design, wanted.gain, rule, start=round(min(likely, MOST_DRAWS)))
    if own is not None:
        name = "enough" if own <= design.draws else "more draws"
        yield _row(name, replace(design, draws=own), _designed(run, own, design.seeds, shape, timed))
    else:
        yield _indented(f"more than {MOST_DRAWS} draws with these seeds and test images")
    if own is None or own > design.draws:
        yield from _seeded(run, design, own, wanted.gain, rule, shape, timed)
        yield _tested(design, wanted.gain, rule)
    yield _indented(f"assumed: {where}; {source}")
    if run.spec.data.group:
        yield _indented("and that images of one group (data.group) are as different as others: it may take more")
    if design.draws > 1 and (told := _so_far(run)):
        yield _indented(told)


def _row(name: str, design: Design, cost: str) -> str:
    seeds = f"{design.seeds} seed{'' if design.seeds == 1 else 's'}"
    draws = f"{design.draws} draw{'' if design.draws == 1 else 's'}"
    return f"{name:<12} {f'{draws} x {seeds}, {design.images:,} test images':<38}{cost}"


def _indented(text: str) -> str:
    return f"{'':<13}{text}"


def _shows(now: Power, said: str, often: str, none: float) -> str:
    if now.smallest == float("inf"):
        return "one draw gives no interval, and so no verdict: it shows no gain of any size"
    return (
        f"shows a gain of {said} {now.helps:.0%} of the time (± {now.error():.0%}), and with {often} power one of "
        f"{100 * now.smallest:.1f} points; where there is none, says so {none:.0%} of the time"
    )


def _seeded(
    run: Run, design: Design, own: int | None, gain: float, rule: Rule, shape: Shape | None, timed: Timings
) -> Iterator[str]:
    """The number of seeds that shows the gain at the least cost, if it is another than the grid's and does so cheaper.

    Args:
        own: the draws that it takes with the grid's seeds; None for more than ``MOST_DRAWS``.
    """

    def seconds(draws: int, seeds: int, *, all_of_it: bool = False) -> float:
        plan = _grid_with(run, draws, seeds)
        return _seconds(run, plan, plan if all_of_it else pending(plan, run.store), shape, timed)[0]

    once, twice = (seconds(design.draws, times * design.seeds, all_of_it=True) for times in (1, 2))
    if not 0 < twice - once < once:  # the costs of trials, or of all else, are unknown
        return
    trials = twice - once
    seeds = cheapest_seeds(design.noise, design.images, (once - trials) / (trials / design.seeds))
    if seeds == design.seeds:
        return
    seeded = replace(design, seeds=seeds)
    draws = draws_needed(seeded, gain, rule, start=own or MOST_DRAWS)
    if draws is not None and (own is None or seconds(draws, seeds) < seconds(own, design.seeds)):
        name = "more seeds" if seeds > design.seeds else "fewer seeds"
        yield _row(name, replace(seeded, draws=draws), _designed(run, draws, seeds, shape, timed))


def _tested(design: Design, gain: float, rule: Rule) -> str:
    """More test images at the draws and seeds of the grid."""
    for times in MORE_TEST if design.draws > 1 else ():
        more = replace(design, test=tuple(times * count for count in design.test))
        if power(more, gain, rule).helps >= rule.wanted:
            return _row("more tests", more, "no more computing, but labels")
    return _indented(
        f"with {design.draws} draws, {MORE_TEST[-1]} times the test images do not show it: more draws are needed"
    )


def _designed(run: Run, draws: int, seeds: int, shape: Shape | None, timed: Timings) -> str:
    """The cost of what is missing of the grid with other draws and seeds."""
    plan = _grid_with(run, draws, seeds)
    return _cost(run, plan, pending(plan, run.store), shape, timed)


def _grid_with(run: Run, draws: int, seeds: int) -> Plan:
    """The grid with other draws and seeds."""
    blocks = tuple({k: v for k, v in block.items() if k not in ("draws", "seeds")} for block in run.spec.blocks)
    spec: GridSpec = run.spec.model_copy(update={"draws": draws, "seeds": seeds, "blocks": blocks})
    return make_plan(spec, run.plan.data)


def _seconds(run: Run, plan: Plan, some: Plan, shape: Shape | None, timed: Timings) -> tuple[float, int, int]:
    """Seconds of ``some`` of the plan's steps, how many they are, and of how many of them the cost is unknown."""
    table = costs(RecordedRates(plan, run.store), some, shape, timed.figures).values()
    return sum(cost.seconds for cost in table), sum(cost.steps for cost in table), sum(cost.unknown for cost in table)


def _cost(run: Run, plan: Plan, missing: Plan, shape: Shape | None, timed: Timings) -> str:
    seconds, steps, unknown = _seconds(run, plan, missing, shape, timed)
    if not steps:
        return "nothing to do"
    if not seconds:
        return "cost unknown"
    return f"{'at least' if unknown else 'about'} {duration(seconds)} of one {timed.unit}"


def _test(run: Run, given: int | None, cache: Path) -> tuple[tuple[int, ...], str]:
    """Test images by class, and a word on them."""
    known = count_test_images(run.plan.data, cache)
    if given is None and known is None:
        return UNKNOWN_TEST, f"{sum(UNKNOWN_TEST):,} test images, as the data are not here yet (--test-images says)"
    if known is None:
        known = UNKNOWN_TEST
    if given is None:
        copies = ", less the copies of training images among them (data.duplicates); the audit counts them"
        fewer = copies if copies_uncounted(run.plan.data, cache) else ""
        return known, f"{sum(known):,} test images, as in the data{fewer}"
    counts = in_proportion(given, known)
    return counts, f"{sum(counts):,} test images, as given"


def _noise(run: Run) -> tuple[Noise, dict[int, Noise], str]:
    """The noise, that by size, and a word on where it comes from."""
    measured: tuple[Noise, dict[int, Noise]] = (ASSUMED, {})
    if run.store.keys("trial") & set(run.plan.trials):
        table = measurements(run.spec, run.plan, run.store)
        predicted = predictions(run.plan, run.store)
        if len(predicted):
            measured = noise_of(table, predicted, ASSUMED)
    noise, at = measured
    from_where = "measured in the trials that are done" if at else "not measured yet"
    return (
        noise,
        at,
        f"real-only error {noise.error:.0%}, two classifiers differ on {noise.discordance:.0%} of the test images, and "
        f"true gains vary between draws and generators by ±{100 * noise.spread * noise.error:.1f} points "
        f"({from_where})",
    )


def _amounts(plan: Plan) -> tuple[Amount, ...]:
    found = {}
    for row in plan.rows:
        cell = row.cell
        if cell.generator is not None and cell.num_synthetic and cell.num_real:  # at 0 there is no gain
            share = share_name(cell.protocol, cell.real_share, cell.real_weight)
            study = StudyKey(cell.classifier.name, cell.arm, cell.protocol, share)
            amount = Amount(study, family_of(cell), cell.num_real, cell.num_synthetic)
            found[study, amount.num_real, amount.num_synthetic] = amount
    return tuple(found.values())


def _so_far(run: Run) -> str:
    """What the results so far say of the draws that would decide them, from gains shrunken towards zero."""
    try:
        verdicts = (run.folder.read_json(VERDICT) or {}).get("verdicts") or ()
    except Problem:
        return ""
    undecided = [v for v in verdicts if v.get("outcome") == "undecided"]
    draws = sorted(v["deciding_draws"] for v in undecided if v.get("deciding_draws"))
    if not undecided:
        return ""
    told = f"of the results so far, {len(undecided)} verdict{'' if len(undecided) == 1 else 's'} undecided"
    if not draws:
        return f"{told}; no number of draws decides them with 80% power"
    span = f"{draws[0]:,}" if draws[0] == draws[-1] else f"{draws[0]:,} to {draws[-1]:,}"
    return f"{told}; by the gains measured, shrunken, {span} draws decide {len(draws)} of them with 80% power"
