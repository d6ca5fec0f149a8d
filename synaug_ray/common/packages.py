"""Whether an optional package is really installed, rather than shadowed by a folder of the same name.

W&B leaves ``./wandb`` behind, and people keep images in ``./datasets``. Since ``python -m`` puts the working directory
first on the import path, Python takes such a folder for a namespace package.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def why_not_installed(package: str) -> str:
    """Why a package cannot be used, as the end of a sentence; empty if it can. Nothing is imported."""
    try:
        found = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # a module without a spec has its name
        found = None
    if found is None:
        return "which is not installed"
    if found.origin is None:  # a folder without __init__.py; a real package later on the path would have been preferred
        at = next(iter(found.submodule_search_locations or ()), package)
        return f"which is not installed (the folder {at} only has its name)"
    file = Path(found.origin)
    own = file.parent if file.name == "__init__.py" else file
    if os.path.realpath(own.parent) == os.path.realpath(os.curdir):
        return f"which {own} hides; rename that, or start the command in another folder"
    return ""
