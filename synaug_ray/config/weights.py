"""Files of pretrained weights in recipes: identified by their content, wherever they lie."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

from synaug_ray.common.keys import file_digest

HUB = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")  # owner/name@commit: a branch or tag can move


def identified(values: dict[str, Any], need: str) -> dict[str, Any]:
    """A recipe's values with its ``weights`` as an absolute path and their SHA-256 as ``content``.

    A name on the hub with its commit identifies its content itself. Where ``content`` is given, nothing is read: the
    file is checked when it is opened.

    Args:
        need: what to do, for messages.

    Raises:
        PydanticCustomError: if there is no file, or it is no safetensors file.
    """
    where = values.get("weights", "")
    if HUB.fullmatch(where):
        return values | {"content": where}
    if values.get("content", ""):
        return values
    try:
        # absolute: workers run elsewhere; unresolved: the hub's cache links to names without a suffix
        file = Path(where).expanduser().absolute()
        found = digest(str(file))
    except (OSError, RuntimeError, ValueError) as error:  # name too long, permission denied, NUL character
        raise _invalid("unreadable-weights", f"weights {where!r} cannot be read ({error}); {need}") from None
    if not found:
        raise _invalid("no-such-weights", f"weights {where!r} is not a file; {need}")
    if file.suffix != ".safetensors":
        raise _invalid(
            "weights-format", f"weights {where!r} is not a .safetensors file, and pickles are not read; {need}"
        )
    return values | {"weights": str(file), "content": found}


def digest(path: str) -> str:
    """SHA-256 of a file; empty if there is no file."""
    if not Path(path).is_file():
        return ""
    return file_digest(Path(path))


def _invalid(code: str, text: str) -> PydanticCustomError:
    return PydanticCustomError(code, text)  # type: ignore[arg-type]
