"""What the Store keeps of a step, as JSON: the Record of one that is done, the Failure of one that is not."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, get_args

from synaug_ray.plan.steps import Stage

DIGEST = "sha256"  # of a Record, in its own file: a flipped bit in a number would still be JSON


@dataclass(frozen=True)
class Record:
    """What one step was, from what, with what result."""

    stage: Stage
    key: str
    version: int
    fields: dict[str, Any]
    attempt: str
    parents: dict[str, str]  # key -> the attempt that was read
    files: dict[str, dict[str, Any]]  # name -> {"bytes": int, "sha256": str}
    result: dict[str, Any]
    made: dict[str, Any]  # where, when, with what; never part of the identity
    finished: str


@dataclass(frozen=True)
class Failure:
    """Why a step is not done."""

    stage: Stage
    key: str
    cause: str  # bug, data, diverged, collapsed, out of memory, preempted, storage
    message: str
    traceback: str
    attempts: int
    at: str
    session: str = ""  # the run of the command in which it failed last


def record_text(record: Record) -> str:
    """A Record as JSON, with its own checksum.

    Raises:
        ValueError: for a number that is not finite.
    """
    values = asdict(record)
    return json.dumps(values | {DIGEST: _digest(values)}, sort_keys=True, allow_nan=False)


def read_record(text: bytes, stage: Stage, key: str) -> Record:
    """The Record that ``record_text`` wrote for a step; one without a checksum is of an older version.

    Raises:
        ValueError: where it is no longer that.
    """
    values = _object(text)
    digest = values.pop(DIGEST, None)
    if digest is not None and digest != _digest(values):
        raise ValueError("it differs from its checksum")
    try:
        record = Record(**values)
    except TypeError as error:
        raise ValueError(str(error)) from None
    if (record.stage, record.key) != (stage, key):
        raise ValueError(f"it is of {record.stage} {record.key}")
    return record


def read_failure(text: bytes, stage: Stage, key: str) -> Failure:
    """A Failure; one that can no longer be read says so and nothing else, because it decides nothing."""
    try:
        failure = Failure(**_object(text))
        if failure.stage not in get_args(Stage) or not isinstance(failure.attempts, int):
            raise ValueError("its values are none")
    except (ValueError, TypeError) as error:
        return Failure(stage, key, "storage", f"why it failed can no longer be read ({error})", "", 1, "")
    return failure


def _object(text: bytes) -> dict[str, Any]:
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("it is no object")
    return values


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
