"""The clauses of a recommendation, for someone who reads no papers. Gains are in points: 1 point is 0.01 of error."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from synaug_ray.analysis.mixing import local_replacement, share_and_weight, with_teacher
from synaug_ray.analysis.questions.length_results import Ended
from synaug_ray.common.text import fixed, listed, long_duration
from synaug_ray.config.protocols import LOCAL, SOFT
from synaug_ray.laws.results import Estimate

Json = Mapping[str, Any]
FEW = 6  # draws below which the advice is to use more
FAR = 10  # times the draws so far: whoever needs more than that had better ask for less
USELESS = ("constant", "ignores labels", "unreal")  # words of quality checks: such images cannot help
UNTRAINED = (Ended.SHORT, Ended.LONG)
DEFECTS = {  # word of a quality check: the clause about a generator's images
    "constant": "are nearly all the same",
    "ignores labels": "hardly depend on the class asked for, which {agreement} show{reference}",
    "confuses labels": "show the class asked for in only {agreement} of cases{reference}",
    "collapsed": "have little variety",
    "copies": "nearly repeat training images in {copies} of cases",
    "unreal": "look unlike real ones",
}


def points(value: float) -> str:
    """0.021 -> '2.1 points', 0.01 -> '1 point'."""
    number = fixed(100 * value, ".1f").removesuffix(".0")
    return f"{number} point" + ("" if number in ("1", "-1") else "s")


def gain_clause(estimate: Json | Estimate, sign: int = 1) -> str:
    """'2.1 points (1 to 3.2)'; ``sign`` -1 for a loss that is told as a rise."""
    value, low, high = (
        estimate.get(k) if isinstance(estimate, Mapping) else getattr(estimate, k) for k in ("value", "low", "high")
    )
    if value is None:
        return "an unknown amount"
    text = points(sign * value)
    if low is None or high is None:
        return text
    ends = (sign * low, sign * high) if sign > 0 else (sign * high, sign * low)
    if ends[0] <= -1 and ends[1] >= 1:  # of two draws: wider than any difference of two errors
        return f"{text} (an interval that says nothing)"
    return f"{text} ({fixed(100 * ends[0], '.1f')} to {fixed(100 * ends[1], '.1f')})"


def change_clause(gain: Json, whose: str = "") -> str:
    """'lowered the error by 0.4 points (-3.0 to 3.7)', or how it raised it; ``whose`` as of ``of_classifier``."""
    falls = (gain.get("value") or 0.0) >= 0
    return f"{'lowered' if falls else 'raised'} the error{whose} by {gain_clause(gain, 1 if falls else -1)}"


def of_classifier(laws: Json, name: str) -> str:
    """' of cnn' where a run has several classifiers."""
    return f" of {name}" if len(laws.get("real") or ()) > 1 else ""


def per_real(times: float) -> str:
    """4.0 -> '4 synthetic images per real one'."""
    return f"{times:g} synthetic image{'' if times == 1 else 's'} per real one" if times else "no synthetic images"


def mixing(real_share: str, protocol: str) -> str:
    """How the images are mixed in training, as a clause."""
    if protocol == LOCAL:
        return local_replacement(real_share)
    if protocol == SOFT:
        return with_teacher(mixing(real_share, "mixed"))
    if protocol != "mixed":
        return {"synthetic-only": "training on them alone"}.get(protocol, f"in the order “{protocol}”")
    share, weight = share_and_weight(real_share)
    weighted = f", and real images weighted {weight} in the loss" if weight else ""
    try:
        return f"{100 * float(share):.0f}% of each training batch real{weighted}"
    except ValueError:
        return f"mixed in proportion to their numbers{weighted}"


def surety(laws: Json, verdicts: Sequence[Json]) -> str:
    """How sure the advice at one size is: what the intervals rest on, and what to do where that is little."""
    draws, images = int(laws.get("draws") or 0), int(laws.get("test_images") or 0)
    if not draws:
        return ""
    text = f"Measured on {draws} draw{'' if draws == 1 else 's'} of the real images and {images:,} test images."
    if draws < FEW:
        text += f" {draws} draw{' is' if draws == 1 else 's are'} few: use six or more."
    seen = [v.get("smallest_detectable_gain") for v in verdicts]
    found = [float(d) for d in seen if d]
    if found:
        least = f"A change below about {points(min(found))}" if min(found) < 1 else "A change of any size"
        text += f" {least} could not be seen."
    return text + _untrained(verdicts) + _end_untrained(laws, verdicts)


def _end_untrained(laws: Json, verdicts: Sequence[Json]) -> str:
    """Whether a classifier is trained too short at a larger size, which says what more real images bring."""
    names, size = {v["classifier"] for v in verdicts}, max((int(v["num_real"]) for v in verdicts), default=0)
    short = [
        found
        for found in laws.get("training_lengths") or ()
        if found.get("classifier") in names and found.get("ended") == Ended.SHORT and int(found["num_real"]) > size
    ]
    if not short:
        return ""
    end = max(short, key=lambda found: int(found["num_real"]))
    return (
        f" At {int(end['num_real']):,} real images {end['classifier']} is {end['ended']}: more real images may bring "
        "more than was measured."
    )


def _untrained(verdicts: Iterable[Json]) -> str:
    """Which classifiers are not trained to their end, or past it; '' for none that is known."""
    short = [v for v in verdicts if v.get("training_length") in UNTRAINED]
    told = sorted({f"{v['classifier']} is {v['training_length']}" for v in short})
    where = f" At {int(short[0]['num_real']):,} real images" if short else ""
    return f"{where} {listed(told)}: gains may change with the length of training." if told else ""


def next_to_decide(undecided: Sequence[Json], draws: int, draw_seconds: float | None = None) -> str:
    """What would decide it, the cheapest first: more draws where these can, else more test images."""

    def cost(more: int) -> str:
        return (
            f" (about {long_duration(draw_seconds * more)} more of one core or GPU for the whole grid)"
            if draw_seconds
            else ""
        )

    if draws < 2:
        return f"Run the same command with draws={FEW}{cost(FEW - draws)}: one draw gives no interval."
    known = [v for v in undecided if v.get("deciding_draws")]
    if known:
        best = min(known, key=lambda v: v["deciding_draws"])
        # few draws are few also where they would decide it: no advice that the line below it advises against
        wanted = max(FEW, int(best["deciding_draws"]))
        if wanted > FAR * max(FEW, draws):
            return (
                f"Some {wanted:,} draws{cost(wanted - draws)} would probably decide it. Rather ask for less: fewer "
                "sizes, shares and generators, which are judged together; or a larger delta, the smallest change of "
                "the error that matters to you."
            )
        return f"Run the same command with draws={wanted}{cost(wanted - draws)}: that would probably decide it."
    rough = [v["deciding_range"] for v in undecided if v.get("deciding_range")]
    if rough:
        wanted = max(FEW, 2 * draws)
        why = f"from {draws} it is not clear how many decide it"
        return f"Run the same command with draws={wanted}{cost(wanted - draws)}; {why}."
    if draws < FEW:
        return f"Run the same command with draws={FEW}{cost(FEW - draws)}."
    return "Give it more test images: with these, more draws would not decide it."


def unknown_collection(why: str, num_real: int, have: int) -> str:
    """Why collecting up to ``num_real`` must not be recommended; '' where it may.

    Args:
        why: nothing is known of the worth of a real image, as ``prediction_text.why_unknown`` has it.
    """
    if not why or num_real <= have:
        return ""
    return (
        f"Not known yet: by the fitted curve {num_real:,} real images alone would do, but {why}. Run the same "
        f"command with draws={FEW} or more, or with more test images."
    )


def defects(quality: Json | None, generators: Collection[str], num_real: int) -> str:
    """A sentence, with a blank before it, about the generators' worst defects at this size; '' where there is none."""
    said = []
    for at, words in _found(quality, generators, num_real):
        clauses = [DEFECTS[w].format(**_numbers(at)) for w in words if w in DEFECTS]
        if clauses:
            said.append(f"The images of {at['generator']} {listed(dict.fromkeys(clauses))}.")
    return f" {' '.join(said)}" if said else ""


def useless(quality: Json | None, generators: Collection[str], num_real: int) -> set[str]:
    """Those of the generators whose images at this size were found to be of a kind that cannot help."""
    return {str(at["generator"]) for at, words in _found(quality, generators, num_real) if set(words) & set(USELESS)}


def _found(
    quality: Json | None, generators: Collection[str], num_real: int
) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """The row of each generator at this size, and the words of its defects."""
    columns = [str(c) for c in (quality or {}).get("columns") or ()]
    for row in _rows(quality, len(columns)):
        at = dict(zip(columns, row, strict=True))
        if at.get("generator") in generators and at.get("real images seen") == num_real:
            yield at, [re.sub(r" in \d+ of \d+ draws$", "", w) for w in str(at.get("found") or "").split(", ")]


def _numbers(at: Mapping[str, Any]) -> dict[str, str]:
    reference = at.get("real images do")
    return {
        "agreement": str(at.get("shows the requested class") or "few").replace(".0%", "%"),
        "reference": f" (real images: {reference})" if reference else "",
        "copies": str(at.get("near-copies") or "many").replace(".0%", "%"),
    }


def _rows(quality: Json | None, width: int) -> Iterable[list[Any]]:
    rows = (quality or {}).get("rows")
    return [row for row in rows if isinstance(row, list) and len(row) == width] if isinstance(rows, list) else []
