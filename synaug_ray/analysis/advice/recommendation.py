"""One rule for what is recommended, at the sizes that were measured: collect, generate, either, or not known yet.

The page, ``predict``, the calculator and the last line of a run all ask here, so that none of them recommends what
another does not know. Everything is read from the plain JSON of ``laws.json``, ``verdict.json`` and ``quality.json``.

- **Generate** needs a verdict of *helps*, of a generator that a reader can train on the images of that size, and rates
  that are estimable at that point: the value of a real image must be known, and the cell must not contradict the laws.
- **Either** is the same where collecting up to the next measured size was measured to lower the error by more.
- **Collect** needs that no measured amount could help by more than the margin (*no effect*, *hurts*, or undecided
  between the two), and more real images measured to lower the error.
- **Not known yet** is all else, with what to do next; and where the classifiers are hardly better than guessing.

Of several classifiers the advice is about the one that is left with the lowest error: one that stays behind another
without synthetic images (``outdone``) is left out, and one that does so by its value generates nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from synaug_ray.analysis.advice.more_real import Known, more_real, number, real_draws
from synaug_ray.analysis.advice.outdone import error_left, errors_without, not_ahead, outdone
from synaug_ray.analysis.advice.recommendation_budget import at_this_budget
from synaug_ray.analysis.advice.recommendation_no_gain import cannot_help, no_gain
from synaug_ray.analysis.advice.recommendation_results import Advice, Recommendation
from synaug_ray.analysis.advice.recommendation_text import (
    FEW,
    change_clause,
    defects,
    gain_clause,
    mixing,
    next_to_decide,
    of_classifier,
    per_real,
    surety,
    useless,
)
from synaug_ray.analysis.exchange import IMPRECISE, OPPOSED, UNKNOWN
from synaug_ray.analysis.generators import CONTROLS
from synaug_ray.analysis.guessing import REMEDY, guessing, guessing_reason
from synaug_ray.analysis.mixing import tells_of_adding
from synaug_ray.analysis.questions.baselines import BASELINES
from synaug_ray.analysis.study_key import STUDY
from synaug_ray.common.text import long_duration

Json = Mapping[str, Any]
PRETRAINED = "pretrained"  # the one open-set family that a reader has too


def recommendations(
    laws: Json | None, verdicts: Sequence[Json], quality: Json | None = None, draw_seconds: float | None = None
) -> tuple[Recommendation, ...]:
    """One for each measured number of real images, ascending; empty where nothing was judged.

    Args:
        laws: ``laws.json``; None where there is none yet.
        verdicts: those of ``verdict.json``.
        quality: ``quality.json``, for the generators' defects.
        draw_seconds: what one draw of the whole grid took of one core or GPU, for the cost of more of them.
    """
    sizes = sorted({int(v["num_real"]) for v in verdicts})
    return tuple(recommend(laws, verdicts, n, quality, draw_seconds) for n in sizes)


def lead(found: Sequence[Recommendation]) -> Recommendation | None:
    """The one for the top of a page: at the largest size where a generator that learns was measured."""
    return max(found, key=lambda r: (r.learnt, r.num_real), default=None)


def recommend(
    laws: Json | None,
    verdicts: Iterable[Json],
    num_real: int,
    quality: Json | None = None,
    draw_seconds: float | None = None,
) -> Recommendation:
    """The advice at one measured number of real images, over all studies in ``verdicts``."""
    laws = laws or {}
    here = [v for v in verdicts if int(v["num_real"]) == num_real]
    learnt = [v for v in here if v.get("family") not in CONTROLS and usable(v)]
    made = _with(laws, num_real, learnt)
    blind = {g.classifier: g for g in guessing(laws)}  # what helps even these is believed all the same
    seeing = [v for v in learnt or here if v["outcome"] == "helps" or v["classifier"] not in blind]
    if not seeing:
        told = tuple(blind[name] for name in sorted({str(v["classifier"]) for v in learnt or here}))
        step = f"{REMEDY}: more draws would tell nothing."
        return replace(made(Advice.NOT_KNOWN, "", guessing_reason(told), step), learnt=bool(learnt))
    if not learnt:
        return replace(made(*_nothing_learnt(here, num_real)), learnt=False)
    learnt = [v for v in seeing if tells_of_adding(str(v.get("protocol")), v["outcome"])]
    if not learnt:
        alone = (
            f"At {num_real:,} real images, classifiers were only trained on synthetic images alone. That these are "
            "worse than real ones does not tell what adding them does."
        )
        return made(Advice.NOT_KNOWN, "", alone, "Train on both together: protocols: [mixed] in the grid.")
    behind = outdone(laws, learnt, num_real)
    if behind:
        here, learnt = ([v for v in some if str(v["classifier"]) not in behind] for some in (here, learnt))
        made = _with(laws, num_real, learnt, *behind.values())
    without = errors_without(laws, learnt, num_real)
    left = partial(error_left, without=without)
    helping = [v for v in learnt if v["outcome"] == "helps"]
    ahead = [v for v in helping if not without or left(v) < min(without.values())]
    if ahead:
        lead = min(ahead, key=left)
        known = [v for v in ahead if v["classifier"] == lead["classifier"] and estimable(v)]
        return (
            _generate(made, laws, min(known, key=left), here, quality)
            if known
            else _rates_unknown(made, laws, lead, num_real)
        )
    if all(cannot_help(laws, v) for v in learnt):
        return made(*no_gain(laws, learnt, num_real, quality))
    undecided = [v for v in learnt if not cannot_help(laws, v) and v not in helping]
    if not undecided:
        return made(Advice.NOT_KNOWN, "", *not_ahead(laws, min(helping, key=left), without))
    first = min(undecided, key=left)["classifier"]
    undecided = [v for v in undecided if v["classifier"] == first]
    clearest = max(undecided, key=lambda v: abs(_gain(v)))
    whose = of_classifier(laws, str(clearest["classifier"]))
    what = f"{clearest['generator']} {change_clause(clearest['gain'], whose)}, which may be chance"
    step = next_to_decide(undecided, int(laws.get("draws") or 0), draw_seconds)
    names = {str(v["generator"]) for v in undecided}
    flaw = defects(quality, names, num_real).strip()
    if useless(quality, names, num_real) == names:  # no draws make such images better
        step = at_this_budget(laws, undecided, num_real, True)[1].removeprefix("Or ")
        step = step[:1].upper() + step[1:]
    return made(Advice.NOT_KNOWN, "", f"{flaw} At {num_real:,} real images, {what}.".strip(), step)


def usable(verdict: Json) -> bool:
    """Whether a reader could have this generator: not one that saw more real images than the cell has."""
    return not verdict.get("open_set") or verdict.get("family") == PRETRAINED


def estimable(verdict: Json) -> bool:
    """Whether the exchange rate at the verdict's own cell is known, be it "not reachable" or too imprecise."""
    rate = verdict.get("exchange")
    if imprecise(rate):
        return True  # more real images help, and the laws hold: only how much is not known well
    if not isinstance(rate, Mapping) or str(rate.get("note") or "").startswith(UNKNOWN):
        return False
    return not rate.get("reachable", True) or number(rate.get("marginal")) is not None


def imprecise(rate: Any) -> bool:
    """Whether the rate of an exchange is withheld because its interval is too wide."""
    return isinstance(rate, Mapping) and IMPRECISE in str(rate.get("note") or "")


def around(found: Sequence[Recommendation], num_real: float) -> tuple[Recommendation, ...]:
    """The advice at the measured sizes on both sides of ``num_real``; beyond them, at the nearest."""
    exact = [r for r in found if r.num_real == num_real]
    if exact or not found:
        return tuple(exact)
    below = [r for r in found if r.num_real < num_real]
    above = [r for r in found if r.num_real > num_real]
    return tuple([*below[-1:], *above[:1]])


def unknown_mix(found: Sequence[Recommendation], num_real: int, num_synthetic: int) -> str:
    """Why a mix with synthetic images must not be recommended at ``num_real``; '' where it may.

    Args:
        found: of one study, so that its own measurements decide.
    """
    if not num_synthetic:
        return ""
    against = [r for r in around(found, num_real) if not r.generates]
    if found and not against:
        return ""
    if not found:
        return "Not known yet: nothing was judged with synthetic images. Run the grid first."
    # what one of them leaves open is open between the two
    first = next((r for r in against if r.advice is Advice.NOT_KNOWN), against[0])
    if first.advice is Advice.COLLECT:
        return f"Collect: {first.reason}"
    return f"{first.advice}: {first.reason} {first.next_step}".strip()


def _with(laws: Json, num_real: int, verdicts: Sequence[Json], *remarks: str) -> Any:
    sure = " ".join([surety(laws, verdicts), *remarks]).strip()

    def make(advice: Advice, title: str, reason: str, next_step: str, study: Json | None = None) -> Recommendation:
        made = Recommendation(advice, num_real, title, reason, next_step, sure)
        if study is None:
            return made
        return replace(made, multiple=study.get("best_multiple"), **{name: str(study[name]) for name in STUDY})

    return make


def _nothing_learnt(here: Sequence[Json], num_real: int) -> tuple[Advice, str, str, str]:
    open_set = sorted({str(v["generator"]) for v in here if v.get("family") not in CONTROLS})
    simple = _best_simple(here)
    if open_set:
        reason = (
            f"At {num_real:,} real images only {open_set[0]} was measured, which was trained on more real images than "
            "that."
        )
    else:
        reason = f"At {num_real:,} real images no generator that learns was measured."
        if simple is not None:
            reason = f"{reason[:-1]}; plain {simple['generator']} brings {gain_clause(simple['gain'])}."
    step = "Add a preset for this size of images to generators: edm-tiny (8 px), edm-16px-3, edm-28px-2 or another."
    return Advice.NOT_KNOWN, "", reason, step


def _generate(made: Any, laws: Json, lead: Json, here: Sequence[Json], quality: Json | None) -> Recommendation:
    n, times = int(lead["num_real"]), float(lead.get("best_multiple") or 0)
    real = more_real(laws, str(lead["classifier"]), n)
    amount = f"{round(times * n):,} synthetic images for {n:,} real ones"
    how = f"with {lead['generator']}, {mixing(str(lead['real_share']), str(lead['protocol']))}"
    worth = _worth(lead)
    flaw = defects(quality, {str(lead["generator"])}, n)
    cheap = _best_simple(v for v in here if v["classifier"] == lead["classifier"])
    if cheap is not None and _gain(cheap) >= _gain(lead):
        flaw += f" Plain {cheap['generator']} brings as much ({gain_clause(cheap['gain'])}), and trains nothing."
    whose = of_classifier(laws, str(lead["classifier"]))
    gained = f"{per_real(times)} lower the error{whose} by {gain_clause(lead['gain'])}{worth}"
    step = f"Train {lead['generator']} on all your real images and mix them in this way.{_cost(laws, lead, n)}"
    if real.known is Known.HELPS and real.beyond and (real.gain.value or 0.0) > _gain(lead):
        reason = (
            f"At {n:,} real images, {gained}; collecting up to {real.high:,} lowers it by "
            f"{gain_clause(real.gain)}.{flaw}"
        )
        title = f"generate {amount} {how}, or collect more"
        price = number((lead.get("exchange") or {}).get("marginal"))
        prices = (
            f"The prices decide: one more real image does what about {price:,.0f} synthetic ones do. "
            if price is not None
            else "The prices decide, but how many synthetic images one more real image is worth cannot be told yet. "
            if imprecise(lead.get("exchange"))
            else "The prices decide: further synthetic images would replace no real one. "
        )
        return made(Advice.EITHER, title, reason, prices + step, lead)
    reason = f"At {n:,} real images, {gained}.{flaw}"
    return made(Advice.GENERATE, f"{amount} {how}", reason, step, lead)


def _rates_unknown(made: Any, laws: Json, lead: Json, n: int) -> Recommendation:
    times, whose = per_real(float(lead.get("best_multiple") or 0)), of_classifier(laws, str(lead["classifier"]))
    rate = lead.get("exchange")
    sizes = len(next((c["points"] for c in laws.get("real") or () if c.get("classifier") == lead["classifier"]), ()))
    if sizes < 3:
        step = f"Measure at three or more numbers of real images ({sizes} now), so that the two can be compared."
    elif isinstance(rate, Mapping) and OPPOSED in str(rate.get("note")):
        step = "Measure more sizes and amounts near it (num_real, synthetic_multiples): the fitted laws say otherwise."
    elif more_real(laws, str(lead["classifier"]), n).known is Known.TOO_FEW or real_draws(laws) < FEW:
        step = f"Run the same command with draws={FEW} or more, and over a wider range of num_real."
    else:
        step = "Measure over a wider range of num_real, or with more test images."
    reason = (
        f"At {n:,} real images, {times} from {lead['generator']} lower the error{whose} by "
        f"{gain_clause(lead['gain'])}, but what more real images would do instead cannot be told."
    )
    return made(Advice.NOT_KNOWN, "", reason, step)


def _best_simple(here: Iterable[Json]) -> Json | None:
    """The largest gain shown by a baseline that learns nothing and that a reader could use."""
    helping = (v for v in here if v["outcome"] == "helps" and v.get("family") in BASELINES and usable(v))
    return max(helping, key=_gain, default=None)


def _worth(verdict: Json) -> str:
    equivalent = verdict.get("equivalent") or {}
    value, low = number(equivalent), number(equivalent.get("low"))
    if value is not None and value >= 0.5:
        return f", as much as about {value:,.0f} more real images"
    return f", as much as at least {low:,.0f} more real images" if low is not None and low >= 1 else ""


def _cost(laws: Json, lead: Json, n: int) -> str:
    study = next((s for s in laws.get("studies") or () if all(s.get(k) == lead[k] for k in STUDY)), None)
    made = next((g for g in (study or {}).get("generation") or () if g.get("num_real") == n), None)
    if made is None:
        return ""
    images = float(lead.get("best_multiple") or 0) * n
    seconds = float(made.get("generator_seconds") or 0) + images * float(made.get("seconds_per_image") or 0)
    return f" Measured cost: about {long_duration(seconds)} of one core or GPU."


def _gain(verdict: Json) -> float:
    return number(verdict.get("gain")) or 0.0
