"""Finished steps on disk, by content key: what stands, what failed, and how a result is committed.

Layout below ``<storage>/store``::

    records/<stage>/<key>.json       the Record, written last: a step is done exactly if it stands; one that is damaged,
                                     or whose payload is, becomes <key>.<attempt>.corrupt, and its step is made again
    payload/<stage>/<key>/<attempt>/ the files of one attempt
    failures/<stage>/<key>.json      why it is not done, and how often it was tried
    scratch/<stage>/<key>/           checkpoints of unfinished work, removed at the commit

Two drivers at once cost double work and never a mixture: each writes an attempt of its own, a Record
names its attempt with sizes and checksums, and the Record that came first stays. Only safetensors,
JSON, Parquet and npy: no pickle.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from synaug_ray.common.errors import StorageProblem
from synaug_ray.plan.steps import STAGES, Stage, Step
from synaug_ray.store.filesystem import advice, open_url, reason, refusals
from synaug_ray.store.record import Cause, Failure, Record, read_failure, read_record, record_text
from synaug_ray.store.retry import with_retries

LOG = logging.getLogger(__name__)
KINDS = ("records", "payload", "failures", "scratch")  # of what is kept of a step

ROUND_TRIPS = 16  # at once, to an object store: one takes some 30 ms, whatever it brings
T = TypeVar("T")
R = TypeVar("R")


class CorruptPayload(Exception):
    """A payload differs from its Record (truncated, altered or gone); the Record was set aside."""


class MissingRecord(FileNotFoundError):
    """A step's Record does not stand: there was none, or it was damaged and has been set aside."""


class Store:
    """Records, payloads and failures below one path or URL."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.fs, self.root = open_url(self.url)
        self.local = isinstance(self.fs, LocalFileSystem)
        self.poll = 0.5 if self.local else 2.0  # seconds between two listings: on an object store each is paid for

    def check_writable(self) -> None:
        """Write and remove a marker, and ask for permission where steps will be written.

        Raises:
            StorageProblem: with the path and the operating system's reason.
        """
        try:
            probe = f"{self.root}/.probe-{uuid.uuid4().hex}"
            write_file(self.fs, probe, b"synaug_ray")
            self.fs.rm_file(probe)
        except Exception as error:  # object stores raise exceptions of their own
            how = "set --storage to a folder you may write to, or $SYNAUG_STORAGE" if self.local else advice(error)
            raise StorageProblem(f"cannot write to {self.url} ({reason(error)}); {how}") from None
        folders = [f"{self.root}/{kind}/{stage}" for kind in KINDS for stage in STAGES] if self.local else []
        closed = [f for f in folders if os.path.isdir(f) and not os.access(f, os.W_OK | os.X_OK)]
        if closed:  # another user's, say: better found now than after a training
            raise StorageProblem(
                f"cannot write to {', '.join(closed)}: no permission, or read-only; have it given, or "
                "set --storage to a folder you may write to"
            )

    def keys(self, stage: Stage) -> set[str]:
        """Keys of the steps whose Record stands: one listing, not one question a key."""
        return self._listing(f"records/{stage}")

    def failed(self, stage: Stage) -> dict[str, Failure]:
        """The standing failures of a stage by key."""

        def read(key: str) -> Failure | None:
            with suppress(FileNotFoundError):  # committed since the listing
                return read_failure(self._read(f"failures/{stage}/{key}.json"), stage, key)

        keys = sorted(self._listing(f"failures/{stage}"))
        return {k: f for k, f in zip(keys, self.each(read, keys), strict=True) if f is not None}

    def records(self, stage: Stage, keys: Iterable[str]) -> dict[str, Record]:
        """The Records, of those steps that are done, in the order given; raises as ``record``."""
        stands = self.keys(stage)

        def read(key: str) -> Record | None:
            with suppress(MissingRecord):  # set aside since the listing, or damaged
                return self.record(stage, key)

        keys = [key for key in keys if key in stands]
        return {k: r for k, r in zip(keys, self.each(read, keys), strict=True) if r is not None}

    def each(self, ask: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """``ask`` of each item, in order; on an object store several at once, since each is a round trip."""
        if self.local:
            return [ask(item) for item in items]
        with ThreadPoolExecutor(ROUND_TRIPS) as pool:
            return list(pool.map(ask, items))

    def record(self, stage: Stage, key: str) -> Record:
        """The Record of a finished step.

        Raises:
            MissingRecord: where none stands. One that is damaged (an edited file, a disk's fault) is set aside.
        """
        path = f"records/{stage}/{key}.json"
        try:
            return read_record(self._read(path), stage, key)
        except FileNotFoundError:
            raise MissingRecord(f"no record of {stage} {key}") from None
        except ValueError as error:
            self._set_aside(path, "damaged", str(error))
            raise MissingRecord(f"the record of {stage} {key} was damaged ({error})") from None

    def has(self, step: Step) -> bool:
        """Whether the step's Record stands; its stored fields are compared with the request.

        Raises:
            StorageProblem: for a Record under this key with other fields (an edited file, or a
                change of code without a change of ``version``).
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
                f"{self._at(f'records/{step.stage}/{step.key}.json')} was made with other fields "
                f"({', '.join(sorted(changed))}); remove it to have it made again"
            )
        return True

    def read(self, record: Record, name: str) -> bytes:
        """One file of a Record's payload, its checksum verified.

        Raises:
            CorruptPayload: after setting the Record aside, so that the next run makes it again.
        """
        expected = record.files[name]
        try:
            data = self._read(f"payload/{record.stage}/{record.key}/{record.attempt}/{name}")
        except FileNotFoundError:
            data = b""
        if len(data) != expected["bytes"] or hashlib.sha256(data).hexdigest() != expected["sha256"]:
            self._renounce(record, f"{name} of it differs from its checksum")
            raise CorruptPayload(
                f"{name} of {record.stage} {record.key} differs from its record "
                f"({len(data):,} bytes, {expected['bytes']:,} expected)"
            )
        return data

    def commit(self, step: Step, result: dict[str, Any], payload: dict[str, bytes], made: dict[str, Any]) -> Record:
        """Write the payload, then the Record; from then on the step is done.

        Where another driver's Record came to stand in the meantime, that one is returned: what was made from it
        would else be of two minds, and on a GPU two attempts differ.
        """
        attempt = uuid.uuid4().hex[:12]
        files = {}
        for name, data in payload.items():
            self._write(f"payload/{step.stage}/{step.key}/{attempt}/{name}", data)
            files[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        parents = {p.key: self.record(p.stage, p.key).attempt for p in step.parents()}
        record = Record(step.stage, step.key, step.version, step.fields(), attempt, parents, files, result, made, now())
        with suppress(MissingRecord):
            first = self.record(step.stage, step.key)
            self._remove_folder(f"payload/{step.stage}/{step.key}/{attempt}")
            return first
        self._write(f"records/{step.stage}/{step.key}.json", record_text(record).encode())
        self._remove(self._at(f"failures/{step.stage}/{step.key}.json"))
        if step.stage == "generator":  # nothing else takes long enough to leave any
            self.drop_scratch(step)
        return record

    def fail(
        self, step: Step, cause: Cause, message: str, traceback: str, session: str = "", tries: int = 1
    ) -> Failure:
        """Keep why a step failed, after so many tries; the next run tries it again."""
        path = f"failures/{step.stage}/{step.key}.json"
        try:
            attempts = read_failure(self._read(path), step.stage, step.key).attempts
        except FileNotFoundError:
            attempts = 0
        failure = Failure(step.stage, step.key, Cause(cause), message, traceback, attempts + tries, now(), session)
        self._write(path, json.dumps(asdict(failure)).encode())
        return failure

    def save_scratch(self, step: Step, name: str, data: bytes) -> None:
        """Keep a checkpoint of unfinished work, replacing the one before."""
        self._write(f"scratch/{step.stage}/{step.key}/{name}", data)

    def load_scratch(self, step: Step, name: str) -> bytes | None:
        """The last checkpoint, or None."""
        try:
            return self._read(f"scratch/{step.stage}/{step.key}/{name}")
        except FileNotFoundError:
            return None

    def drop_scratch(self, step: Step) -> None:
        """Throw the checkpoints of a step away."""
        self._remove_folder(f"scratch/{step.stage}/{step.key}")

    def _renounce(self, record: Record, why: str) -> None:
        """Take a Record out of the way, unless another attempt's stands there by now."""
        with suppress(MissingRecord):  # done by another process
            if self.record(record.stage, record.key).attempt == record.attempt:
                self._set_aside(f"records/{record.stage}/{record.key}.json", record.attempt, why)

    def _set_aside(self, path: str, name: str, why: str) -> None:
        """Rename a Record, so that its step is made again; who may only read leaves it."""
        aside = f"{path.removesuffix('.json')}.{name}.corrupt"
        with suppress(OSError, StorageProblem):
            if self.local:
                os.rename(self._at(path), self._at(aside))
            else:  # an object store has no rename
                self._write(aside, self._read(path))
                self._remove(self._at(path))
            LOG.warning("%s/%s was set aside (%s): its step is made again", self.url, path, why)

    def _at(self, relative: str) -> str:
        return f"{self.root}/{relative}"

    def _listing(self, relative: str) -> set[str]:
        try:
            with refusals(self.fs, f"read {self.url}"):
                names = os.listdir(self._at(relative)) if self.local else self.fs.ls(self._at(relative), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return set()
        except OSError as error:
            raise StorageProblem(
                f"cannot read {self.url} ({reason(error)}); check that it is there and that you may read it"
            ) from None
        return {n.rsplit("/", 1)[-1].removesuffix(".json") for n in names if n.endswith(".json")}

    def _read(self, relative: str) -> bytes:
        def read() -> bytes:
            return self.fs.cat_file(self._at(relative))  # type: ignore[return-value]

        if self.local:
            return with_retries(read, f"read {self.url}/{relative}")
        with refusals(self.fs, f"read {self.url}"):  # its own client has been patient
            return read()

    def _write(self, relative: str, data: bytes) -> None:
        if self.local:
            return with_retries(lambda: write_file(self.fs, self._at(relative), data), f"write {self.url}/{relative}")
        with refusals(self.fs, f"write to {self.url}"):
            write_file(self.fs, self._at(relative), data)

    def _remove(self, path: str) -> None:
        with refusals(self.fs, f"write to {self.url}"), suppress(FileNotFoundError):
            self.fs.rm_file(path)

    def _remove_folder(self, relative: str) -> None:
        with refusals(self.fs, f"write to {self.url}"), suppress(FileNotFoundError):
            if self.local:
                self.fs.rm(self._at(relative), recursive=True)
                return
            for path in self.fs.find(self._at(relative)):  # not rm: it reads a name with brackets as a pattern
                self._remove(str(path))


def write_file(fs: fsspec.AbstractFileSystem, path: str, data: bytes) -> None:
    """Write a whole file or nothing: locally by fsync and rename, on an object store by one put."""
    if not isinstance(fs, LocalFileSystem):
        fs.pipe_file(path, data)
        return
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise


def finite(value: Any) -> Any:
    """JSON values; numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    if isinstance(value, float) and not (value == value and abs(value) != float("inf")):
        return None
    return value


def now() -> str:
    """The present time, ISO 8601, UTC."""
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
    "write_file",
]
