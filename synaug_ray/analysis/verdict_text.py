"""Verdicts in sentences, for a person who decides whether to collect or to generate.

Gains and losses are in points: 1 point is 0.01 of error.
"""

from __future__ import annotations

from synaug_ray.analysis.deciding import Deciding
from synaug_ray.analysis.generators import CONTROLS, opened_by
from synaug_ray.analysis.mixing import local_replacement, share_and_weight, tells_of_adding, with_teacher
from synaug_ray.analysis.results import Cell, Exchange, Outcome, Verdict
from synaug_ray.common.text import fixed, listed, long_duration
from synaug_ray.config.protocols import LOCAL, SOFT, SYNTHETIC_ONLY
from synaug_ray.laws.results import Estimate


def points(value: float) -> str:
    """A difference of errors in points, with its sign."""
    return fixed(100 * value, "+.1f")


def margin(delta: float) -> str:
    """A margin of effects: 0.01 -> '1 point', 0.025 -> '2.5 points'."""
    return f"{100 * delta:g} point" + ("" if f"{100 * delta:g}" == "1" else "s")


def shown_margin(delta: float, relative_delta: float | None) -> str:
    """The margin of a whole analysis: absolute in points, or relative to the real-only error of each size."""
    return margin(delta) if relative_delta is None else f"{100 * relative_delta:g}% of the real-only error"


def span(estimate: Estimate, scale: float = 100.0, form: str = "+.1f") -> str:
    """An interval in words: '+1.0 to +2.0', or 'at least +1.0' where an end is open."""
    low = None if estimate.low is None else fixed(scale * estimate.low, form)
    high = None if estimate.high is None else fixed(scale * estimate.high, form)
    if low is None and high is None:
        return "no interval"
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def negated(estimate: Estimate) -> Estimate:
    """A gain as a loss, and the reverse."""
    value, low, high = (None if end is None else -end for end in (estimate.value, estimate.high, estimate.low))
    return Estimate(value, low, high)


def multiple(value: float) -> str:
    """An amount of synthetic images: '4 per real one'."""
    return f"{value:g} per real one"


def adding(value: float, protocol: str) -> str:
    """What is done with an amount of synthetic images, as the subject of a sentence, in the singular."""
    images = f"{value:g} synthetic image{'' if value == 1 else 's'} per real one"
    return f"training on {images}, and on no real ones," if protocol == SYNTHETIC_ONLY else f"adding {images}"


def setting(real_share: str, protocol: str) -> str:
    """How the images were mixed, as a short clause."""
    if protocol == LOCAL:
        return local_replacement(real_share)
    if protocol == SOFT:
        return with_teacher(setting(real_share, "mixed"))
    if protocol != "mixed":
        return protocol
    share, weight = share_and_weight(real_share)
    weighted = f", weighted {weight}" if weight else ""
    if share in ("proportional", "none"):
        return f"mixed in proportion{weighted and f', real images{weighted[1:]}'}"
    try:
        return f"{100 * float(share):.0f}% real in each batch{weighted}"
    except ValueError:
        return f"real share {real_share}"


def _worth(equivalent: Estimate, exchange: Exchange | None) -> str:
    text = ""
    if equivalent.value is not None:
        text = f", worth about {equivalent.value:,.0f} more real images ({span(equivalent, 1, ',.0f')})"
    elif equivalent.low is not None and equivalent.low > 0:
        text = f", worth at least {equivalent.low:,.0f} more real images"
    if exchange is not None and exchange.reachable and exchange.marginal.value is not None:
        interval = span(exchange.marginal, 1, ",.1f")
        text += f"; there one more real image is worth {exchange.marginal.value:,.1f} synthetic ones ({interval})"
    elif exchange is not None and exchange.note:
        text += f"; the exchange rate there is {exchange.note}"
    return text


def verdict_sentence(
    outcome: Outcome,
    generator: str,
    protocol: str,
    real_share: str,
    cell: Cell,
    exchange: Exchange | None,
    *,
    also_hurts: float | None,
    delta: float,
    error: float,
    too_wide: bool,
    detectable: float,
    deciding: Deciding | None,
    deciding_seconds: float | None,
    draws: int,
    why_undecided: str,
) -> str:
    """One or two lines. ``cell`` is the amount the verdict is about; gains with simultaneous intervals."""
    start = f"At {cell.num_real:,} real images, {generator} ({setting(real_share, protocol)})"
    gain = cell.gain_simultaneous
    value = gain.value or 0.0
    amount = multiple(cell.synthetic_multiple)
    if outcome is Outcome.HELPS:
        more = f" {adding(also_hurts, protocol).capitalize()} hurts." if also_hurts is not None else ""
        return (
            f"{start} helps: {adding(cell.synthetic_multiple, protocol)} lowers the error by {100 * value:.1f} points "
            f"({span(gain)}){_worth(cell.equivalent_simultaneous, exchange)}.{more}"
        )
    if outcome is Outcome.HURTS:
        return (
            f"{start} hurts: {adding(cell.synthetic_multiple, protocol)} raises the error by {-100 * value:.1f} points "
            f"({span(negated(gain))}), and no measured amount helps."
        )
    if outcome is Outcome.NO_EFFECT:
        return (
            f"{start} has no effect larger than {margin(delta)} in either direction: the largest measured is "
            f"{points(value)} points, with {amount} ({span(cell.gain)})."
        )
    text = f"{start} is undecided: {points(value)} points with {amount} ({span(gain)})."
    if why_undecided:
        return f"{text} {why_undecided}"
    if too_wide:
        return text + (
            f" All lies within ±{margin(delta)}, but the real-only error here is {100 * error:.1f} points: a margin "
            "that large against it shows nothing. Set relative_delta: 0.1 (a tenth of the error), or a smaller delta."
        )
    text += (
        f" Effects smaller than about {100 * detectable:.1f} points could not be detected."
        if detectable < 1
        else " No effect of any size could be detected."  # an error is at most 100%
    )
    if deciding is None or deciding.even is None:
        return text + " More draws would hardly decide it: the test set is too small."
    if deciding.draws is None:
        return text + (
            f" About {deciding.even} draws instead of {draws} give an even chance to decide it; no number of draws "
            "makes it likely with this test set."
        )
    cost = (
        ""
        if deciding_seconds is None
        else f", about {long_duration(deciding_seconds)} of one core or GPU for this verdict alone"
    )
    more = "" if deciding.likely is None else f", {deciding.likely} for 9 in 10"
    return text + (
        f" About {deciding.draws} draws instead of {draws} would decide it with a chance of 80%{cost} "
        f"({deciding.even} draws for an even chance{more})."
    )


def failure_sentence(failed: int, tried: int, gain: float) -> str:
    """What failed generators mean for a verdict, as a sentence that follows it."""
    return (
        f" This is given that the generator trains: {failed} of {tried} did not ({100 * failed / tried:.0f}%). With "
        f"the worst gain seen in their place it would be {points(gain)} points."
    )


def _example(verdict: Verdict, mix: bool) -> str:
    loss = verdict.outcome is Outcome.HURTS
    size, form = (negated(verdict.gain), ".1f") if loss else (verdict.gain, "+.1f")
    return (
        f"{fixed(100 * (size.value or 0.0), form)} points, {span(size, form=form)},"
        f" with {multiple(verdict.best_multiple or 0.0)} at {verdict.num_real:,}"
        + (f", {setting(verdict.real_share, verdict.protocol)}" if mix else "")
    )


def _at_odds(verdicts: list[Verdict]) -> bool:
    """Whether synthetic images help in one study and hurt in another at the same number of real images."""
    helped, hurt = ({v.num_real for v in verdicts if v.outcome is o} for o in (Outcome.HELPS, Outcome.HURTS))
    return bool(helped & hurt)


def _clause(name: str, verdicts: list[Verdict]) -> str:
    """One generator's verdicts.

    Classifiers that differ in what is shown for some size have a summary each, and so has each way of mixing where one
    helps and another hurts.
    """
    alike: dict[frozenset[tuple[int, Outcome]], list[str]] = {}
    for classifier in sorted({v.classifier for v in verdicts}):
        shown = frozenset((v.num_real, v.outcome) for v in verdicts if v.classifier == classifier)
        alike.setdefault(shown, []).append(classifier)
    told = []
    for classifiers in alike.values():
        with_these = f"with {listed(classifiers)}, " if len(alike) > 1 else ""
        mine = [v for v in verdicts if v.classifier in classifiers]
        mixes = sorted({setting(v.real_share, v.protocol) for v in mine})
        if len(mixes) == 1 or not _at_odds(mine):
            told.append((with_these, _summary(mine)))
            continue
        parts = {mix: [v for v in mine if setting(v.real_share, v.protocol) == mix] for mix in mixes}
        told += [(f"{with_these}{mix}, ", _summary(part, mix=False)) for mix, part in parts.items()]
    if told[0][0]:
        return f"{name}: " + "; ".join(f"{where}it {summary}" for where, summary in told)
    return f"{name} {told[0][1]}"


def _summary(verdicts: list[Verdict], mix: bool = True) -> str:
    """The verdicts of some studies in one clause. A size counts as helped or hurt if it is so in any of them.

    Args:
        mix: say with each example how the images were mixed.
    """
    by = {outcome: [v for v in verdicts if v.outcome is outcome] for outcome in Outcome}
    sizes = {outcome: {v.num_real for v in by[outcome]} for outcome in Outcome}
    parts: list[str] = []

    def at(of: set[int]) -> str:
        return f"at {listed(f'{n:,}' for n in sorted(of))}" + ("" if parts else " real images")

    if by[Outcome.HELPS]:
        best = max(by[Outcome.HELPS], key=lambda v: v.gain.value or 0.0)
        worth = "" if best.equivalent.value is None else f", worth {best.equivalent.value:,.0f} more real images"
        parts.append(f"helps {at(sizes[Outcome.HELPS])} (largest gain: {_example(best, mix)}{worth})")
    if by[Outcome.HURTS]:
        worst = min(by[Outcome.HURTS], key=lambda v: v.gain.value or 0.0)
        parts.append(f"hurts {at(sizes[Outcome.HURTS])} (largest loss: {_example(worst, mix)})")
    said = sizes[Outcome.HELPS] | sizes[Outcome.HURTS]
    undecided = sizes[Outcome.UNDECIDED] - said
    nothing = sizes[Outcome.NO_EFFECT] - said - undecided
    if nothing:
        parts.append(f"has no effect beyond the margin {at(nothing)}")
    if undecided:
        known = [  # 0 where there is no interval
            v.smallest_detectable_gain
            for v in by[Outcome.UNDECIDED]
            if v.num_real in undecided and v.smallest_detectable_gain > 0
        ]
        least, most = (min(known), max(known)) if known else (0.0, 0.0)
        most = most if least >= 1 else min(most, 1.0)
        reach = f"{100 * most:.1f}" if most < 1.05 * least else f"{100 * least:.1f} to {100 * most:.1f}"
        reach = f"effects below {reach} points" if least < 1 else "effects of any size"
        told = [f"{reach} could not be detected"] if most > 0 else []
        some = undecided & sizes[Outcome.NO_EFFECT]
        if some:  # of several mixes: each has a verdict of its own
            told.insert(0, f"at {listed(f'{n:,}' for n in sorted(some))} without effect in another mix")
        parts.append(f"is undecided {at(undecided)}" + (f" ({'; '.join(told)})" if told else ""))
    return ", ".join(parts)


def at_this_budget(verdicts: list[Verdict]) -> str:
    """What a summary of one generator's verdicts adds; '' where none of them depends on the length of training."""
    told = [v for v in verdicts if v.training is not None and v.training.open]
    if not any(v.outcome in (Outcome.HURTS, Outcome.NO_EFFECT) for v in told):
        return ""
    return ", for this generator at this budget"


def headline(verdicts: tuple[Verdict, ...], unbeaten: dict[str, tuple[str, ...]]) -> str:
    """The analysis in one sentence: learnt generators first, closed-set before open-set.

    ``unbeaten`` lists per generator the simple baselines that it beat in no cell where both ran.
    """
    if not verdicts:
        return "No cell with synthetic images has been measured yet."
    of = {v.generator: [w for w in verdicts if w.generator == v.generator] for v in verdicts}
    of = {name: [v for v in mine if tells_of_adding(v.protocol, v.outcome)] or mine for name, mine in of.items()}
    kinds = {name: (cells[0].family in CONTROLS, all(v.open_set for v in cells)) for name, cells in of.items()}
    generators = sorted(kinds, key=lambda name: (kinds[name], name))
    learnt = [name for name in generators if not kinds[name][0]]
    if not learnt:
        clauses = [_clause(name, of[name]) for name in generators]
        return "Only controls ran: " + "; ".join(clauses) + "."
    clauses = []
    for name in learnt:
        opened = sorted({v.num_real for v in of[name] if v.open_set})
        at = "" if kinds[name][1] else f" at {', '.join(f'{n:,}' for n in opened)}"
        shown = f"{name} (open-set{at}: trained on more real images)" if opened else name
        if not opened and (based := opened_by(of[name][0].family, False)):
            shown = f"{name} ({based})"
        clause = _clause(shown, of[name]) + at_this_budget(of[name])
        if name in unbeaten:
            clause += f", and is not shown to beat {' or '.join(unbeaten[name])}"
        clauses.append(clause)
    return "; ".join(clauses) + "."
