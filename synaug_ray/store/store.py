"""Finished steps by content key: which are done, which failed, and how a result is committed.

Layout below ``<storage>/store``::

    records/<stage>/<key>.json       the Record, written last: a step is done if and only if it exists; if it or its
                                     payload is damaged, it becomes <key>.<attempt>.corrupt and the step is redone
    payload/<stage>/<key>/<attempt>/ the files of one attempt
    failures/<stage>/<key>.json      why it is not done, and how often it was tried
    scratch/<stage>/<key>/           checkpoints of unfinished work, removed by the commit
    shared/<key>.safetensors         what several steps need, and any process can recreate

Two drivers at once may do work twice, but never mix their results: each writes an attempt of its own, a Record refers
to one attempt with sizes and checksums, and the first Record stays. Only safetensors, JSON, Parquet and npy: no pickle.
"""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypeVar

from synaug_ray.common.errors import StorageProblem
from synaug_ray.plan.step import STAGES, Stage, Step
from synaug_ray.store.backends import LocalBackend, check_writable, open_backend
from synaug_ray.store.filesystem import reason
from synaug_ray.store.record import Cause, Failure, Record, read_failure, read_record, record_text

LOG = logging.getLogger(__name__)
KINDS = ("records", "payload", "failures", "scratch")  # folders with what is kept of a step

T = TypeVar("T")
R = TypeVar("R")


class CorruptPayload(Exception):
    """A payload differs from its Record (truncated, altered or missing); the Record was set aside."""


class MissingRecord(FileNotFoundError):
    """A step has no Record: there never was one, or it was damaged and has been set aside."""


class Store:
    """Records, payloads and failures below one path or URL."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._backend = open_backend(self.url)
        self.fs, self.root = self._backend.fs, self._backend.root
        self.local = isinstance(self._backend, LocalBackend)
        self.poll = self._backend.poll_seconds

    def check_writable(self) -> None:
        """Check that steps can be written; raises StorageProblem with the path and the operating system's reason."""
        check_writable(self._backend, (f"{kind}/{stage}" for kind in KINDS for stage in STAGES))

    def keys(self, stage: Stage) -> set[str]:
        """Keys of a stage's finished steps, from one listing."""
        return self._listing(f"records/{stage}")

    def failed(self, stage: Stage) -> dict[str, Failure]:
        """A stage's failures by key."""

        def read(key: str) -> Failure | None:
            with suppress(FileNotFoundError):  # the step was committed after the listing
                return read_failure(self._backend.read(f"failures/{stage}/{key}.json"), stage, key)

        keys = sorted(self._listing(f"failures/{stage}"))
        return {k: f for k, f in zip(keys, self.map(read, keys), strict=True) if f is not None}

    def records(self, stage: Stage, keys: Iterable[str]) -> dict[str, Record]:
        """The Records of those steps that are done, by key, in the order given."""
        done = self.keys(stage)

        def read(key: str) -> Record | None:
            with suppress(MissingRecord):  # damaged, or set aside after the listing
                return self.record(stage, key)

        keys = [key for key in keys if key in done]
        return {k: r for k, r in zip(keys, self.map(read, keys), strict=True) if r is not None}

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """The results of ``function`` for each item, in order; concurrently on remote storage, to save round trips."""
        return self._backend.map(function, items)

    def record(self, stage: Stage, key: str) -> Record:
        """The Record of a finished step.

        Raises:
            MissingRecord: if there is none, or if it was damaged (edited, a disk error); then it is set aside.
        """
        path = f"records/{stage}/{key}.json"
        try:
            return read_record(self._backend.read(path), stage, key)
        except FileNotFoundError:
            raise MissingRecord(f"no record of {stage} {key}") from None
        except ValueError as error:
            self._set_aside(path, "damaged", str(error))
            raise MissingRecord(f"the record of {stage} {key} was damaged ({error})") from None

    def has(self, step: Step) -> bool:
        """Whether the step is done; compares the stored fields with the step's.

        Raises:
            StorageProblem: if the Record of this key has other fields (the file was edited, or the code was changed
                without a new ``version``).
        """
        try:
            record = self.record(step.stage, step.key)
        except MissingRecord:
            return False
        if record.fields != json.loads(json.dumps(step.fields())):
            changed = {
                k
                for k in record.fields.keys() | step.fields().keys()
                if record.fields.get(k) != json.loads(json.dumps(step.fields())).get(k)
            }
            raise StorageProblem(
                f"{self.root}/records/{step.stage}/{step.key}.json was made with other fields "
                f"({', '.join(sorted(changed))}); delete it, and the step is done again",
                code="record-of-other-fields",
            )
        return True

    def read(self, record: Record, name: str) -> bytes:
        """One file of a Record's payload, after verifying its checksum.

        Raises:
            CorruptPayload: if it differs; the Record is set aside, so that the step is done again.
        """
        expected = record.files[name]
        try:
            data = self._backend.read(f"payload/{record.stage}/{record.key}/{record.attempt}/{name}")
        except FileNotFoundError:
            data = b""
        if len(data) != expected["bytes"] or hashlib.sha256(data).hexdigest() != expected["sha256"]:
            self._invalidate(record, f"the checksum of its file {name} differs")
            raise CorruptPayload(
                f"{name} of {record.stage} {record.key} differs from its record "
                f"({len(data):,} bytes, {expected['bytes']:,} expected)"
            )
        return data

    def commit(self, step: Step, result: dict[str, Any], payload: dict[str, bytes], made: dict[str, Any]) -> Record:
        """Write the payload, then the Record; from then on the step is done.

        If another driver has committed the step in the meantime, that Record is kept and returned: on a GPU, two
        attempts differ, and other steps may already depend on the first one.
        """
        attempt = uuid.uuid4().hex[:12]
        files = {}
        for name, data in payload.items():
            self._backend.write(f"payload/{step.stage}/{step.key}/{attempt}/{name}", data)
            files[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        parents = {p.key: self.record(p.stage, p.key).attempt for p in step.parents()}
        record = Record(step.stage, step.key, step.version, step.fields(), attempt, parents, files, result, made, now())
        with suppress(MissingRecord):
            first = self.record(step.stage, step.key)
            self._backend.remove_folder(f"payload/{step.stage}/{step.key}/{attempt}")
            return first
        self._backend.write(f"records/{step.stage}/{step.key}.json", record_text(record).encode())
        self._backend.remove(f"failures/{step.stage}/{step.key}.json")
        if step.stage == "generator":  # no other stage takes long enough to save checkpoints
            self.drop_scratch(step)
        return record

    def fail(
        self, step: Step, cause: Cause, message: str, traceback: str, session: str = "", tries: int = 1
    ) -> Failure:
        """Record why a step failed after ``tries`` attempts; the next run tries it again."""
        path = f"failures/{step.stage}/{step.key}.json"
        try:
            attempts = read_failure(self._backend.read(path), step.stage, step.key).attempts
        except FileNotFoundError:
            attempts = 0
        failure = Failure(step.stage, step.key, Cause(cause), message, traceback, attempts + tries, now(), session)
        self._backend.write(path, json.dumps(asdict(failure)).encode())
        return failure

    def save_scratch(self, step: Step, name: str, data: bytes) -> None:
        """Save a checkpoint of unfinished work, replacing the previous one."""
        self._backend.write(f"scratch/{step.stage}/{step.key}/{name}", data)

    def load_scratch(self, step: Step, name: str) -> bytes | None:
        """The last checkpoint, or None."""
        try:
            return self._backend.read(f"scratch/{step.stage}/{step.key}/{name}")
        except FileNotFoundError:
            return None

    def drop_scratch(self, step: Step) -> None:
        """Remove the checkpoints of a step."""
        self._backend.remove_folder(f"scratch/{step.stage}/{step.key}")

    def save_shared(self, key: str, data: bytes) -> None:
        """Save something that several steps need, and that any process can recreate from its key."""
        self._backend.write(f"shared/{key}.safetensors", data)

    def load_shared(self, key: str) -> bytes | None:
        """What was saved last, without a check, or None."""
        try:
            return self._backend.read(f"shared/{key}.safetensors")
        except FileNotFoundError:
            return None

    def _invalidate(self, record: Record, why: str) -> None:
        """Set a Record aside, unless another attempt has replaced it by now."""
        with suppress(MissingRecord):  # another process has already done so
            if self.record(record.stage, record.key).attempt == record.attempt:
                self._set_aside(f"records/{record.stage}/{record.key}.json", record.attempt, why)

    def _set_aside(self, path: str, name: str, why: str) -> None:
        """Rename a Record, so that its step is done again; without permission to write, it stays."""
        aside = f"{path.removesuffix('.json')}.{name}.corrupt"
        with suppress(OSError, StorageProblem):
            self._backend.rename(path, aside)
            LOG.warning("%s/%s was set aside (%s): its step is done again", self.url, path, why)

    def _listing(self, relative: str) -> set[str]:
        try:
            names = self._backend.names(relative)
        except (FileNotFoundError, NotADirectoryError):
            return set()
        except OSError as error:
            raise StorageProblem(
                f"cannot read {self.url} ({reason(error)}); check that it exists and that you may read it",
                code="storage-unreadable",
            ) from None
        return {name.removesuffix(".json") for name in names if name.endswith(".json")}


def finite(value: Any) -> Any:
    """JSON values in which numbers that are not finite have become None."""
    if isinstance(value, dict):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    if isinstance(value, float) and not (value == value and abs(value) != float("inf")):
        return None
    return value


def now() -> str:
    """The current time in UTC, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


__all__ = [
    "STAGES",
    "Cause",
    "CorruptPayload",
    "Failure",
    "MissingRecord",
    "Record",
    "Store",
    "finite",
    "now",
]
