"""The sentences of a comparison: its headline, what to know before a number is used, and what it cannot tell."""

from __future__ import annotations

from synaug_ray.analysis.comparison.comparison_results import Comparison, Group
from synaug_ray.analysis.comparison.explanations import what_they_can_tell
from synaug_ray.common.text import listed
from synaug_ray.laws.meta_analysis import LEAST_STUDIES
from synaug_ray.report import text
from synaug_ray.report.sections.comparison_figures import LEARNT, QUANTITIES, range_of, through, title_of

GRAVE = ("a control failed", "tables disagree")  # notes that belong at the top


def limits(group: Group, confidence: float) -> str:
    """What the data sets of a group cannot tell."""
    return what_they_can_tell(group.datasets, sum(e.slope is not None for e in group.explanations), confidence)


def headline(comparison: Comparison) -> str:
    """The answer in a sentence: of the group of learnt generators with the most data sets."""
    learnt = [group for group in comparison.groups if group.role in LEARNT]
    amount = "" if comparison.multiple is None else f" with {comparison.multiple:g} synthetic images per real one"
    lead = max(learnt, key=lambda g: g.datasets, default=None)
    if lead is None:
        return "No generator that learns was measured in these runs."
    if lead.gain.pooled is None:
        have = "1 data set has" if lead.datasets == 1 else f"{lead.datasets or 'no'} data sets have"
        return f"No mean: {have} a usable gain{amount}, and a mean takes {LEAST_STUDIES}."
    gain = QUANTITIES[0]
    mean, new = (through(e, gain.mean) for e in (lead.gain.pooled.mean, lead.gain.pooled.prediction))
    return (
        f"Mean gain{amount} on {lead.datasets} data sets ({title_of(lead)}): "
        f"{text.points((mean.value or 0.0) / 100)} points ({range_of(mean, gain)}). "
        f"On a new data set expect {range_of(new, gain)}."
    )


def warnings(comparison: Comparison) -> list[str]:
    """What to know before any number is used."""
    said = []
    refused: dict[str, list[str]] = {}
    estimable = {row.run for row in comparison.rows if row.why is None}
    for row in comparison.rows:
        if row.why:  # of a run that has other numbers, only this generator is meant
            name = f"{row.run} ({row.generator})" if row.run in estimable else row.run
            refused.setdefault(row.why.text, []).append(name)
    said += [f"{listed(dict.fromkeys(names))}: not estimable, since {why}." for why, names in refused.items()]
    units: dict[str, list[str]] = {}
    for row in comparison.rows:
        units.setdefault(row.unit, []).append(row.run)
    for names in units.values():
        if len(distinct := list(dict.fromkeys(names))) > 1:
            said.append(f"{listed(distinct)} have the same images: in means they count as one data set.")
    if len({row.confidence for row in comparison.rows}) > 1:
        said.append("The runs give intervals of different confidence; means rest on their standard errors.")
    if len({row.error_name for row in comparison.rows if row.draws}) > 1:
        said.append("Some runs measure the balanced error, others the test error: their gains are not of one kind.")
    said += [f"{row.run}: {note}." for row in comparison.rows for note in row.notes if note.startswith(GRAVE)]
    return list(dict.fromkeys(said))
