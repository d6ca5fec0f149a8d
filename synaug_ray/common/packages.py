"""Whether an optional package is really there: a folder of its name in the working directory is none.

W&B leaves ``./wandb`` behind, and people keep images in ``./datasets``. Python takes such a folder for a package
without code, because ``python -m`` puts the working directory first where it looks.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def why_not_installed(package: str) -> str:
    """Why a package cannot be used, as the end of a sentence; empty where it can. Nothing is imported."""
    try:
        found = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # something without a spec took its name
        found = None
    if found is None:
        return "which is not installed"
    if found.origin is None:  # a folder without __init__.py; a real package further down the path would come first
        at = next(iter(found.submodule_search_locations or ()), package)
        return f"which is not installed (the folder {at} only has its name)"
    file = Path(found.origin)
    own = file.parent if file.name == "__init__.py" else file
    if os.path.realpath(own.parent) == os.path.realpath(os.curdir):
        return f"which {own} hides; rename that, or start the command in another folder"
    return ""
