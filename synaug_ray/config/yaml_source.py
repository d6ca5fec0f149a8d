"""YAML text and ``key=value`` overrides into plain values, with the line each came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from synaug_ray.common.errors import UsageProblem
from synaug_ray.common.text import one_line

MAX_BYTES = 100_000  # a grid is a dozen lines; this many take PyYAML some seconds
MAX_DEPTH = 20  # PyYAML's time grows with the square of it
SHOWN = 80  # characters of a wrong line that a message repeats
PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map")}
Location = tuple[str | int, ...]


@dataclass
class Lines:
    """Where each value stands in its file, for messages."""

    file: str
    lines: dict[Location, int] = field(default_factory=dict)
    overrides: dict[Location, str] = field(default_factory=dict)

    def at(self, location: Location) -> str:
        """``grids/digits.yaml:7: num_real[2]``, or the override that set it."""
        name = "".join(f"[{p}]" if isinstance(p, int) else f".{_key(p)}" for p in location).lstrip(".")
        for end in range(len(location), 0, -1):
            if location[:end] in self.overrides:
                return f"override {short(self.overrides[location[:end]])}: {name}"
        for end in range(len(location), 0, -1):
            if location[:end] in self.lines:
                return f"{self.file}:{self.lines[location[:end]]}: {name}"
        return f"{self.file}: {name}" if name else self.file


def _key(name: str) -> str:
    return name if name.isprintable() and len(name) <= SHOWN else short(name)


def short(value: object) -> str:
    """A wrong value as a message repeats it."""
    shown = repr(value)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."


def parse_yaml(path: Path) -> tuple[dict[str, Any], Lines]:
    """Plain values of a YAML mapping.

    Raises:
        UsageProblem: unreadable, too large, no mapping, a key twice, tags, or anchors and aliases
            (which can blow a small file up to any size).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageProblem(f"{path}: cannot be read ({error.strerror})") from None
    if len(data) > MAX_BYTES:
        raise UsageProblem(f"{path}: {len(data):,} bytes; a grid has at most {MAX_BYTES:,}")
    return parse_bytes(data, str(path))


def parse_bytes(data: bytes, path: str) -> tuple[dict[str, Any], Lines]:
    """The same of a file's bytes, of any size; ``path`` is what messages call it."""
    lines = Lines(path)
    try:
        text = data.decode("utf-8")
        refused = _refused(text)
        if refused:
            raise UsageProblem(f"{path}:{refused[0]}: {refused[1]}")
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        problems: list[str] = []
        _walk(node, (), lines, problems)
        if problems:
            raise UsageProblem(problems)
        raw = loader.construct_document(node) if node is not None else None
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        line = text.splitlines()[mark.line : mark.line + 1] if mark else []
        shown = f" in {line[0].strip()[:SHOWN]!r}" if line else ""
        raise UsageProblem(f"{where}: {error.problem or 'not YAML'}{shown}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageProblem(f"{path}: not YAML ({one_line(error)})") from None
    if not isinstance(raw, dict):
        raise UsageProblem(f"{path}: a grid is a mapping of keys to values, got {type(raw).__name__}")
    return raw, lines


def _refused(text: str) -> tuple[int, str] | None:
    """The line of the first thing that no grid needs and that can do harm, and what it is."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            return line, f"nested deeper than {MAX_DEPTH}; a grid needs four levels"
        if getattr(event, "anchor", None):
            return line, "anchors and aliases are not allowed; write the value out"
        if getattr(event, "tag", None):
            return line, f"tags are not allowed (here {event.tag}); write the plain value"
    return None


def _walk(node: yaml.Node | None, at: Location, lines: Lines, problems: list[str]) -> None:
    if node is None:
        return
    lines.lines[at] = line = node.start_mark.line + 1
    if node.tag not in PLAIN:  # what PyYAML makes something else of unasked: dates, '='
        kind = node.tag.rpartition(":")[2]
        problems.append(f"{lines.file}:{line}: {short(node.value)} reads as a {kind}; put it in quotes")
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            _walk(item, (*at, i), lines, problems)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for name, value in node.value:
            if name.tag != "tag:yaml.org,2002:str":
                shown = short(name.value) if isinstance(name, yaml.ScalarNode) else "a list or mapping"
                problems.append(
                    f"{lines.file}:{name.start_mark.line + 1}: a key must be text, got {shown}; put it in "
                    "quotes if it is meant"
                )
                continue
            key = str(name.value)
            if key in seen:
                problems.append(f"{lines.file}:{name.start_mark.line + 1}: key {short(key)} stands twice; keep one")
            seen.add(key)
            _walk(value, (*at, key), lines, problems)
            lines.lines[(*at, key)] = name.start_mark.line + 1


def parse_overrides(raw: dict[str, Any], overrides: list[str], lines: Lines) -> list[str]:
    """Apply ``a.b=value`` (the value in YAML) to ``raw`` in place; the problems found, one line each."""
    problems = []
    for text in overrides:
        name, equals, value = text.partition("=")
        if not equals or not name or not all(part for part in name.split(".")):
            problems.append(f"{short(text)} is no override; write key=value, for example draws=8 or data.size=16")
            continue
        try:
            refused = _refused(value)
            parsed = None if refused else yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            problems.append(f"override {short(text)}: the value is not YAML ({one_line(error)})")
            continue
        where = refused[1] if refused else _put(raw, name.split("."), parsed)
        if isinstance(where, str):
            problems.append(f"override {short(text)}: {where}")
        else:
            lines.overrides[where] = text
    return problems


def _put(raw: dict[str, Any], names: list[str], value: Any) -> Location | str:
    """Set one value in place; where it now stands, or why there is no such place."""
    target: Any = raw
    location: list[Any] = []
    for depth, name in enumerate(names):
        place: Any = name
        if isinstance(target, list):
            so_far = ".".join(_key(n) for n in names[:depth])
            if not (name.isdecimal() and len(name) < 5 and int(name) < len(target)):
                return (
                    f"{so_far} is a list of {len(target)}, so {short(name)} says nothing of it; write a place in "
                    f"it, as in {so_far}.0.{_key(name)}, or the whole list"
                )
            place = int(name)
        location.append(place)
        if depth == len(names) - 1:
            target[place] = value
            break
        inner: Any = target[place] if isinstance(target, list) else target.get(place)
        if isinstance(inner, str):
            inner = {"preset": inner}
        elif inner is None:
            inner = {}
        elif not isinstance(inner, (dict, list)):
            so_far = ".".join(_key(n) for n in names[: depth + 1])
            return f"{so_far} is {short(inner)}, which holds no {short(names[depth + 1])}"
        target[place] = inner
        target = inner
    return tuple(location)
