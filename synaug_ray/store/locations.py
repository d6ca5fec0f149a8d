"""Where things are kept: results below ``--storage``, a run in a folder of its name; downloads below ``--data``."""

from __future__ import annotations

import os
import re
from pathlib import Path

import fsspec

from synaug_ray.common.errors import StorageProblem, UsageProblem, did_you_mean
from synaug_ray.store.disk import existing
from synaug_ray.store.filesystem import local_path, refuse_chains, refuse_secrets

RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RESERVED = ("store", "ray", "prometheus")  # other folders below the storage


def storage_root(flag: str | None) -> str:
    """``--storage``, else ``$SYNAUG_STORAGE``, else ``~/synaug_ray``; never below the working directory.

    Raises:
        UsageProblem: for a path below the working directory, which a submitted job loses when it ends; for a URL with
            a secret in it, or that fsspec would cut into several.
        StorageProblem: for an unknown protocol, or a path that cannot become a folder. Nothing is written.
    """
    if flag == "":
        raise UsageProblem("--storage is empty; name a folder or a URL, or leave it out", code="storage-path")
    chosen = flag or os.environ.get("SYNAUG_STORAGE") or str(Path.home() / "synaug_ray")
    refuse_secrets(chosen)
    protocol = chosen.partition("://")[0]
    if (local := local_path(chosen)) is None:
        refuse_chains(chosen)
        known = {*fsspec.available_protocols(), *fsspec.registry}
        if protocol.rpartition("::")[2] not in known:
            raise StorageProblem(
                f"storage {chosen}: no protocol {protocol!r}{did_you_mean(protocol, known, '.')} Give "
                "a folder, or a URL such as s3://bucket/folder (or gs, abfs, hdfs)",
                code="storage-protocol",
            )
        return chosen.rstrip("/")
    try:
        path = Path(local).expanduser().resolve()
        here = Path.cwd().resolve()
        if path == here or here in path.parents:
            raise UsageProblem(
                f"storage {path} lies below the working directory {here}, which for a submitted job "
                "is a temporary copy, deleted with the job; name another folder with --storage",
                code="storage-below-working-directory",
            )
        _check_folder(path)
    except (OSError, RuntimeError, ValueError) as error:  # no such user, a loop of links, a name too long
        raise StorageProblem(
            f"storage {chosen}: {getattr(error, 'strerror', None) or error}", code="storage-path"
        ) from None
    return str(path)


def _check_folder(path: Path) -> None:
    nearest = existing(path)
    reason = (
        f"{nearest} is a file"
        if not nearest.is_dir()
        else f"{nearest} is read-only"
        if not os.access(nearest, os.W_OK | os.X_OK)
        else ""
    )
    if reason:
        raise StorageProblem(
            f"cannot write to {path} ({reason}); set --storage to a folder you may write to, or $SYNAUG_STORAGE",
            code="storage-not-writable",
        )


def check_name(name: str, origin: str = "--name") -> str:
    """The name itself, if a run can have it.

    Args:
        origin: where it was given, for the message.

    Raises:
        UsageProblem: for a name that leads out of the storage, or that the Store's folder has.
    """
    if not RUN_NAME.fullmatch(name) or name in RESERVED:
        allowed = "letters, digits, . _ - (64 at most, beginning with a letter or digit)"
        other = "" if origin == "--name" else "; give another with --name"
        raise UsageProblem(
            f"{origin}: {name!r} is not a run name: {allowed}, and not {' or '.join(RESERVED)}{other}", code="run-name"
        )
    return name


def cache_folder(flag: str | None) -> Path:
    """``--data``, else ``synaug_ray`` in the user's cache folder (``$XDG_CACHE_HOME``, else ``~/.cache``).

    All of it can be made again: downloads, decoded images, their audits.

    Raises:
        UsageProblem: for an empty name.
        StorageProblem: for a name that no folder can have, or that is a file.
    """
    if flag == "":
        raise UsageProblem("--data is empty; name a folder, or leave it out", code="data-path")
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        cache = Path(flag or home / "synaug_ray").expanduser()
        if not existing(cache).is_dir():
            raise StorageProblem(f"--data {cache}: {existing(cache)} is a file; name a folder", code="data-path")
    except (OSError, RuntimeError) as error:  # a name too long, no such user
        raise StorageProblem(f"--data {flag}: {getattr(error, 'strerror', None) or error}", code="data-path") from None
    return cache
