"""What is recommended where synthetic images bring no gain, and where that is known well enough, from plain JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synaug_ray.analysis.advice.more_real import Known, more_real, number
from synaug_ray.analysis.advice.recommendation_budget import at_this_budget
from synaug_ray.analysis.advice.recommendation_results import Advice
from synaug_ray.analysis.advice.recommendation_text import FEW, defects, gain_clause, useless
from synaug_ray.analysis.study_key import STUDY
from synaug_ray.analysis.verdict import WIDEST_MARGIN
from synaug_ray.analysis.verdict_text import shown_margin
from synaug_ray.common.text import listed

Json = Mapping[str, Any]


def cannot_help(laws: Json, verdict: Json) -> bool:
    """Whether no measured amount could help by more than the margin, whatever the verdict is called.

    This is a claim about all amounts, each of which has to pass by its *own* interval, as for "no effect" (an
    intersection-union test needs no correction for their number: Berger and Hsu 1996).
    """
    if verdict["outcome"] in ("no effect", "hurts"):
        return True
    if verdict["outcome"] == "helps":
        return False
    highs = [number((gain or {}).get("high")) for gain in gains_of(laws, verdict) or [verdict.get("gain")]]
    most = _margin(laws, verdict)
    return all(high is not None and high < most for high in highs)


def gains_of(laws: Json, verdict: Json) -> list[Any]:
    """The gain of each measured amount of a verdict's study at its number of real images."""
    study = next((s for s in laws.get("studies") or () if all(s.get(k) == verdict.get(k) for k in STUDY)), None)
    cells = (study or {}).get("cells") or ()
    return [c.get("gain") for c in cells if int(c["num_real"]) == int(verdict["num_real"])]


def _own_gain(laws: Json, verdict: Json) -> Json:
    """The gain of the verdict's amount, with the interval of this cell alone, on which ``cannot_help`` rests."""
    told = number(verdict.get("gain")) or 0.0
    every = [gain for gain in gains_of(laws, verdict) if number(gain) is not None]
    return min(every, key=lambda gain: abs((number(gain) or 0.0) - told), default=verdict["gain"])


def _margin(laws: Json, verdict: Json) -> float:
    """The largest gain that counts as none; zero where the margin is too large beside the error to show anything."""
    points = [p for c in laws.get("real") or () if c.get("classifier") == verdict["classifier"] for p in c["points"]]
    error = next((number(p["error"]) for p in points if int(p["num_real"]) == int(verdict["num_real"])), None)
    relative = number(laws.get("relative_delta"))
    margin = number(verdict.get("margin")) or number(laws.get("delta")) or 0.01
    if relative is not None and error is not None:
        margin = relative * error
    return 0.0 if error is not None and margin > WIDEST_MARGIN * error else margin


def no_gain(laws: Json, learnt: Sequence[Json], n: int, quality: Json | None) -> tuple[Advice, str, str, str]:
    """Advice, title, reason and next step where none of these verdicts leaves room for a gain.

    A generator's own defects come first: they are why, and a better one may do what this one does not.
    """
    names = {str(v["generator"]) for v in learnt}
    flaw = defects(quality, names, n).strip()
    broken = useless(quality, names, n) == names
    budget, longer = at_this_budget(laws, learnt, n, broken)
    hurting = [v for v in learnt if v["outcome"] == "hurts"]
    worst = min(hurting or learnt, key=lambda v: number(v.get("gain")) or 0.0)
    raised = (number(worst.get("gain")) or 0.0) < 0
    if hurting:
        what = f"the synthetic images do not help, and some raise the error by {gain_clause(worst['gain'], -1)}{budget}"
    elif any(v["outcome"] == "undecided" for v in learnt):
        shown = shown_margin(float(laws.get("delta") or 0.01), laws.get("relative_delta"))
        limit = "" if _margin(laws, worst) == 0 else f" by more than {shown}"
        seen = f" (seen: an error {gain_clause(_own_gain(laws, worst), -1)} higher)" if raised else ""
        what = f"the synthetic images do not lower the error{limit}{seen}{budget}"
    else:
        shown = shown_margin(float(laws.get("delta") or 0.01), laws.get("relative_delta"))
        what = f"the synthetic images change the error by less than {shown}{budget}"
    what = f"{flaw} At {n:,} real images, {what}".strip()
    by = [more_real(laws, name, n) for name in sorted({str(v["classifier"]) for v in learnt})]
    real = next((r for r in by if r.known is Known.HELPS), by[0])
    if real.known is Known.HELPS:
        reason = (
            f"{what}, while {real.high:,} real images instead of {real.low:,} lower it by {gain_clause(real.gain)}."
        )
        return Advice.COLLECT, "more real images", reason, longer
    title = f"whether to collect; synthetic images of {listed(sorted(names))} do not pay here"
    if real.known is Known.TOO_FEW:
        reason = f"{what}; whether more real images help, too few draws can tell."
        step = f"Run the same command with draws={FEW} or more."
        if broken:
            step = f"Run it with draws={FEW} or more and synthetic_multiples=0, for real images alone. {longer}"
        return Advice.NOT_KNOWN, title, reason, step
    reason = f"{what}, and more real images were not shown to help either."
    step = "Look at the images that are misclassified, try another classifier, or measure with more test images."
    return Advice.NOT_KNOWN, title, reason, f"{step} {longer}" if broken else step
