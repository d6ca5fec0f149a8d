"""``medmnist:NAME[@SIZE]``: MedMNIST's published files, from the table in its package.

The table (names, classes, addresses, md5) is read from the package's text: importing the package
would import torch and make a folder in the user's home.
"""

from __future__ import annotations

import ast
import hashlib
import os
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from synaug_ray.common.errors import DataProblem, ResourceProblem, UsageProblem, did_you_mean
from synaug_ray.common.packages import why_not_installed
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.sources.base import Source
from synaug_ray.data.sources.npz import open_npz

NATIVE = 28  # pixels a side of the files without a size in their name


def identify_medmnist(spec: str, options: DataOptions, where: str) -> str:
    """The md5 of the published file.

    Raises:
        UsageProblem: for an unknown name or size.
        DataProblem: for sets other than single-label classification of 2D images.
        ResourceProblem: if the package is not installed.
    """
    name, info, suffix = _entry(spec, where)
    task, classes = info["task"], len(info["label"])
    if name.endswith("3d"):
        raise DataProblem(
            f"{where}: {name} has 3D images; only 2D images are supported: choose another set", code="data-kind"
        )
    if "multi-label" in task:
        raise DataProblem(
            f"{where}: {name} is multi-label ({classes} labels per image); only one label per image is "
            "supported: choose another set",
            code="data-kind",
        )
    if "ordinal" in task and not options.ordinal:
        raise DataProblem(
            f"{where}: {name} is ordinal, {classes} grades; set data.ordinal: true to treat them as "
            f"{classes} unordered classes",
            code="data-ordinal",
        )
    if "ordinal" not in task and options.ordinal:
        raise UsageProblem(
            f"{where}: data.ordinal applies only to ordinal sets, and {name} is {task}; remove it", code="data-ordinal"
        )
    return str(info[f"MD5{suffix}"])


def open_medmnist(spec: str, options: DataOptions, cache: Path) -> Source:
    """The arrays of the published file: from the cache, from medmnist's own folder, or downloaded.

    Raises:
        DataProblem: if it cannot be obtained, naming the file to provide and its folder.
    """
    name, info, suffix = _entry(spec, "dataset")
    md5, file = info[f"MD5{suffix}"], f"{name}{suffix}.npz"
    own = (
        Path(os.path.expanduser("~/.medmnist")) / file
    )  # where the package puts it; there is none without a home folder
    at = next((f for f in (cache / "medmnist" / file, own) if _is(f, md5)), None)
    if at is None:
        at = cache / "medmnist" / file
        _download(info[f"url{suffix}"], at, md5, spec)
    return open_npz(at, options, [info["label"][str(i)] for i in range(len(info["label"]))])


def _entry(spec: str, where: str) -> tuple[str, dict[str, Any], str]:
    """(name, its table row, suffix of file and field names for the size)."""
    name, at, size = spec.partition("@")
    table = _table()
    if name not in table:
        raise UsageProblem(
            f"{where}: medmnist has no {name!r}{did_you_mean(name, table, '.')} It has {', '.join(table)}",
            code="unknown-dataset",
        )
    sizes = [NATIVE] + sorted(int(k.removeprefix("MD5_")) for k in table[name] if k.startswith("MD5_"))
    if at and size not in map(str, sizes):
        raise UsageProblem(
            f"{where}: {name} has no size {size!r}; it has {', '.join(map(str, sizes))}", code="unknown-size"
        )
    return name, table[name], f"_{size}" if at and size != str(NATIVE) else ""


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, Any]]:
    package = find_spec("medmnist")
    lacks = why_not_installed("medmnist")
    if lacks or package is None or package.origin is None:
        raise ResourceProblem(
            f"medmnist:NAME needs the package medmnist, {lacks}; install it with pip install 'synaug-ray[medmnist]'",
            code="package-missing",
        )
    tree = ast.parse((Path(package.origin).parent / "info.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == ["INFO"]:
            return ast.literal_eval(node.value)
    raise ResourceProblem(
        "the medmnist package that is installed has no table INFO; install medmnist 3", code="package-missing"
    )


def _is(file: Path, md5: str) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as raw:
        return hashlib.file_digest(raw, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == md5


def _download(url: str, file: Path, md5: str, spec: str) -> None:
    from torchvision.datasets.utils import download_url

    try:
        download_url(url, str(file.parent), file.name, md5)
    except Exception as error:  # urllib, http and ssl raise many kinds
        raise DataProblem(
            f"medmnist:{spec} is not in {file.parent} and could not be downloaded ({error}). Put "
            f"{file.name} (md5 {md5}, {url}) there, or name another folder with --data",
            code="data-not-downloaded",
        ) from None
