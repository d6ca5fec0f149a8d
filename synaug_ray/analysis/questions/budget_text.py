"""What longer training would do, in sentences."""

from __future__ import annotations

from synaug_ray.analysis.questions.generator_results import BudgetCurve, Training
from synaug_ray.analysis.results import Outcome
from synaug_ray.analysis.verdict_text import margin as shown
from synaug_ray.analysis.verdict_text import multiple, negated, points, setting, span
from synaug_ray.common.text import long_duration
from synaug_ray.laws.results import Estimate

NOTED = 0.05  # share of near-copies from which they are mentioned, also if the word does not depend on them


def curve_sentence(curve: BudgetCurve, margin: float, draws: int) -> str:
    """What the longest training that was measured says about longer training."""
    word = curve.words[-1]
    start = (
        f"At {curve.num_real:,} real images ({setting(curve.real_share, curve.protocol)}), {curve.generators[-1]} is"
    )
    changes = [cell.changes[-1] for cell in curve.cells]
    joint = [cell.changes_simultaneous[-1] for cell in curve.cells]
    if word is Training.SETTLED:
        largest = max(changes, key=lambda e: abs(e.value or 0.0))
        return (
            f"{start} settled: four times the training changed the gain by less than {shown(margin)} (at most "
            f"{_change(largest)}), so longer training would hardly change the answer."
        )
    if word is Training.COPYING:
        copies = [share for share in curve.near_copies if share is not None]
        largest = max(changes, key=lambda e: e.value or 0.0)
        return (
            f"{start} copying: longer training brought more near-copies of real images ({copies[0]:.0%} to "
            f"{copies[-1]:.0%}) and no gain ({_change(largest)} for four times the training)."
        )
    if word is Training.RISING:
        i = max(range(len(joint)), key=lambda k: joint[k].low or 0.0)
        cost = "" if curve.next_seconds is None else f", about {long_duration(curve.next_seconds)} for one generator"
        return (
            f"{start} still rising: four times the training raised the gain by {_change(joint[i])} at "
            f"{multiple(curve.cells[i].synthetic_multiple)}. Train it another four times longer (budgets){cost}."
        )
    if word is Training.FALLING:
        i = min(range(len(joint)), key=lambda k: joint[k].high or 0.0)
        return (
            f"{start} falling: four times the training lowered the gain by {_change(joint[i], -1)} at "
            f"{multiple(curve.cells[i].synthetic_multiple)}. Shorter training may be better."
        )
    widest = max(changes, key=lambda e: (e.high or 0.0) - (e.low or 0.0))
    few = (
        f" More draws than {draws} are needed." if widest.low is not None else " At least two draws are needed to tell."
    )
    known = [share for share in curve.near_copies if share is not None]
    copies = ""
    if known and known[-1] > max(known[0], NOTED):
        copies = f" The share of near-copies of real images went from {known[0]:.0%} to {known[-1]:.0%}."
    return (
        f"{start} not known to be settled or still rising: {_change(widest)} for four times the training.{few}{copies}"
    )


def budget_clause(training: Training | None, outcome: Outcome, curve: BudgetCurve | None) -> str:
    """What to add to a verdict of no gain if another length of the generator's training may change it; else ''."""
    if outcome not in (Outcome.HURTS, Outcome.NO_EFFECT) or training is None or not training.open:
        return ""
    if curve is None:
        return (
            " This holds for this generator at this budget: the effect of longer training was not measured (budgets)."
        )
    told = {
        Training.RISING: "longer training still raises the gain",
        Training.FALLING: "longer training lowers the gain, and shorter training may be better",
        Training.UNKNOWN: "there are too few draws to tell whether longer training changes it",
    }
    return f" This holds for this generator at this budget: {told[training]}."


def _change(change: Estimate, sign: int = 1) -> str:
    if sign < 0:
        change = negated(change)
    return f"{points(change.value or 0.0)} points, {span(change)}"
