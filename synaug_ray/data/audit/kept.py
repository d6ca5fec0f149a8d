"""Where the audit of a data set is kept, so that it is made once."""

from __future__ import annotations

import json
from pathlib import Path

VERSION = 2  # of the checks: raising it repeats all audits that were kept


def audit_file(cache: Path, key: str) -> Path:
    """The file that keeps the audit of the data of this key."""
    return cache / "audits" / f"{key}-{VERSION}.json"


def known_test_images(cache: Path, key: str) -> list[int] | None:
    """Indices of the test images that are also in train, by a kept audit; None where there is none that can be read."""
    try:
        found = json.loads(audit_file(cache, key).read_text())["numbers"]["duplicates"]["test in train"]["images"]
        return [int(i) for i in found]
    except (OSError, ValueError, KeyError, TypeError):
        return None
