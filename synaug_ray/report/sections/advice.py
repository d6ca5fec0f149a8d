"""The card at the top of the page: what is recommended, why, how sure that is, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from synaug_ray.analysis.advice.recommendation import Advice, Recommendation, lead, recommendations, unknown_mix
from synaug_ray.analysis.study_key import STUDY
from synaug_ray.report import text
from synaug_ray.report.run_view import RunView
from synaug_ray.store.run_folder import RunState

Json = Mapping[str, Any] | None  # the content of one of the run's files; None if it does not exist
SLUGS = {Advice.COLLECT: "collect", Advice.GENERATE: "generate", Advice.EITHER: "either", Advice.NOT_KNOWN: "unknown"}


@dataclass(frozen=True)
class Card:
    """The recommendation at the most important size, and a line for each other size."""

    advice: str
    slug: str  # a CSS class
    title: str
    reason: str
    next_step: str
    sure: str  # how sure it is, in a sentence
    others: tuple[tuple[str, str, str], ...]  # real images, advice, its sentence


def card(run: RunView) -> Card | None:
    """The card; None while there are no verdicts."""
    found = _found(run.laws, run.verdict, run.quality, run.status)
    top = lead(found)
    if top is None:
        return None
    others = tuple((text.images(r.num_real), str(r.advice), _short(r)) for r in found if r is not top)
    return Card(str(top.advice), SLUGS[top.advice], top.title, top.reason, top.next_step, top.sure, others)


def recommended(laws: Json, verdict: Json, quality: Json, status: Json) -> Recommendation | None:
    """The recommendation on the card, from the run's files of these names (None for those that do not exist)."""
    return lead(_found(laws, verdict, quality, status))


def draw_seconds(status: Json, laws: Json) -> float | None:
    """The time that one draw of the whole grid took, in seconds of one core or GPU; None if it is not recorded."""
    spent = (status or {}).get("cpu_seconds")
    draws = (laws or {}).get("draws")
    if not isinstance(spent, Mapping) or not draws:
        return None
    known = [value for value in map(text.finite, spent.values()) if value is not None]
    return sum(known) / draws if known else None


def by_study(run: RunView, studies: Sequence[Mapping[str, Any]]) -> list[list[dict[str, Any]]]:
    """For the calculator: each study's measured sizes, with the reason why no mix may be recommended there, or ''."""
    told = []
    for study in studies:
        own = [v for v in _verdicts(run.verdict) if all(str(v.get(k)) == str(study.get(k)) for k in STUDY)]
        found = recommendations(run.laws, own, run.quality)
        told.append([{"num_real": r.num_real, "why_not": unknown_mix(found, r.num_real, 1)} for r in found])
    return told


def _found(laws: Json, verdict: Json, quality: Json, status: Json) -> tuple[Recommendation, ...]:
    found = recommendations(laws, _verdicts(verdict), quality, draw_seconds(status, laws))
    going_on = _going_on(status)
    if (status or {}).get("state") == RunState.INTERRUPTED:
        first = "Run the same command again first: this run was interrupted, and the command continues it."
        return tuple(replace(r, next_step=first) if r.advice is Advice.NOT_KNOWN else r for r in found)
    return tuple(_while_running(r, going_on) for r in found) if going_on else found


def _going_on(status: Json) -> str:
    """How far a run is that is still at work; '' for one that ended."""
    if (status or {}).get("state") != RunState.RUNNING:
        return ""
    trials = ((status or {}).get("steps") or {}).get("trial") or {}
    if not trials.get("total"):
        return "This run is still at work"
    return f"This run is still at work: {trials.get('done', 0):,} of {trials['total']:,} trials are done"


def _while_running(found: Recommendation, going_on: str) -> Recommendation:
    """What to do next is to wait, where nothing is known; other advice may change."""
    if found.advice is Advice.NOT_KNOWN:
        return replace(found, next_step=f"Wait. {going_on}.")
    return replace(found, sure=f"{found.sure} {going_on}, and this may change.".strip())


def _verdicts(verdict: Json) -> list[Mapping[str, Any]]:
    return list((verdict or {}).get("verdicts") or ())


def _short(found: Recommendation) -> str:
    return f"{found.title}. {found.reason}" if found.title else found.reason
