"""Contrasts in sentences."""

from __future__ import annotations

from synaug_ray.analysis.questions.contrast_results import Contrast
from synaug_ray.analysis.verdict_text import margin, points, span
from synaug_ray.common.text import fixed


def what(contrast: Contrast) -> str:
    """What is compared, as the subject of a sentence: 'the filter inliers', 'lite-frozen in place of cnn'."""
    name = f"the filter {contrast.level}" if contrast.factor == "filter" else contrast.level
    return name if contrast.reference == "none" else f"{name} in place of {contrast.reference}"


def sentence(contrast: Contrast, delta: float) -> str:
    """What the contrast says, over which cells."""
    value, images = contrast.simultaneous.value or 0.0, contrast.unit == "real images per synthetic one"
    interval = span(contrast.simultaneous, 1, "+.2f") if images else span(contrast.simultaneous)
    at = f"at {contrast.num_real:,} real images, " if contrast.num_real is not None else ""
    over = f", on average over {contrast.cells:,} cells" if contrast.cells > 1 else ""
    unit, change = "points", f"{points(value)} points"
    if images:
        at, change = at + "in real images that one synthetic image is worth, ", fixed(value, "+.2f")
    elif contrast.unit != "points":
        at, unit = at + "as a share of the error without synthetic images, ", "percentage points"
        change = f"{points(value)} {unit}"
    size, more = f"{100 * abs(value):.1f} {unit}", "more" if value > 0 else "less"
    subject, of, other = what(contrast), contrast.generator, contrast.versus
    undecided = f"is undecided: {change} ({interval}){over}."
    equal = f"{points(value)} {unit} ({span(contrast.change)}){over}, within ±{margin(delta)}."
    if contrast.factor == "generator":
        of, other = contrast.level, contrast.reference
        said = {
            "undecided": f"whether the gain of {of} is larger than that of {other} {undecided}",
            "no difference": f"the gain of {of} is that of {other}: {equal}",
        }.get(
            contrast.outcome,
            f"the gain of {of} is {size} {'larger' if value > 0 else 'smaller'} than that of {other} "
            f"({interval}){over}.",
        )
    elif other:
        said = {
            "undecided": f"whether {subject} does more for the gain of {of} than for that of {other} {undecided}",
            "no difference": f"{subject} does as much for the gain of {of} as for that of {other}: {equal}",
        }.get(
            contrast.outcome,
            f"{subject} did {size} {more} for the gain of {of} than for that of {other} ({interval}){over}.",
        )
    else:
        said = {
            "undecided": f"whether {subject} changes the gain of {of} {undecided}",
            "no difference": f"{subject} does not change the gain of {of}: {equal}",
        }.get(contrast.outcome, f"{subject} changed the gain of {of} by {change} ({interval}){over}.")
    said = at + said
    named = contrast.factor == "classifier" and said.startswith(contrast.level)
    return said if named else said[0].upper() + said[1:]
