"""File systems behind paths and URLs: how to open them, how often they retry, and what their errors mean."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.registry import known_implementations

from synaug_ray.common.errors import Problem, StorageProblem, UsageProblem
from synaug_ray.common.packages import why_not_installed
from synaug_ray.common.text import one_line

SIGNED = re.compile(r"[?&][^=&]*(key|secret|token|sig|pass)[^=&]*=", re.IGNORECASE)  # a secret in the query
S3 = ("s3", "s3a")
LOCAL = ("file", "local")  # protocols of a path
ATTEMPTS = (
    10  # per request of a run: with standard backoff (at most 20 s each) about 80 s, enough for a server to restart
)
FIRST_ATTEMPTS, FIRST_SECONDS = 2, 15.0  # for the first request only: a mistyped name should fail soon


def open_url(url: str, *, impatient: bool = False) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a path or URL, and the path within it. No request is made yet.

    Args:
        impatient: give up early, to find out whether the storage answers at all.

    Raises:
        StorageProblem: for an unknown protocol, or a missing package.
        UsageProblem: for a URL that contains a password, or that fsspec would take for several chained ones.
    """
    refuse_half_url(url)
    if (path := local_path(url)) is not None:  # without fsspec, which would open the part before a "::"
        return LocalFileSystem(), os.path.abspath(os.path.expanduser(path)).rstrip("/")
    refuse_secrets(url)
    refuse_chains(url)
    protocol, separator, _ = url.partition("://")
    # no cached listings: what other processes commit must be visible
    options: dict[str, Any] = {"use_listings_cache": False} if separator else {}
    if protocol in S3:
        attempts = FIRST_ATTEMPTS if impatient else ATTEMPTS
        own = (
            "AWS_MAX_ATTEMPTS" in os.environ or "AWS_RETRY_MODE" in os.environ
        )  # the user's own settings take precedence
        # botocore retries temporary failures: 500, 502, 503, 504, SlowDown, connections that are refused or lost
        retries = {} if own and not impatient else {"retries": {"mode": "standard", "total_max_attempts": attempts}}
        # so that s3fs makes one GET per file, and does not ask for its size first
        options |= {"config_kwargs": retries, "max_concurrency": 1}
    known = known_implementations.get(protocol.rpartition("::")[2], {})
    package = str(known.get("class", "fsspec")).partition(".")[0]
    if separator and (lacks := why_not_installed(package)):
        how = ".[s3]" if protocol in S3 else package
        raise StorageProblem(
            f"storage {url} needs the package {package}, {lacks}: pip install '{how}'", code="package-missing"
        )
    try:
        fs, root = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        raise StorageProblem(
            f"storage {url}: a package that it needs is not installed; {error}", code="package-missing"
        ) from None
    except (ValueError, OSError) as error:
        raise StorageProblem(f"storage {url}: {error}", code="storage-path") from None
    return fs, root.rstrip("/")


def read_file(fs: fsspec.AbstractFileSystem, path: str) -> bytes:
    """A file's bytes; raises whatever its file system raises."""
    data: Any = fs.cat_file(path)  # fsspec declares a union of all possible return types
    return data


def local_path(url: str) -> str | None:
    """The local path of a path or ``file://`` URL; None for any other URL."""
    protocol, separator, rest = url.partition("://")
    return url if not separator else rest if protocol in LOCAL else None


def refuse_half_url(url: str, what: str = "storage") -> None:
    """Refuse what was meant as a URL and would be a local folder: ``s3:/bucket/x``, or ``s3://`` without a bucket.

    The first is what ``pathlib`` makes of ``s3://bucket/x``, the second what a shell makes of ``s3://$BUCKET``.

    Raises:
        UsageProblem: with the path.
    """
    protocol, colon, rest = url.partition(":")
    whole = rest.startswith(":") or (rest.startswith("//") and (rest.strip("/") or protocol == "memory"))  # "::" chains
    if not colon or whole or protocol not in known_implementations:
        return
    folder = rest.strip("/") or "bucket/folder"
    meant = f"{protocol}:///{folder}" if protocol in LOCAL else f"{protocol}://{folder}"
    raise UsageProblem(
        f"{what} {url!r} is half a URL, and would be a local folder of that name; write {meant}, or "
        f"./{protocol}:/{rest.strip('/')} if that folder is meant",
        code="storage-path",
    )


def refuse_remote(path: str, what: str) -> None:
    """Refuse a URL where only a folder of this machine will do: files would go to a folder called like it.

    Raises:
        UsageProblem: with the path.
    """
    refuse_half_url(path, what)
    protocol, separator, _ = path.partition("://")
    if separator and protocol in known_implementations:
        raise UsageProblem(f"{what} {path}: give a folder of this machine, and copy it from there", code="not-local")


def split_folder(url: str) -> tuple[str, str]:
    """The folder around a folder, and its name: of ``/a/b`` ``/a`` and ``b``, of ``/b`` ``/``, of ``b`` ``.``."""
    around, slash, name = url.rstrip("/").rpartition("/")
    return around or slash or ".", name


def join(folder: str, name: str) -> str:
    """``/a``, ``b`` -> ``/a/b``; ``/``, ``b`` -> ``/b``."""
    return f"{folder.rstrip('/')}/{name}" if folder.strip("/") else f"{folder}{name}"


def refuse_chains(url: str) -> None:
    """Refuse a URL with "::": fsspec opens the part before it, and files would be written there.

    Raises:
        UsageProblem: with the URL.
    """
    if "::" in url.partition("://")[2]:
        raise UsageProblem(
            f"storage {url}: the name contains '::', by which fsspec chains several URLs, so that files would be "
            "written elsewhere; choose a folder without it",
            code="storage-path",
        )


def check_reachable(url: str) -> None:
    """Check that remote storage answers, by one listing of up to about 15 seconds, or that a local folder can be read.

    Raises:
        StorageProblem: if there is no such bucket, the credentials are refused, no server answers, or the permissions
            of a local folder, or of one above it, keep its files from being seen; with advice.
    """
    fs, root = open_url(url, impatient=True)
    if isinstance(fs, LocalFileSystem):
        _check_readable(root)
        return
    try:
        if url.startswith(tuple(f"{p}://" for p in S3)):
            ask: Any = fs
            bucket, _, prefix = root.partition("/")
            ask.call_s3(
                "list_objects_v2",
                Bucket=bucket,
                Prefix=f"{prefix}/" if prefix else "",
                MaxKeys=1,
                timeout=FIRST_SECONDS,
            )
        else:
            fs.ls(root, detail=False)
    except FileNotFoundError as error:
        if error.__cause__ is not None:  # the bucket does not exist; for an empty folder there is no cause
            raise StorageProblem(
                f"cannot read {url} ({reason(error)}); create the bucket, or choose another with --storage",
                code="no-such-bucket",
            ) from None
    except Exception as error:  # each remote file system raises exceptions of its own
        raise StorageProblem(
            f"cannot read {url} ({reason(error)}); {advice(error)}", code="storage-unreachable"
        ) from None


def _check_readable(folder: str) -> None:
    """Refuse a folder that may not be looked into, which ``os.path.isfile`` calls empty."""
    try:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder):
            os.stat(os.path.join(folder, "."))  # listing asks for less than reading the files
    except PermissionError as error:
        raise StorageProblem(
            f"cannot read {folder} ({reason(error)}); change the permissions of it or of a folder above it, or "
            "name a folder that you may read",
            code="storage-not-readable",
        ) from None


def refuse_secrets(url: str) -> None:
    """Refuse keys and passwords in a URL, since URLs are printed and written to files.

    Raises:
        UsageProblem: whose message does not repeat the secret.
    """
    protocol, separator, rest = url.rpartition("::")[2].partition("://")
    user, at, _ = rest.rpartition("@")  # the last one: a secret may contain a slash
    named = at and (":" in user or (protocol in S3 and "/" not in user))
    if separator and protocol not in LOCAL and (named or SIGNED.search(rest)):
        raise UsageProblem(
            f"storage {protocol}://...: the URL contains a password or a key, which would appear in "
            "status.json and on the page; leave it out, and set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or the variables of the provider's own tools",
            code="secret-in-url",
        )


def reason(error: Exception) -> str:
    """A file system's error on one line, without user names and passwords of URLs (the part before an ``@``)."""
    said = getattr(error, "strerror", None) or one_line(error, 300)
    return re.sub(r"//[^/\s@]+@", "//***@", said)


def advice(error: Exception) -> str:
    """What a user can do about a remote storage's error."""
    if isinstance(error, PermissionError) or "redential" in str(error):
        return (
            "check that you may read and write it: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or "
            "the variables of the provider's own tools"
        )
    return "check its name and your connection (AWS_ENDPOINT_URL, if it is not Amazon's)"


@contextmanager
def refusals(fs: fsspec.AbstractFileSystem, doing: str) -> Iterator[None]:
    """Turn the exceptions of remote storage, which has types of its own, into StorageProblem.

    Those of a local disk pass unchanged, and so does ``FileNotFoundError``: a missing file is often no error.

    Args:
        doing: what failed, as in "read s3://bucket/folder".
    """
    try:
        yield
    except (Problem, FileNotFoundError):
        raise
    except Exception as error:
        if isinstance(fs, LocalFileSystem):
            raise
        raise StorageProblem(
            f"cannot {doing} ({reason(error)}); finished steps are kept. When the storage is back, run the "
            "same command to continue",
            code="storage-unreachable",
        ) from None
