"""The answer of a run in a few lines for a terminal: what is recommended, and what was measured."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from synaug_ray.report.sections.advice import recommended
from synaug_ray.store.run_folder import LAWS, QUALITY, STATUS, VERDICT, RunFolder

SAID_SECONDS = 300.0  # at least, between two answers in the terminal


def answer_so_far(folder: RunFolder) -> str:
    """The first answer of a run that goes on, in a line, and where its page is."""
    laws, verdict, quality, status = map(folder.read_json, (LAWS, VERDICT, QUALITY, STATUS))
    advice = recommended(laws, verdict, quality, status)
    said = advice.sentence if advice else str((verdict or {}).get("headline") or "")
    return f"so far   {said}\n         {folder.url}/report.html is kept up to date"


class SoFar:
    """Says the answers of a run whose views another process refreshes, when it is called and they have changed.

    The first at once; each further one at least SAID_SECONDS later, and a quarter of the time that the run has taken.
    """

    def __init__(self, folder: RunFolder, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic):
        self._folder, self._say, self._clock, self._began = folder, say, clock, clock()
        self._seen, self._said = folder.read(VERDICT), -math.inf  # of an earlier session

    def __call__(self) -> None:
        now, found = self._clock(), self._folder.read(VERDICT)
        if now - self._said < max(SAID_SECONDS, (now - self._began) / 4) or found is None or found == self._seen:
            return
        if (self._folder.read_json(VERDICT) or {}).get("verdicts"):
            self._seen, self._said = found, now
            self._say(answer_so_far(self._folder))


def answer_text(folder: RunFolder, otherwise: str = "") -> str:
    """The advice on the page's card, the headlines of both test sets and where the results are, a line each.

    Args:
        otherwise: said while nothing is judged.
    """
    laws, verdict, quality, status = map(folder.read_json, (LAWS, VERDICT, QUALITY, STATUS))
    advice = recommended(laws, verdict, quality, status)
    found = verdict or {}
    said = [advice.sentence if advice else "", found.get("headline"), (found.get("second_test") or {}).get("headline")]
    if advice and said[1] == advice.reason:
        said[1] = ""
    lines = [str(line) for line in said if line] or [otherwise]
    return "\n".join([*lines, f"results  {folder.url}", f"page     {folder.url}/report.html"])
