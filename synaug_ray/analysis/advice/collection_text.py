"""How many real images a target needs with which probability, and what to collect, in sentences (errors in percent)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from synaug_ray.analysis.advice.collection import Collection, Round
from synaug_ray.analysis.advice.prediction_text import count
from synaug_ray.analysis.advice.real_needed import SHOWN, Chance, chance, known, needed

Json = Mapping[str, Any]


def chance_sentences(grid: Json, target: float, have: int, num_real: int | None) -> list[str]:
    """How many real images alone reach the target with which probability, and how probable it is with those given."""
    if not known(grid):
        return []
    most = math.floor(grid["num_real"][-1])
    every = [(sure, needed(grid, target, sure)) for sure in SHOWN]
    parts = [f"{n:,} ({100 * sure:.0f}%)" for sure, n in every if n is not None]
    beyond = next((sure for sure, n in every if n is None), None)
    if beyond is not None:
        parts.append(f"more than {most:,}, beyond which nothing is predicted ({100 * beyond:.0f}%)")
    measured = grid["measured_real_only"][1]
    far = any(n is not None and n > measured for _, n in every)
    extrapolated = f"; more than the {measured:,} measured is extrapolated" if far else ""
    said = f"{', '.join(parts)}{extrapolated}"
    lines = [f"Real images alone that reach {100 * target:g}%, with the chance that they do: {said}."]
    for n in dict.fromkeys(n for n in (have, num_real) if n):
        found = chance(grid, target, n)
        if found is not None:
            lines.append(f"With {n:,} real images alone the chance is {share(found)}.")
    return lines


def share(found: Chance) -> str:
    """A probability in percent, or a bound on it."""
    if found.low == found.high:
        return f"{100 * found.low:.0f}%"
    return f"under {100 * found.high:.0f}%" if found.low == 0 else f"over {100 * found.low:.0f}%"


def collection_sentences(
    grid: Json, plan: Collection | None, once: Collection | None, penalty: float, rounds: int
) -> list[str]:
    """How many to collect first, and what to do then, if missing the target costs ``penalty``.

    Args:
        plan: for at most ``rounds`` rounds.
        once: for one round, for a comparison of costs.
    """
    most = math.floor(grid["num_real"][-1])
    if plan is None or once is None:
        return [f"What to collect with this penalty is not known: you have more than {most:,} real images."]
    first, *rest = plan.rounds
    missing = f"With a penalty of {count(penalty)} for missing it"
    if rounds == 1:
        lines = [f"{missing}: collect {_more(first)}; the chance with {_with(first)}."]
    elif not first.num_real and not rest:
        lines = [f"{missing} and {rounds} rounds: collect no more."]
    else:
        what = _more(first) if first.more else "none yet, but check whether what you have is enough"
        lines = [f"{missing} and {rounds} rounds, first collect {what}; the chance with {_with(first)}."]
        if rest:
            parts = [f"{_more(r)} (chance then {share(r.chance)})" for r in rest]
            lines.append(
                "Then add the new images to the run and ask again. If the target is not reached, judging by what is "
                f"known now: {', then '.join(parts)}."
            )
        saved = once.expected_cost - plan.expected_cost
        compared = f", {count(saved)} less than in one round" if saved >= 0.01 * once.expected_cost else ""
        lines.append(f"Expected cost with the penalty: {count(plan.expected_cost)}{compared}.")
    if plan.at_end:
        lines.append(f"More might cost less: nothing is predicted beyond {most:,} real images.")
    return lines


def _more(found: Round) -> str:
    return f"{found.more:,} more, for {count(found.cost)}" if found.more else "no more"


def _with(found: Round) -> str:
    return f"{found.num_real:,} real images is {share(found.chance)}"
