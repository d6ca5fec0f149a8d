"""The answer of a run in a few lines for a terminal: what is recommended, and what was measured."""

from __future__ import annotations

from synaug_ray.report.sections.advice import recommended
from synaug_ray.store.run_folder import LAWS, QUALITY, STATUS, VERDICT, RunFolder


def answer_so_far(folder: RunFolder) -> str:
    """The first answer of a run that goes on, in a line, and where its page is."""
    laws, verdict, quality, status = map(folder.read_json, (LAWS, VERDICT, QUALITY, STATUS))
    advice = recommended(laws, verdict, quality, status)
    said = advice.sentence if advice else str((verdict or {}).get("headline") or "")
    return f"so far   {said}\n         {folder.url}/report.html is kept up to date"


def answer_text(folder: RunFolder, otherwise: str = "") -> str:
    """The advice on the page's card, the headlines of both test sets and where the results are, a line each.

    Args:
        otherwise: said while nothing is judged.
    """
    laws, verdict, quality, status = map(folder.read_json, (LAWS, VERDICT, QUALITY, STATUS))
    advice = recommended(laws, verdict, quality, status)
    second = ((verdict or {}).get("second_test") or {}).get("headline")
    said = [advice.sentence if advice else "", str((verdict or {}).get("headline") or ""), str(second or "")]
    lines = [line for line in said if line] or [otherwise]
    return "\n".join([*lines, f"results  {folder.url}", f"page     {folder.url}/report.html"])
