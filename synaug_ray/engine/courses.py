"""One training, several generators: where a longer training begins with a shorter one, it goes on from its end.

The end of the longest training so far lies beside the store's steps, under the key of the course. Whether it is there
changes what a generator costs, never its bits; one that is lost or damaged is made again from the start.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from synaug_ray.plan.steps import GeneratorStep
from synaug_ray.store.store import Store

NOTE = "continued"  # name of the notes in a generator's scratch, and of their entry in its Record
SPENT = ("seconds", "cpu_seconds")


@dataclass(frozen=True)
class Before:
    """What a generator's training went on from.

    ``nimg`` images were seen until there in ``seconds`` (``cpu_seconds`` of all processes), the whole way from the
    start; ``made`` are notes on it that belong into the Records of all that go on from there.
    """

    nimg: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    made: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"nimg": self.nimg, "seconds": self.seconds, "cpu_seconds": self.cpu_seconds, "made": self.made}

    def notes(self) -> dict[str, Any]:
        """Its entries in a Record's ``made``; none for a training from the start."""
        return {**self.made, NOTE: {name: getattr(self, name) for name in ("nimg", *SPENT)}} if self.nimg else {}


def find(store: Store, step: GeneratorStep) -> tuple[Before, bytes | None]:
    """The longest training that this one begins with, and its state; an empty one and None if there is none."""
    kept = store.load_shared(step.course) if step.course else None
    head, _, state = (kept or b"").partition(b"\n")
    before = _read(head)
    end = step.recipe.length(step.subset.num_real) + getattr(step.recipe, "batch", 0)  # trainings end with a batch
    if before is None or not state or before.nimg >= end:
        return Before(), None
    store.save_scratch(step, NOTE, head)  # a run that is killed goes on from its own checkpoint
    return before, state


def noted(store: Store, step: GeneratorStep) -> Before:
    """What an unfinished training went on from when it began."""
    return _read(store.load_scratch(step, NOTE) or b"") or Before() if step.course else Before()


def keep(store: Store, step: GeneratorStep, end: Before, state: bytes) -> None:
    """Keep the end of a training for longer ones, unless that of a longer one is there."""
    there = _read((store.load_shared(step.course) or b"").partition(b"\n")[0])
    if there is None or there.nimg < end.nimg:
        store.save_shared(step.course, json.dumps(end.as_json()).encode() + b"\n" + state)


def discard(store: Store, step: GeneratorStep) -> None:
    """Forget what is kept, as it is damaged."""
    if step.course:
        store.save_shared(step.course, b"")


def spent_before(made: dict[str, Any]) -> dict[str, float]:
    """Of a Record's ``made``: seconds in its result that the shorter trainings, which have Records too, spent."""
    before = made.get(NOTE) or {}
    return {name: float(before.get(name, 0.0)) for name in SPENT}


def _read(head: bytes) -> Before | None:
    try:
        return Before(**json.loads(head))
    except (ValueError, TypeError):  # not JSON, other fields: nothing else reads it
        return None
