"""YAML text and ``key=value`` overrides into plain values, with the line each came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from synaug_ray.errors import UsageProblem

MAX_BYTES = 1_000_000  # a grid is a dozen lines; anything near this is no grid
Location = tuple[str | int, ...]


@dataclass
class Lines:
    """Where each value stands in its file, for messages."""

    file: str
    lines: dict[Location, int] = field(default_factory=dict)
    overrides: dict[Location, str] = field(default_factory=dict)

    def at(self, location: Location) -> str:
        """``grids/digits.yaml:7: num_real[2]``, or the override that set it."""
        name = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in location).lstrip(".")
        for end in range(len(location), 0, -1):
            if location[:end] in self.overrides:
                return f"override {self.overrides[location[:end]]!r}: {name}"
        for end in range(len(location), 0, -1):
            if location[:end] in self.lines:
                return f"{self.file}:{self.lines[location[:end]]}: {name}"
        return f"{self.file}: {name}" if name else self.file


def parse_yaml(path: Path) -> tuple[dict[str, Any], Lines]:
    """Plain values of a YAML mapping.

    Raises:
        UsageProblem: unreadable, too large, no mapping, a key twice, or anchors and aliases
            (which can blow a small file up to any size).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageProblem(f"{path}: cannot be read ({error.strerror})") from None
    if len(data) > MAX_BYTES:
        raise UsageProblem(f"{path}: {len(data):,} bytes; a grid has at most {MAX_BYTES:,}")
    lines = Lines(str(path))
    try:
        text = data.decode("utf-8")
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                line = event.start_mark.line + 1
                raise UsageProblem(f"{path}:{line}: anchors and aliases are not allowed; write the value out")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        problems: list[str] = []
        _walk(node, (), lines, problems)
        if problems:
            raise UsageProblem(problems)
        raw = yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        shown = f" in {text.splitlines()[mark.line].strip()!r}" if mark and text.splitlines()[mark.line:] else ""
        raise UsageProblem(f"{where}: {error.problem or 'not YAML'}{shown}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageProblem(f"{path}: not YAML ({' '.join(str(error).split()) or type(error).__name__})") from None
    if not isinstance(raw, dict):
        raise UsageProblem(f"{path}: a grid is a mapping of keys to values, got {type(raw).__name__}")
    unnamed = [k for k in raw if not isinstance(k, str)]
    if unnamed:
        raise UsageProblem([f"{path}: the key {k!r} is no text" for k in unnamed])
    return raw, lines


def _walk(node: yaml.Node | None, at: Location, lines: Lines, problems: list[str]) -> None:
    if node is None:
        return
    lines.lines[at] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            _walk(item, (*at, i), lines, problems)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for name, value in node.value:
            key = str(name.value)
            if key in seen:
                problems.append(f"{lines.file}:{name.start_mark.line + 1}: key {key!r} stands twice; keep one")
            seen.add(key)
            _walk(value, (*at, key), lines, problems)
            lines.lines[(*at, key)] = name.start_mark.line + 1


def parse_overrides(raw: dict[str, Any], overrides: list[str], lines: Lines) -> list[str]:
    """Apply ``a.b=value`` (the value in YAML) to ``raw`` in place; the problems found, one line each."""
    problems = []
    for text in overrides:
        name, equals, value = text.partition("=")
        if not equals or not name or not all(part for part in name.split(".")):
            problems.append(f"{text!r} is no override; write key=value, for example draws=8 or data.size=16")
            continue
        try:
            parsed = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            problems.append(f"override {text!r}: the value is not YAML ({' '.join(str(error).split())})")
            continue
        target: Any = raw
        *parents, last = name.split(".")
        for parent in parents:
            if not isinstance(target.get(parent), dict):
                target[parent] = {"preset": target[parent]} if isinstance(target.get(parent), str) else {}
            target = target[parent]
        target[last] = parsed
        lines.overrides[tuple(name.split("."))] = text
    return problems
