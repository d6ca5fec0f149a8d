"""Estimates the remaining time of a run from expected times of its steps, corrected by the times of finished ones."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from synaug_ray.plan.step import Step

TRUST = 0.05  # share of the expected time after which measured and expected times have equal weight


class TimeLeft:
    """Follows the steps of a run to its end. Kinds of steps without an expected time count as average ones."""

    def __init__(
        self,
        steps: Iterable[Step],
        expected: Callable[[Step], float | None],
        slots: int = 1,
        began: float | None = None,
        follows: bool = True,
    ) -> None:
        """Take the steps of the run.

        Args:
            expected: seconds of one slot that a step should take; None if unknown.
            slots: number of steps that run at the same time.
            began: start of the work by ``time.monotonic``; by default now.
            follows: whether ``begun`` is called during steps; otherwise only their ends are known.
        """
        steps = list(steps)
        known = {s.key: e for s in steps if (e := expected(s)) is not None}
        timed = [e for e in known.values() if e > 0]  # what costs nothing tells nothing of the others
        usual = sum(timed) / len(timed) if timed else 1.0
        guess = _by_work([s for s in steps if s.key not in known], usual)
        self.total = len(steps)
        self._of = {s.key: s.cost_key for s in steps}
        self._expected = known | guess
        self._whole = sum(self._expected.values())
        self._guessed, self._follows = not timed, follows
        self._slots, self._began = slots, time.monotonic() if began is None else began
        self._share: dict[str, float] = {}  # of each step that has begun
        self._ended: set[str] = set()
        self._took: dict[str, list[tuple[float, float]]] = defaultdict(list)  # by cost_key: (expected, taken)

    def begun(self, key: str, share: float) -> None:
        """Record that this share of a step is done."""
        if key in self._expected:
            self._share[key] = max(share, self._share.get(key, 0.0))

    def done(self, keys: Iterable[str], seconds: float | None = None) -> None:
        """Record the end of steps, and the ``seconds`` of one slot that they took together, if known."""
        ended = [key for key in keys if key in self._expected and key not in self._ended]
        for key in ended:
            self._share[key] = 1.0  # as it may have been before: the last image is seen before the result is stored
            self._ended.add(key)
            if seconds is not None:
                self._took[self._of[key]].append((self._expected[key], seconds / len(ended)))

    @property
    def count(self) -> int:
        """Number of steps that have ended."""
        return len(self._ended)

    @property
    def share(self) -> float:
        """Share of all work that is done."""
        done = sum(self._expected[key] * share for key, share in self._share.items())
        return done / self._whole if self._whole else 1.0

    def seconds(self, now: float | None = None) -> float | None:
        """Remaining seconds; None until some time is expected or measured."""
        elapsed = (time.monotonic() if now is None else now) - self._began
        worked, share = elapsed * self._slots, self.share
        done = share * self._whole
        if self._guessed and share < TRUST:
            return None
        if not self._follows and not self._guessed:
            # work in progress is not counted as done, so the ratio of taken to expected time is too large at first
            ratio = 1 + share * (worked / done - 1) if done else 1.0
            return max(self._whole * ratio - worked, TRUST * (self._whole - done)) / self._slots
        # the ratio of taken to expected time: of each kind of step if some of it ended, else of all steps
        prior = 0.0 if self._guessed else TRUST * self._whole
        overall = (worked + prior) / (done + prior) if done + prior else 1.0
        left = 0.0
        for key, expected in self._expected.items():
            pairs = self._took.get(self._of[key])
            asked = sum(e for e, _ in pairs) if pairs else 0.0
            ratio = sum(t for _, t in pairs) / asked if pairs and asked else overall
            left += expected * (1 - self._share.get(key, 0.0)) * ratio
        return left / self._slots


def _by_work(steps: Iterable[Step], usual: float) -> dict[str, float]:
    """An expected time of each step: ``usual`` in the mean of its kind, and in proportion to its images within it."""
    kinds: dict[str, list[Step]] = defaultdict(list)
    for step in steps:
        kinds[step.cost_key].append(step)
    means = {kind: sum(s.images_seen for s in of) / len(of) for kind, of in kinds.items()}
    return {
        s.key: usual * (s.images_seen / means[kind] if means[kind] else 1.0) for kind, of in kinds.items() for s in of
    }
