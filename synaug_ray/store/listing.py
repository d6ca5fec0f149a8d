"""Which runs lie in a storage."""

from __future__ import annotations

from glob import escape

from synaug_ray.store.filesystem import open_url
from synaug_ray.store.run_folder import RUN_FILES


def runs_in(url: str) -> list[str]:
    """Names of the runs' folders directly below a path or URL, sorted; none where it cannot be listed."""
    try:
        fs, root = open_url(url)
        found = {str(path).split("/")[-2] for name in RUN_FILES for path in fs.glob(f"{escape(root)}/*/{name}")}
    except Exception:  # this only makes a message better, about what was already refused
        return []
    return sorted(found)
