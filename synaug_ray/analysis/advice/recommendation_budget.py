"""What a recommendation says of the length of the generators' training, from the plain JSON of ``laws.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synaug_ray.analysis.generators import without_filter
from synaug_ray.analysis.questions.generator_results import Training
from synaug_ray.common.text import long_duration

Json = Mapping[str, Any]
STEPS = {  # by the word of the longest training; the first that applies counts
    Training.RISING: "Or train the generator longer: its gain still rises with the length of training",
    Training.FALLING: "Or train the generator for less long (budgets): longer training lowers its gain",
    Training.UNKNOWN: "Or measure more draws: whether longer training of the generator helps is not known",
    Training.COPYING: "Or try another generator: longer training of this one only makes it copy",
    Training.SETTLED: "Or try another generator: longer training of this one changes nothing",
}
TRAIN = (  # its images are of no use yet, so that more draws of them tell nothing
    "Or train the generator longer (a larger nimg, or budgets: [1, 4], which tells whether that helps): more draws of "
    "such images would tell no more"
)
UNMEASURED = "Or try a better generator, trained longer (budgets: [1, 4] in the grid tells whether that helps)"
OTHERWISE = "Or try a better generator, trained longer"


def at_this_budget(laws: Json, learnt: Sequence[Json], num_real: int, broken: bool = False) -> tuple[str, str]:
    """Where generators bring no gain: a clause on their budget, '' where it is known not to matter, and what to try.

    Args:
        learnt: the verdicts at ``num_real`` of generators that learn.
        broken: whether the images of some were found to be of no use.
    """
    curves = [curve for curve in laws.get("budgets") or () if _fits(curve, learnt, num_real)]
    inside = {str(name) for curve in curves for name in curve["generators"]}
    apart = {str(v.get("training")) for v in learnt if v.get("training") and v["generator"] not in inside}
    words = {str(curve["words"][-1]) for curve in curves} | apart
    if not words:
        return "", f"{TRAIN if broken else OTHERWISE}."
    one_of = {str(name): str(curve["generators"][0]) for curve in curves for name in curve["generators"]}
    # the lengths of a generator are one, and so is what a filter keeps of its images
    several = len({one_of.get(v["generator"], without_filter(str(v["generator"]))) for v in learnt}) > 1
    these = "these generators" if several else "this generator"
    clause = f" with {these} at this budget" if any(Training(word).open for word in words) else ""
    if not curves:
        return clause, f"{TRAIN if broken else UNMEASURED}."
    word = next(w for w in STEPS if w in words)
    if broken and word is Training.UNKNOWN:
        return clause, f"{TRAIN}."
    costs = [curve["next_seconds"] for curve in curves if curve["words"][-1] == word and curve.get("next_seconds")]
    cost = ""
    if word is Training.RISING and costs:
        cost = f"; four times as long takes about {long_duration(max(costs))} of one core or GPU for each"
    return clause, f"{STEPS[word]}{cost}."


def _fits(curve: Json, learnt: Sequence[Json], num_real: int) -> bool:
    """Whether a curve is of one of these verdicts' studies."""
    return int(curve["num_real"]) == num_real and any(
        v["generator"] in curve["generators"]
        and all(v[k] == curve[k] for k in ("classifier", "protocol", "real_share"))
        for v in learnt
    )
