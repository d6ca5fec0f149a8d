"""``hf:OWNER/NAME[/CONFIGURATION][@REVISION]``: image sets of the Hugging Face Hub, through ``datasets``.

Branches and tags can move, so a revision is resolved to a commit, which identifies the data.
``datasets`` >= 4 never runs code shipped with a data set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from synaug_ray.common.errors import DataProblem, ResourceProblem, UsageProblem
from synaug_ray.common.packages import why_not_installed
from synaug_ray.common.text import one_line
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.sources.arrow_table import BATCH, table_source
from synaug_ray.data.sources.base import SPLITS, Source
from synaug_ray.data.sources.columns import Rows
from synaug_ray.data.sources.hub_files import check_class_names
from synaug_ray.data.sources.split_words import SPLIT_NAMES

_SPEC = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(/(?P<configuration>[\w.-]+))?(@(?P<revision>[\w./-]+))?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


def identify_hf(spec: str, where: str) -> str:
    """The name, the configuration if one is given, and the commit.

    Raises:
        UsageProblem: for an invalid name.
        ResourceProblem: if ``datasets`` is not installed.
        DataProblem: if the Hub does not know the name or cannot be reached, or if the files disagree on the classes.
    """
    name, configuration, revision = _parts(spec, where)
    if lacks := why_not_installed("datasets"):
        raise ResourceProblem(
            f"hf:OWNER/NAME needs the package datasets, {lacks}; install it with pip install 'synaug-ray[hf]'",
            code="package-missing",
        )
    commit = revision if revision and _COMMIT.fullmatch(revision) else _commit(name, revision, where)
    if not why_not_installed("huggingface_hub"):
        check_class_names(name, configuration or "", commit)
    return f"{name}/{configuration or ''}@{commit}"


def open_hf(fingerprint: str, options: DataOptions, cache: Path) -> Source:
    """The rows of all splits, from the cache of ``datasets``.

    Args:
        fingerprint: what ``identify_hf`` returned.

    Raises:
        DataProblem: if it cannot be loaded, or is not a table of images and labels.
    """
    from huggingface_hub import constants

    name, configuration, commit = re.fullmatch(r"(.+)/([^/]*)@(.+)", fingerprint).groups()  # type: ignore[union-attr]
    sets = load_splits(name, configuration or None, commit, cache)
    check_class_names(name, configuration, commit)  # of files that were just downloaded
    rows: dict[str, list[Rows]] = {}
    for split, table in sets.items():
        of = SPLIT_NAMES.get(split.lower())
        if of is not None:  # not "unsupervised", "extra" and the like
            rows.setdefault(of, []).append(Rows(f"{name} {split}", table.features.arrow_schema, _reader(table)))
    if "train" not in rows:
        raise DataProblem(f"hf:{name} has the splits {', '.join(sets)} and no train", code="no-train-split")
    notes = tuple(f"the split {s} is not used" for s in sets if s.lower() not in SPLIT_NAMES)
    caches = [(cache / "huggingface").resolve(), Path(constants.HF_HUB_CACHE).resolve()]
    source = table_source({s: rows[s] for s in SPLITS if s in rows}, options, caches)
    return Source(source.classes, source.parts, notes=(*notes, *source.notes))


def load_splits(name: str, configuration: str | None, commit: str, cache: Path) -> dict[str, Any]:
    """split -> ``datasets.Dataset``, downloaded if it is not in ``<cache>/huggingface``."""
    if "::" in str(cache):  # `datasets` writes through fsspec, where "::" separates chained URLs
        raise DataProblem(
            f"hf:{name}: the name of folder {cache} contains '::'; name another folder with --data",
            code="data-cache-name",
        )
    import datasets

    try:
        found = datasets.load_dataset(name, configuration, revision=commit, cache_dir=str(cache / "huggingface"))
        return {str(split): rows for split, rows in found.items()}
    except Exception as error:  # of the Hub, of HTTP, of the set's own layout
        text = one_line(error)
        if "script" in text.lower():
            raise DataProblem(
                f"hf:{name} uses a loading script, which datasets 4 and later do not run: convert it to "
                "Parquet (datasets.Dataset.to_parquet) and give parquet:PATH, or look for a copy on the "
                "Hub that has Parquet files",
                code="hub-loading-script",
            ) from None
        if "Config name is missing" in text:
            raise DataProblem(
                f"hf:{name} has several configurations; name one as hf:{name}/CONFIGURATION ({text[:400]})",
                code="hub-configuration",
            ) from None
        raise DataProblem(
            f"hf:{name}@{commit} is not in {cache / 'huggingface'} and could not be loaded "
            f"({text[:300]}); run once on a machine that can reach the Hub, copy that folder from a machine that has "
            "the set, or name another folder with --data",
            code="data-not-downloaded",
        ) from None


def _parts(spec: str, where: str) -> tuple[str, str | None, str | None]:
    match = _SPEC.fullmatch(spec)
    if match is None or ".." in spec:
        raise UsageProblem(
            f"{where}: hf:{spec} is not a valid data set name; expected hf:OWNER/NAME, with /CONFIGURATION or "
            "@REVISION if needed",
            code="hub-name",
        )
    return match["name"], match["configuration"], match["revision"]


def _commit(name: str, revision: str | None, where: str) -> str:
    from huggingface_hub import HfApi

    try:
        return str(HfApi().dataset_info(name, revision=revision).sha)
    except Exception as error:  # of the Hub and of HTTP
        raise DataProblem(
            f"{where}: the Hugging Face Hub cannot resolve {name}@{revision or 'main'} to a commit "
            f"({one_line(error, 200)}); check the name, or, without a network, give the "
            f"commit: hf:{name}@<40 hexadecimal digits>",
            code="hub-name",
        ) from None


def _reader(table: Any):
    def batches(columns: Sequence[str]) -> Iterator[pa.Table]:
        yield from table.select_columns(list(columns)).with_format("arrow").iter(BATCH)

    return batches
