"""Where things are kept: results below ``--storage``, a run in a folder of its name; downloads below ``--data``."""

from __future__ import annotations

import os
import re
from pathlib import Path

import fsspec

from synaug_ray.common.errors import StorageProblem, UsageProblem, did_you_mean
from synaug_ray.store.disk import not_writable
from synaug_ray.store.filesystem import local_path, refuse_chains, refuse_secrets

RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RESERVED = ("store", "ray", "prometheus")  # other folders below the storage
JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # set by Ray in a submitted job, and nowhere else
DATA, CACHE = ("XDG_DATA_HOME", ".local/share"), ("XDG_CACHE_HOME", ".cache")  # of the user: variable, else below home
NO_HOME = "no home folder is known ($HOME is not set, and the user has no entry in /etc/passwd)"


def storage_root(flag: str | None) -> str:
    """``--storage``, else ``$SYNAUG_STORAGE``, else ``synaug_ray`` where the user's programs keep their data.

    That is ``$XDG_DATA_HOME``, else ``~/.local/share``. ``~/synaug_ray``, the default of 0.1.0, is still taken where it
    holds results and the new one does not (``old_default``).

    Raises:
        UsageProblem: for a path below the working directory of a submitted job, which is deleted when the job ends;
            for a URL with a secret in it, or that fsspec would cut into several.
        StorageProblem: for an unknown protocol, a path that cannot become a folder, no home folder where the default
            needs one. Nothing is written.
    """
    if flag == "":
        raise UsageProblem("--storage is empty; name a folder or a URL, or leave it out", code="storage-path")
    chosen = flag or os.environ.get("SYNAUG_STORAGE") or str(_default())
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
        here = Path.cwd().resolve() if JOB in os.environ else None
        if here is not None and (path == here or here in path.parents):
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


def _default() -> Path:
    try:
        new = _users(*DATA)
    except RuntimeError:
        raise StorageProblem(
            f"{NO_HOME}, so there is no default storage; name a folder with --storage, or set $SYNAUG_STORAGE or $HOME",
            code="no-home",
        ) from None
    old = old_default()
    return old if old is not None and not _holds_results(new) else new


def old_default() -> Path | None:
    """``~/synaug_ray``, where it holds results of earlier runs; a clone of the project there holds none."""
    try:
        old = Path.home() / "synaug_ray"
        return old if _holds_results(old) else None
    except (OSError, RuntimeError):
        return None


def old_place(storage: str) -> tuple[str, ...]:
    """A note where the storage is the old default: that it is, and how it is left."""
    old = old_default()
    if old is None or storage != str(old.resolve()):
        return ()
    return (f"results go to {old}, where earlier ones are; move that folder to {_users(*DATA)}, and it is found there",)


def _holds_results(storage: Path) -> bool:
    return os.path.isdir(storage / "store" / "records")  # not one that may not be read, either


def _users(variable: str, below_home: str) -> Path:
    """The user's folder for programs of this kind, as the XDG specification finds it; RuntimeError without a home."""
    named = Path(os.environ.get(variable, ""))
    return (named if named.is_absolute() else Path.home() / below_home) / "synaug_ray"


def _check_folder(path: Path) -> None:
    if reason := not_writable(path):
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
        StorageProblem: for a name that no folder can have, that is a file, or that cannot be made; for no home folder
            where the default needs one.
    """
    if flag == "":
        raise UsageProblem("--data is empty; name a folder, or leave it out", code="data-path")
    if flag is None:
        try:
            flag = str(_users(*CACHE))
        except RuntimeError:
            raise StorageProblem(
                f"{NO_HOME}, so there is no place for decoded images; name a folder with --data, or set $HOME",
                code="no-home",
            ) from None
    try:
        cache = Path(flag).expanduser()
        reason = (
            "" if cache.is_dir() else not_writable(cache)
        )  # one that is there may be read-only, and hold everything
    except (OSError, RuntimeError) as error:  # a name too long, no such user
        raise StorageProblem(f"--data {flag}: {getattr(error, 'strerror', None) or error}", code="data-path") from None
    if reason:
        raise StorageProblem(f"--data {cache}: {reason}; name a folder that you may write to", code="data-path")
    return cache
