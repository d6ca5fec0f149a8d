"""File systems behind paths and URLs: how each is opened, how patient it is, and what its refusals mean in a line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
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
ATTEMPTS = 10  # at a request of a run: with standard backoff (20 s at most) some 80 s, a server's restart
FIRST_ATTEMPTS, FIRST_SECONDS = 2, 15.0  # for the very first request: a mistyped name should fail soon


def open_url(url: str, *, impatient: bool = False) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a path or URL, and the path within. Nothing is asked of it yet.

    Args:
        impatient: give up early, to find out whether anything is there at all.

    Raises:
        StorageProblem: for an unknown protocol, or a missing package.
        UsageProblem: for a URL with a password in it, or one that fsspec would cut into several.
    """
    if (path := local_path(url)) is not None:  # not by fsspec, which opens the part before a "::"
        return LocalFileSystem(), os.path.abspath(os.path.expanduser(path)).rstrip("/")
    refuse_secrets(url)
    refuse_chains(url)
    protocol, separator, _ = url.partition("://")
    # no cached listings: what other processes commit must be seen
    options: dict[str, Any] = {"use_listings_cache": False} if separator else {}
    if protocol in S3:
        attempts = FIRST_ATTEMPTS if impatient else ATTEMPTS
        own = "AWS_MAX_ATTEMPTS" in os.environ or "AWS_RETRY_MODE" in os.environ  # the user's own settings come first
        # botocore repeats what fails in passing: 500, 502, 503, 504, SlowDown, connections refused, reset or cut
        retries = {} if own and not impatient else {"retries": {"mode": "standard", "total_max_attempts": attempts}}
        # one GET a file: otherwise s3fs asks for its size first
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
            f"storage {url}: a package for it is not installed; {error}", code="package-missing"
        ) from None
    except (ValueError, OSError) as error:
        raise StorageProblem(f"storage {url}: {error}", code="storage-path") from None
    return fs, root.rstrip("/")


def read_file(fs: fsspec.AbstractFileSystem, path: str) -> bytes:
    """A file's bytes; raises what its file system raises."""
    data: Any = fs.cat_file(path)  # fsspec declares a union of all that its methods return
    return data


def local_path(url: str) -> str | None:
    """The path that a path or ``file://`` URL names; None for any other URL."""
    protocol, separator, rest = url.partition("://")
    return url if not separator else rest if protocol in LOCAL else None


def refuse_chains(url: str) -> None:
    """Refuse "::" within a URL: fsspec opens the part before it, and files would land there.

    Raises:
        UsageProblem: with the URL.
    """
    if "::" in url.partition("://")[2]:
        raise UsageProblem(
            f"storage {url}: the name holds '::', by which fsspec chains several URLs, so that files would be written "
            "elsewhere; name a folder without it",
            code="storage-path",
        )


def check_reachable(url: str) -> None:
    """Ask remote storage for one listing, for at most about 15 seconds; a local path is not asked.

    Raises:
        StorageProblem: if there is no such bucket, the credentials are refused or no server answers; with what to do.
    """
    fs, root = open_url(url, impatient=True)
    if isinstance(fs, LocalFileSystem):
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
        if error.__cause__ is not None:  # the server says: no such bucket. An empty folder raises without a cause
            raise StorageProblem(
                f"cannot read {url} ({reason(error)}); make the bucket, or name another with --storage",
                code="no-such-bucket",
            ) from None
    except Exception as error:  # remote storages raise exceptions of their own
        raise StorageProblem(
            f"cannot read {url} ({reason(error)}); {advice(error)}", code="storage-unreachable"
        ) from None


def refuse_secrets(url: str) -> None:
    """Refuse keys and passwords in a URL, which is shown and written to files.

    Raises:
        UsageProblem: without the secret.
    """
    protocol, separator, rest = url.rpartition("::")[2].partition("://")
    user, at, _ = rest.rpartition("@")  # a secret may hold a slash
    named = at and (":" in user or (protocol in S3 and "/" not in user))
    if separator and protocol not in LOCAL and (named or SIGNED.search(rest)):
        raise UsageProblem(
            f"storage {protocol}://...: the URL holds a password or a key, which would appear in "
            "status.json and on the page; leave it out, and set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or what the provider's own tools read",
            code="secret-in-url",
        )


def reason(error: Exception) -> str:
    """Why a file system refused, on one line, without the part of a URL before an ``@``."""
    said = getattr(error, "strerror", None) or one_line(error, 300)
    return re.sub(r"//[^/\s@]+@", "//***@", said)


def advice(error: Exception) -> str:
    """What to do about a refusal."""
    if isinstance(error, PermissionError) or "redential" in str(error):
        return (
            "check that you may read and write it: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or "
            "what your other tools use"
        )
    return "check its name and your connection (AWS_ENDPOINT_URL, if it is not Amazon's)"


@contextmanager
def refusals(fs: fsspec.AbstractFileSystem, doing: str) -> Iterator[None]:
    """Turn the exceptions of remote storage, which are of its own kinds, into StorageProblem; a disk's pass unchanged.

    ``FileNotFoundError`` passes: a missing file is often not an error.
    """
    try:
        yield
    except (Problem, FileNotFoundError):
        raise
    except Exception as error:
        if isinstance(fs, LocalFileSystem):
            raise
        raise StorageProblem(
            f"cannot {doing} ({reason(error)}); finished steps are kept. When it answers again, run the "
            "same command to continue",
            code="storage-unreachable",
        ) from None
