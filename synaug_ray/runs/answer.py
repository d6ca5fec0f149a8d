"""The answer of a run in a few lines for a terminal: what is recommended, and what was measured."""

from __future__ import annotations

from synaug_ray.report.run_view import read
from synaug_ray.report.sections.advice import recommended
from synaug_ray.store.run_folder import RunFolder


def answer_text(folder: RunFolder, otherwise: str = "") -> str:
    """The advice on the page's card, the headline and where the results are, a line each.

    Args:
        otherwise: said while nothing is judged.
    """
    run = read(folder.url, images=False)
    advice = recommended(run)
    said = [advice.sentence if advice else "", str((run.verdict or {}).get("headline") or "")]
    lines = [line for line in said if line] or [otherwise]
    return "\n".join([*lines, f"results  {folder.url}", f"page     {folder.url}/report.html"])
