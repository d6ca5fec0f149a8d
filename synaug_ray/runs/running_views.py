"""The views of a run that works in this process, rebuilt between its steps: its page shows the first partial answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from synaug_ray.runs.answer import SAID_SECONDS, answer_so_far
from synaug_ray.runs.outputs import refresh
from synaug_ray.runs.run import Run, RunState

LEAST_SECONDS = 60.0  # before the first refresh (shorter runs need none), and between two
QUIET_SHARE = 20  # pause of at least 20 t after a refresh of t seconds: 5% of the time
REPLICATES = 100  # enough for a provisional interval, too few for a verdict


class RunningViews:
    """Call it between steps: it rebuilds status, tables, verdict and page where that is due.

    A failure is logged and tried again later: what is done stands in the Store, and the end of the run rebuilds all.
    """

    def __init__(self, run: Run, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """``say`` is told the first answer, and after each milestone the one that has changed."""
        self._run, self._say, self._clock = run, say, clock
        self._began = self._ended = clock()
        self._pause = LEAST_SECONDS
        self._answered = self._news = self._reached = False
        self._told, self._said = "", 0.0

    def __call__(self, milestone: bool) -> None:
        """``milestone``: the first trials with synthetic images are done, or a draw is."""
        self._news = self._news or not milestone  # a milestone follows the step that reached it
        self._reached = self._reached or milestone
        now = self._clock()
        first = milestone and not self._answered  # does not wait: the step after it may take hours
        pause = 0.0 if first else LEAST_SECONDS if milestone else self._pause
        if not self._news or now - self._began < LEAST_SECONDS or now - self._ended < pause:
            return
        self._answered, self._news = self._answered or milestone, False
        try:
            self._refresh()
        except Exception:  # a view is no reason to lose the step after it
            logging.getLogger(__name__).exception("the run's views were not refreshed")
        self._ended = self._clock()
        self._pause = max(LEAST_SECONDS, QUIET_SHARE * (self._ended - now))

    def _refresh(self) -> None:
        analysis = refresh(self._run, RunState.RUNNING, replicates=min(REPLICATES, self._run.spec.replicates))
        again = self._reached and self._clock() - self._said >= SAID_SECONDS
        if analysis is None or not analysis.verdicts or (self._told and not again):
            return
        self._reached = False
        answer = answer_so_far(self._run.folder)
        if answer != self._told:
            self._told, self._said = answer, self._clock()
            self._say(answer)
