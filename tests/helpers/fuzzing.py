"""Mutated input must give a result or an error message, never a traceback, and never hang.

Mutations are seeded, so that failures are reproducible. ``SYNAUG_FUZZ=8`` makes eight times as many, all different.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

from synaug_ray.common.errors import Problem

BUDGET = int(os.environ.get("SYNAUG_FUZZ", "1"))
CASE_SECONDS = 20  # far more than any case takes, even on a busy machine
LONGEST = 4_000  # characters of a sentence, which may list all keys or data sets


def cut(case):
    """A case, shortened for a failure message."""
    return repr(case)[:600]


@contextmanager
def in_time(case):
    """Fail if a case hangs."""

    def late(number, frame):
        raise AssertionError(f"took over {CASE_SECONDS} s: {cut(case)}")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, CASE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(case, call):
    """What a call returns, or None if it refuses in sentences of one line; anything else is a bug."""
    with in_time(case):
        try:
            return call()
        except Problem as problem:
            assert problem.sentences and all(s and "\n" not in s for s in problem.sentences), cut(case)
            assert all(len(s) < LONGEST for s in problem.sentences), cut(case)
            return None
        except AssertionError:
            raise
        except BaseException as error:
            raise AssertionError(f"{type(error).__name__} from {cut(case)}") from error
