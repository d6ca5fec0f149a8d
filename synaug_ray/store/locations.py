"""Where things are stored: results below ``--storage``, with a folder per run; downloads below ``--data``."""

from __future__ import annotations

import os
import re
from pathlib import Path

import fsspec

from synaug_ray.common.errors import StorageProblem, UsageProblem, did_you_mean
from synaug_ray.store.disk import not_writable
from synaug_ray.store.filesystem import local_path, refuse_chains, refuse_half_url, refuse_remote, refuse_secrets

RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RESERVED = ("store", "ray", "prometheus")  # other folders below the storage
JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # Ray sets it in submitted jobs only
DATA, CACHE = ("XDG_DATA_HOME", ".local/share"), ("XDG_CACHE_HOME", ".cache")  # variable; default, relative to home
NO_HOME = "no home folder is known ($HOME is not set, and the user has no entry in /etc/passwd)"


def storage_root(flag: str | None) -> str:
    """``--storage``, else ``$SYNAUG_STORAGE``, else ``synaug_ray`` in the user's data folder; nothing is written.

    The data folder is ``$XDG_DATA_HOME``, else ``~/.local/share``. ``~/synaug_ray``, the default of 0.1.0, is still
    used if it contains results and the new default does not (``old_default``).

    Raises:
        UsageProblem: for a path below the working directory of a submitted job, which is deleted when the job ends;
            for a URL that contains a secret, or that fsspec would take for several chained ones.
        StorageProblem: for an unknown protocol, a path that cannot become a folder, or a default without a home folder.
    """
    if flag is not None and not flag.strip():
        raise UsageProblem("--storage is empty; give a folder or a URL, or leave it out", code="storage-path")
    named = os.environ.get("SYNAUG_STORAGE", "")
    chosen = flag or (named if named.strip() else str(_default()))
    if re.match(r"\$\w|\$\{", chosen):
        raise UsageProblem(
            f"storage {chosen}: begins with a variable that no shell replaced, as in single quotes; write what it "
            "stands for",
            code="storage-path",
        )
    refuse_half_url(chosen)
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
                f"storage {path} is below the working directory {here}, which for a submitted job "
                "is a temporary copy that is deleted with the job; choose another folder with --storage",
                code="storage-below-working-directory",
            )
        _check_folder(path)
    except (OSError, RuntimeError, ValueError) as error:  # no such user, a loop of links, too long a name
        raise StorageProblem(
            f"storage {chosen}: {getattr(error, 'strerror', None) or error}; name a folder by its whole path",
            code="storage-path",
        ) from None
    return str(path)


def _default() -> Path:
    try:
        new = _user_folder(*DATA)
    except RuntimeError:
        raise StorageProblem(
            f"{NO_HOME}, so there is no default storage; set --storage to a folder, or set $SYNAUG_STORAGE or $HOME",
            code="no-home",
        ) from None
    old = old_default()
    return old if old is not None and not _holds_results(new) else new


def old_default() -> Path | None:
    """``~/synaug_ray`` if it contains results of earlier runs, unlike a clone of the project of that name."""
    try:
        old = Path.home() / "synaug_ray"
        return old if _holds_results(old) else None
    except (OSError, RuntimeError):
        return None


def old_default_note(storage: str) -> tuple[str, ...]:
    """A note that the storage is the old default, and how to move to the new one; empty for any other storage."""
    old = old_default()
    if old is None or storage != str(old.resolve()):
        return ()
    return (
        f"results go to {old}, like earlier ones; to use the new default, move that folder to {_user_folder(*DATA)}",
    )


def _holds_results(storage: Path) -> bool:
    return os.path.isdir(storage / "store" / "records")  # False also if it may not be read


def _user_folder(variable: str, below_home: str) -> Path:
    """The user's ``synaug_ray`` folder, by the XDG specification; raises RuntimeError if there is no home folder."""
    named = Path(os.environ.get(variable, ""))
    return (named if named.is_absolute() else Path.home() / below_home) / "synaug_ray"


def _check_folder(path: Path) -> None:
    if reason := not_writable(path):
        raise StorageProblem(
            f"cannot write to {path} ({reason}); set --storage to a folder you may write to, or $SYNAUG_STORAGE",
            code="storage-not-writable",
        )


def check_name(name: str, origin: str = "--name") -> str:
    """Return a run's name if it is valid.

    Args:
        origin: where the name was given, for the message.

    Raises:
        UsageProblem: for a name that is not one folder below the storage, or that of another folder there.
    """
    if not RUN_NAME.fullmatch(name) or name in RESERVED:
        allowed = "letters, digits, . _ - (64 at most, beginning with a letter or digit)"
        other = "" if origin == "--name" else "; choose another with --name"
        raise UsageProblem(
            f"{origin}: {name!r} is not a run name: {allowed}, and not {' or '.join(RESERVED)}{other}", code="run-name"
        )
    return name


def cache_folder(flag: str | None) -> Path:
    """``--data``, else ``synaug_ray`` in the user's cache folder (``$XDG_CACHE_HOME``, else ``~/.cache``).

    Everything in it can be recreated: downloads, decoded images, their audits.

    Raises:
        UsageProblem: for an empty name.
        StorageProblem: for an invalid name, a file, or a folder that cannot be created; for a default without a home
            folder.
    """
    if flag == "":
        raise UsageProblem("--data is empty; give a folder, or leave it out", code="data-path")
    if flag is not None:
        refuse_remote(flag, "--data")
    else:
        try:
            flag = str(_user_folder(*CACHE))
        except RuntimeError:
            raise StorageProblem(
                f"{NO_HOME}, so there is no default folder for decoded images; set --data to a folder, or set $HOME",
                code="no-home",
            ) from None
    try:
        cache = Path(flag).expanduser()
        # an existing one may be read-only: all images may have been decoded already
        reason = "" if cache.is_dir() and os.access(cache, os.R_OK | os.X_OK) else not_writable(cache)
    except (OSError, RuntimeError) as error:  # too long a name, no such user
        raise StorageProblem(f"--data {flag}: {getattr(error, 'strerror', None) or error}", code="data-path") from None
    if reason:
        raise StorageProblem(f"--data {cache}: {reason}; choose a folder that you may write to", code="data-path")
    return cache
