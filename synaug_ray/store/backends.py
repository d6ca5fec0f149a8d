"""The operations that the Store needs of its storage, on local file systems and on remote storage behind a URL.

Paths are relative to the Store's root, with slashes.
"""

from __future__ import annotations

import os
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ClassVar, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from synaug_ray.common.errors import StorageProblem
from synaug_ray.store.filesystem import advice, open_url, read_file, reason, refusals
from synaug_ray.store.retry import with_retries

ROUND_TRIPS = 16  # concurrent requests to remote storage: one takes some 30 ms, however little it returns
T = TypeVar("T")
R = TypeVar("R")


class Backend(ABC):
    """Files below one root; each is written atomically."""

    poll_seconds: ClassVar[float]  # seconds between two listings

    def __init__(self, url: str, fs: fsspec.AbstractFileSystem, root: str) -> None:
        self.url, self.fs, self.root = url, fs, root

    def at(self, path: str) -> str:
        """The full path, as the file system expects it."""
        return f"{self.root}/{path}"

    @abstractmethod
    def read(self, path: str) -> bytes:
        """A file's bytes; raises FileNotFoundError."""

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Write or replace a file atomically."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder; raises FileNotFoundError or NotADirectoryError."""

    @abstractmethod
    def rename(self, path: str, new: str) -> None:
        """Rename a file."""

    @abstractmethod
    def remove_folder(self, folder: str) -> None:
        """Remove a folder and its content, if it exists."""

    @abstractmethod
    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """The results of ``function`` for each item, in order."""

    @abstractmethod
    def check_permissions(self, folders: Iterable[str]) -> None:
        """Raise StorageProblem if any of the folders exists and may not be written to."""

    @abstractmethod
    def advice(self, error: Exception) -> str:
        """What a user can do about a failed write."""

    def remove(self, path: str) -> None:
        """Remove a file, if it exists."""
        with refusals(self.fs, f"write to {self.url}"), suppress(FileNotFoundError):
            self.fs.rm_file(self.at(path))


class LocalBackend(Backend):
    """A local or mounted file system. Operations are retried here, since no client library does it."""

    poll_seconds = 0.5

    def read(self, path: str) -> bytes:
        return with_retries(lambda: read_file(self.fs, self.at(path)), f"read {self.url}/{path}")

    def write(self, path: str, data: bytes) -> None:
        with_retries(lambda: write_file(self.fs, self.at(path), data), f"write {self.url}/{path}")

    def names(self, folder: str) -> list[str]:
        return os.listdir(self.at(folder))

    def rename(self, path: str, new: str) -> None:
        os.rename(self.at(path), self.at(new))

    def remove_folder(self, folder: str) -> None:
        with suppress(FileNotFoundError):
            self.fs.rm(self.at(folder), recursive=True)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        return [function(item) for item in items]

    def check_permissions(self, folders: Iterable[str]) -> None:
        paths = [self.at(folder) for folder in folders]
        closed = [path for path in paths if os.path.isdir(path) and not os.access(path, os.W_OK | os.X_OK)]
        if closed:  # for example another user's: better to find out now than after hours of training
            raise StorageProblem(
                f"cannot write to {', '.join(closed)}: no permission, or read-only; change the permissions, or "
                "set --storage to a folder you may write to",
                code="storage-not-writable",
            )

    def advice(self, error: Exception) -> str:
        return "set --storage to a folder you may write to, or $SYNAUG_STORAGE"


class RemoteBackend(Backend):
    """Remote storage: its client library retries, each operation is a round trip, and each listing costs money."""

    poll_seconds = 2.0

    def read(self, path: str) -> bytes:
        with refusals(self.fs, f"read {self.url}"):
            return read_file(self.fs, self.at(path))

    def write(self, path: str, data: bytes) -> None:
        with refusals(self.fs, f"write to {self.url}"):
            write_file(self.fs, self.at(path), data)

    def names(self, folder: str) -> list[str]:
        with refusals(self.fs, f"read {self.url}"):
            return [str(path).rsplit("/", 1)[-1] for path in self.fs.ls(self.at(folder), detail=False)]

    def rename(self, path: str, new: str) -> None:
        self.write(new, self.read(path))  # remote storage has no rename
        self.remove(path)

    def remove_folder(self, folder: str) -> None:
        with refusals(self.fs, f"write to {self.url}"), suppress(FileNotFoundError):
            for path in self.fs.find(self.at(folder)):  # not rm, which takes a name with brackets for a pattern
                with suppress(FileNotFoundError):
                    self.fs.rm_file(str(path))

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        with ThreadPoolExecutor(ROUND_TRIPS) as pool:
            return list(pool.map(function, items))

    def check_permissions(self, folders: Iterable[str]) -> None:
        """Nothing to check: remote storage has no folders."""

    def advice(self, error: Exception) -> str:
        return advice(error)


def open_backend(url: str) -> Backend:
    """The backend of a path or URL; raises as ``open_url``."""
    fs, root = open_url(url)
    return (LocalBackend if isinstance(fs, LocalFileSystem) else RemoteBackend)(url, fs, root)


def check_writable(backend: Backend, folders: Iterable[str]) -> None:
    """Write and remove a marker, and check the permissions of the folders that will be written.

    Raises:
        StorageProblem: with the path and the operating system's reason.
    """
    try:
        probe = backend.at(f".probe-{uuid.uuid4().hex}")
        write_file(backend.fs, probe, b"synaug_ray")
        backend.fs.rm_file(probe)
    except Exception as error:  # each remote file system raises exceptions of its own
        raise StorageProblem(
            f"cannot write to {backend.url} ({reason(error)}); {backend.advice(error)}", code="storage-not-writable"
        ) from None
    backend.check_permissions(folders)


def write_file(fs: fsspec.AbstractFileSystem, path: str, data: bytes) -> None:
    """Write a file atomically: locally by fsync and rename, on remote storage by a single put."""
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
