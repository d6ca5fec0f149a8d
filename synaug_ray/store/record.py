"""What the Store keeps of a step, as JSON: a Record if it is done, a Failure if it failed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, get_args

from synaug_ray.plan.step import Stage

DIGEST = "sha256"  # a Record's checksum of itself, because a number with a flipped bit would still be valid JSON


@dataclass(frozen=True)
class Record:
    """A finished step: its fields, what it was made from, and its result."""

    stage: Stage
    key: str
    version: int
    fields: dict[str, Any]
    attempt: str
    parents: dict[str, str]  # key -> the attempt whose files were read
    files: dict[str, dict[str, Any]]  # name -> {"bytes": int, "sha256": str}
    result: dict[str, Any]
    made: dict[str, Any]  # provenance: where, when and with which software; never part of the identity
    finished: str


class Cause(StrEnum):
    """Why a step failed; ``synaug_ray.engine.failures`` says what is done about each."""

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
    session: str = ""  # id of the command's run in which it failed last


def record_text(record: Record) -> str:
    """A Record as JSON, with its own checksum.

    Raises:
        ValueError: for a number that is not finite.
    """
    values = asdict(record)
    return json.dumps(values | {DIGEST: _digest(values)}, sort_keys=True, allow_nan=False)


def read_record(text: bytes, stage: Stage, key: str) -> Record:
    """Parse what ``record_text`` wrote for a step; Records of older versions have no checksum.

    Raises:
        ValueError: if the text is not an intact Record of this step.
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
    """Parse a Failure. If it cannot be read, a Failure that says so is returned, since nothing depends on it."""
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
