"""The time that is left of a run: from what its steps are expected to take, corrected by what those done took."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from synaug_ray.plan.steps import Step

TRUST = 0.05  # of the whole: after so much of the expected time, what was measured weighs as much as what was expected


class TimeLeft:
    """Follows steps to the end of a run. Steps that nobody expects anything of count as the average one."""

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
            expected: seconds of one slot that a step should take; None where that is unknown.
            slots: how many steps are worked on at once.
            began: when the work began, on ``time.monotonic``'s clock; now, by default.
            follows: whether ``begun`` is called during steps; otherwise only ends of steps are known.
        """
        steps = list(steps)
        known = {s.key: e for s in steps if (e := expected(s)) is not None}
        usual = sum(known.values()) / len(known) if known else 1.0
        self.total = len(steps)
        self._of = {s.key: s.cost_key for s in steps}
        self._expected = {s.key: known.get(s.key, usual) for s in steps}
        self._whole = sum(self._expected.values())
        self._guessed, self._follows = not known, follows
        self._slots, self._began = slots, time.monotonic() if began is None else began
        self._share: dict[str, float] = {}  # of each step that is begun; 1 where it is done
        self._took: dict[str, list[tuple[float, float]]] = defaultdict(list)  # by cost_key: (expected, taken)

    def begun(self, key: str, share: float) -> None:
        """A step is done to this share."""
        if key in self._expected:
            self._share[key] = max(share, self._share.get(key, 0.0))

    def done(self, keys: Iterable[str], seconds: float | None = None) -> None:
        """Steps have ended, in ``seconds`` of one slot together where that is known."""
        ended = [key for key in keys if key in self._expected and self._share.get(key) != 1.0]
        for key in ended:
            self._share[key] = 1.0
            if seconds is not None:
                self._took[self._of[key]].append((self._expected[key], seconds / len(ended)))

    @property
    def count(self) -> int:
        """Steps that have ended."""
        return sum(share == 1.0 for share in self._share.values())

    @property
    def share(self) -> float:
        """The share of the whole work that is done."""
        done = sum(self._expected[key] * share for key, share in self._share.items())
        return done / self._whole if self._whole else 1.0

    def seconds(self, now: float | None = None) -> float | None:
        """Seconds that are left; None as long as nothing was expected and nothing measured."""
        elapsed = (time.monotonic() if now is None else now) - self._began
        worked, share = elapsed * self._slots, self.share
        done = share * self._whole
        if self._guessed and share < TRUST:
            return None
        if not self._follows and not self._guessed:
            # what is in progress is not known to be done, so that taken to expected is too large at first
            ratio = 1 + share * (worked / done - 1) if done else 1.0
            return max(self._whole * ratio - worked, TRUST * (self._whole - done)) / self._slots
        # the ratio of taken to expected: of each kind of step where some ended, of the whole else
        prior = 0.0 if self._guessed else TRUST * self._whole
        overall = (worked + prior) / (done + prior) if done + prior else 1.0
        left = 0.0
        for key, expected in self._expected.items():
            pairs = self._took.get(self._of[key])
            asked = sum(e for e, _ in pairs) if pairs else 0.0
            ratio = sum(t for _, t in pairs) / asked if pairs and asked else overall
            left += expected * (1 - self._share.get(key, 0.0)) * ratio
        return left / self._slots
