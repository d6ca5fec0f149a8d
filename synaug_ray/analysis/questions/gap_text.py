"""The gap between real and synthetic images in sentences that need no paper."""

from __future__ import annotations

from synaug_ray.analysis.questions.gap_results import APPEARANCE, CONTENT, LABEL, TRACED, Gap, GapPart
from synaug_ray.analysis.verdict_text import margin, points, setting, span
from synaug_ray.common.text import listed

MEANS = {  # what is to be done about a part that costs
    APPEARANCE: "how the images look",
    CONTENT: "which images it makes",
    LABEL: "which labels they carry",
}


def sentence(gap: Gap, delta: float) -> str:
    """What the gap is, its parts, and what they say."""
    at = "" if gap.num_real is None else f"At {gap.num_real:,} real and {gap.num_synthetic:,} synthetic images: "
    over = f", on average over {gap.cells:,} cells" if gap.cells > 1 else ""
    use = setting(gap.real_share, gap.protocol)
    whole = (
        f"{at}images of {gap.generator} in place of as many held-out real ones ({gap.classifier}, {use}) change the "
        f"error by {_shown(gap.whole)} points{over}"
    )
    parts = ", ".join(f"{part.part} {_shown(part)}" for part in gap.parts)
    return f"{whole[0].upper()}{whole[1:]}. Of this: {parts}. {_meaning(gap, delta)}{_left(gap)}{_judges(gap)}"


def _shown(part: GapPart) -> str:
    return f"{points(part.simultaneous.value or 0.0)} ({span(part.simultaneous)})"


def _meaning(gap: Gap, delta: float) -> str:
    by = {word: [part.part for part in gap.parts if part.outcome == word] for word in ("costs", "gains", "nothing")}
    if not by["costs"]:
        return "No part is shown to cost anything." + _within(by["nothing"], delta)
    said = [MEANS[name] for part in by["costs"] for name in part.split(" and ")]
    joined = any(" and " in part for part in by["costs"])
    text = f"What is shown to cost is {listed(said)}{' (not told apart)' if joined else ''}"
    return f"{text}{'; ' + listed(by['gains']) + ' gains instead' if by['gains'] else ''}." + _within(
        by["nothing"], delta
    )


def _within(parts: list[str], delta: float) -> str:
    if not parts:
        return ""
    return (
        f" {listed(parts)[0].upper()}{listed(parts)[1:]} {'is' if len(parts) == 1 else 'are'} within ±{margin(delta)}."
    )


def _left(gap: Gap) -> str:
    """A note where re-made images are no longer the same images."""
    if gap.traced is None or gap.traced >= TRACED:
        return ""
    return (
        f" But only {gap.traced:.0%} of the re-made images are still nearest to the image that they were made of: "
        "they are partly other images, so that content counts as appearance here. Re-make them at a lower strength."
    )


def _judges(gap: Gap) -> str:
    """A note where the judges' own mistakes are shown to matter."""
    judges = gap.judges
    if judges is None or judges.outcome != "costs":
        return ""
    return (
        f" The judges that correct labels err too: relabelling held-out images by them changes the error by "
        f"{_shown(judges)} points, so that labels cost more, and content less, than is said here."
    )
