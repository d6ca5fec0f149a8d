"""What the Store keeps of a step, as JSON: the Record of one that is done, the Failure of one that failed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, get_args

from synaug_ray.plan.steps import Stage

DIGEST = "sha256"  # in a Record's own file: a number with a flipped bit would still be JSON


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


class Cause(StrEnum):
    """Why a step failed; what each deserves: ``synaug_ray.engine.failures``."""

    BUG = "bug"
    DATA = "data"
    DIVERGED = "diverged"
    COLLAPSED = "collapsed"
    OUT_OF_MEMORY = "out of memory"
    PREEMPTED = "preempted"
    STORAGE = "storage"


@dataclass(frozen=True)
class Failure:
    """Why a step is not done."""

    stage: Stage
    key: str
    cause: Cause
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
    """The Record that ``record_text`` wrote for a step; without a checksum it is of an older version.

    Raises:
        ValueError: if the text is not such a Record.
    """
    values = _object(text)
    digest = values.pop(DIGEST, None)
    if digest is not None and digest != _digest(values):
        raise ValueError("checksum mismatch")
    try:
        record = Record(**values)
    except TypeError as error:
        raise ValueError(str(error)) from None
    if (record.stage, record.key) != (stage, key):
        raise ValueError(f"it belongs to {record.stage} {record.key}")
    return record


def read_failure(text: bytes, stage: Stage, key: str) -> Failure:
    """A Failure; if it cannot be read, one that says so: nothing depends on it, so this is no error."""
    try:
        values = _object(text)
        values["cause"] = Cause(values.get("cause"))
        failure = Failure(**values)
        if failure.stage not in get_args(Stage) or not isinstance(failure.attempts, int):
            raise ValueError("not the values of a failure")
    except (ValueError, TypeError) as error:
        return Failure(stage, key, Cause.STORAGE, f"why it failed can no longer be read ({error})", "", 1, "")
    return failure


def _object(text: bytes) -> dict[str, Any]:
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")
    return values


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
