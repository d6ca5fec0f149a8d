"""What is said of a second test set (``data.test2``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from synaug_ray.analysis.questions.second_results import Carries, SecondVerdict
from synaug_ray.analysis.results import Outcome
from synaug_ray.analysis.verdict_text import margin, multiple, points, setting, span
from synaug_ray.common.text import listed

EFFECT = {Outcome.HELPS: "gain", Outcome.HURTS: "loss"}
BECOMES = {  # of one effect, and of several
    Carries.FULLY: ("carries over", "carry over"),
    Carries.PARTLY: ("carries over in part", "carry over in part"),
    Carries.NOT: ("does not carry over", "do not carry over"),
    Carries.UNKNOWN: ("is undecided", "are undecided"),
}


def sentence(found: SecondVerdict, delta: float, name: str) -> str:
    """One or two sentences: the outcome there, the gains on both sets, and what becomes of an effect."""
    outcome, first = Outcome(found.outcome), Outcome(found.first_outcome)
    what = {
        Outcome.HELPS: "helps",
        Outcome.HURTS: "hurts",
        Outcome.NO_EFFECT: f"has no effect larger than {margin(delta)}",
        Outcome.UNDECIDED: "is undecided",
    }[outcome]
    here, there = found.first_gain, found.gain
    said = (
        f"On {name}, at {found.num_real:,} real images, {found.generator} "
        f"({setting(found.real_share, found.protocol)}) {what}: {points(there.value or 0.0)} points with "
        f"{multiple(found.multiple)} ({span(there)}); on the first test set {points(here.value or 0.0)} ({span(here)})."
    )
    apart = f"{points(found.difference.value or 0.0)} points ({span(found.difference)})"
    effect = EFFECT.get(first, "")
    return (
        said
        + {
            Carries.NOTHING: "",
            Carries.FULLY: f" The {effect} carries over; the two differ by {apart}.",
            Carries.PARTLY: f" The {effect} carries over in part: the two differ by {apart}.",
            Carries.NOT: f" The {effect} does not carry over; the two differ by {apart}.",
            Carries.UNKNOWN: f" Whether the {effect} carries over is undecided; the two differ by {apart}.",
        }[found.carries]
    )


def headline(verdicts: Sequence[SecondVerdict], name: str) -> str:
    """What becomes of all effects on the first test set, and what there is on the second alone."""
    said = []
    for first, effects in ((Outcome.HELPS, ("gain", "gains")), (Outcome.HURTS, ("loss", "losses"))):
        there = Counter(v.carries for v in verdicts if v.first_outcome == first)
        total = sum(there.values())
        if total == 1:
            said.append(f"the one {effects[0]} on the first test set {BECOMES[next(iter(there))][0]}")
        elif total:
            parts = listed([f"{there[c]:,} {BECOMES[c][there[c] > 1]}" for c in BECOMES if there[c]])
            said.append(f"of {total:,} {effects[1]} on the first test set, {parts}")
    alone = [v for v in verdicts if not v.carries and v.outcome in (Outcome.HELPS, Outcome.HURTS)]
    if alone:
        what = listed(dict.fromkeys(f"{v.generator} {v.outcome} at {v.num_real:,} real images" for v in alone))
        said.append(f"{what}, where nothing is shown on the first test set")
    if not said:
        return f"On {name}: no gain or loss is shown on either test set." if verdicts else ""
    return f"On {name}: {'; '.join(said)}."
