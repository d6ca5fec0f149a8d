"""The first step of every run: the data are audited, and what would make the answer wrong is refused or left out."""

from __future__ import annotations

import json
import time
from pathlib import Path

from synaug_ray.common.errors import DataProblem
from synaug_ray.data.audit.audit import Audit, as_read_now, audit
from synaug_ray.data.audit.kept import audit_file
from synaug_ray.data.audit.left_out import known_in_train, told_without, without_known
from synaug_ray.data.audit.searched import searched_images
from synaug_ray.data.images import Dataset
from synaug_ray.plan.subset import DataIdentity

LEAK = 0.01  # share of test images that are also in train, above which a user's own data are refused
QUIET = 10.0  # seconds between progress lines


def apply_duplicate_policy(data: DataIdentity, dataset: Dataset, cache: Path) -> tuple[Dataset, Audit]:
    """Audit ``dataset`` once (the findings are kept in ``cache``), then apply ``data.duplicates``.

    By default published sets are used as they are, with a warning; other sets are refused if more than 1% of the
    test images are also in train.

    Raises:
        DataProblem: if test images are in train and the policy is to refuse, or if leaving them out leaves none.
    """
    audited = _audited(data, dataset, cache)
    known = known_in_train(audited)
    rule = data.options.duplicates or ("warn" if ":" not in data.source else "refuse")
    if rule == "refuse" and len(known) > LEAK * len(dataset.test):
        raise DataProblem(
            f"{dataset.name}: {len(known):,} of {len(dataset.test):,} test images, or near copies of them, are also in "
            "train (python -m synaug_ray.audit lists them): errors would come out too low. Set data.duplicates: "
            "drop-test to measure without them, or warn to continue with them",
            code="test-images-in-train",
        )
    if rule == "drop-test" and known:
        kept = without_known(dataset, known)
        return kept, told_without(audited, dataset, kept)
    return dataset, audited


def _audited(data: DataIdentity, dataset: Dataset, cache: Path) -> Audit:
    file = audit_file(cache, data.key)
    try:
        return as_read_now(Audit.from_json(json.loads(file.read_text())), dataset)
    except (OSError, ValueError, KeyError, TypeError):  # missing or damaged: made (again)
        last = [time.monotonic()]

        def tell(what: str, share: float) -> None:
            if time.monotonic() - last[0] > QUIET:
                last[0] = time.monotonic()
                print(f"audit    duplicates, {what}: {share:.0%}", flush=True)

        audited = audit(dataset, searched=searched_images(data, dataset, cache), tell=tell)
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{time.time_ns()}.tmp")
        temporary.write_text(json.dumps(audited.to_json()))
        temporary.replace(file)
        return audited
