"""Parses YAML text and ``key=value`` overrides into plain values, and remembers the line of each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from synaug_ray.common.errors import Message, UsageProblem
from synaug_ray.common.text import one_line

MAX_BYTES = 100_000  # a grid is a dozen lines; PyYAML takes seconds for this many bytes
MAX_DEPTH = 20  # PyYAML's time grows with its square
SHOWN = 80  # characters of a wrong value that a message quotes
PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map")}
NUMBERS = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float")}
DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)?(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|nan)", re.IGNORECASE)
BASES = {"b": "binary", "x": "hexadecimal"}
Location = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """PyYAML reads YAML 1.1, where yes, no, on and off are truth values; as in YAML 1.2 they are text here."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


@dataclass
class Lines:
    """The line of each value in its file, for messages."""

    file: str
    lines: dict[Location, int] = field(default_factory=dict)
    overrides: dict[Location, str] = field(default_factory=dict)
    moved: dict[Location, Location] = field(default_factory=dict)  # of values that were made from others: from which

    def at(self, location: Location) -> str:
        """``grids/digits.yaml:7: num_real[2]``, or the override that set it."""
        for end in range(len(location), 0, -1):
            if location[:end] in self.moved:
                location = self.moved[location[:end]] + location[end:]
                break
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
    """A wrong value as a message quotes it."""
    shown = repr(value)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."


def parse_yaml(path: Path) -> tuple[dict[str, Any], Lines]:
    """Plain values of a YAML mapping.

    Raises:
        UsageProblem: unreadable, too large, not a mapping, a duplicate key, tags, or anchors and aliases
            (with which a small file can expand to any size).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageProblem(Message(f"cannot be read ({error.strerror})", str(path), "unreadable-file")) from None
    if len(data) > MAX_BYTES:
        raise UsageProblem(
            Message(
                f"{len(data):,} bytes; a grid may have {MAX_BYTES:,}",
                str(path),
                "file-too-large",
                f"{len(data):,} bytes",
            )
        )
    return parse_bytes(data, str(path))


def parse_bytes(data: bytes, path: str) -> tuple[dict[str, Any], Lines]:
    """The same for a file's content, of any size; messages call it ``path``."""
    lines = Lines(path)
    try:
        text = data.decode("utf-8")
        refused = _refused(text)
        if refused:
            line, code, why, value = refused
            raise UsageProblem(Message(why, f"{path}:{line}", code, value))
        loader = _Loader(text)
        node = loader.get_single_node()
        problems: list[Message] = []
        _walk(node, (), lines, problems)
        if problems:
            raise UsageProblem(problems)
        raw = loader.construct_document(node) if node is not None else None
    except UnicodeDecodeError as error:
        raise UsageProblem(
            Message(f"not UTF-8 text (byte {error.start}); save it as UTF-8", path, "not-utf-8")
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        line = text.splitlines()[mark.line : mark.line + 1] if mark else []
        shown = f" in {line[0].strip()[:SHOWN]!r}" if line else ""
        raise UsageProblem(Message(f"{error.problem or 'not YAML'}{shown}", where, "not-yaml")) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageProblem(Message(f"not YAML ({one_line(error)})", path, "not-yaml")) from None
    if not isinstance(raw, dict):
        kind = type(raw).__name__
        raise UsageProblem(
            Message(f"a grid must be a mapping of keys to values, got {kind}", path, "not-a-mapping", kind)
        )
    return raw, lines


def _refused(text: str) -> tuple[int, str, str, str] | None:
    """The first use of a YAML feature that grids do not need and that can do harm: line, code, reason and value."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            return line, "too-deep", f"nested more than {MAX_DEPTH} levels deep; a grid needs four", ""
        if anchor := getattr(event, "anchor", None):
            return line, "anchor", "anchors and aliases are not allowed; write out the value", short(anchor)
        if tag := getattr(event, "tag", None):
            return line, "tag", f"tags are not allowed, got {tag}; write the plain value", short(tag)
    return None


def _walk(node: yaml.Node | None, at: Location, lines: Lines, problems: list[Message]) -> None:
    if node is None:
        return
    lines.lines[at] = line = node.start_mark.line + 1
    if node.tag not in PLAIN:  # what PyYAML converts unasked: dates, '='
        kind = node.tag.rpartition(":")[2]
        shown = short(node.value)
        problems.append(
            Message(f"{shown} is a {kind} in YAML; put it in quotes", f"{lines.file}:{line}", "not-plain", shown)
        )
    elif isinstance(node, yaml.ScalarNode) and node.tag in NUMBERS and not DECIMAL.fullmatch(node.value):
        problems.append(Message(_not_decimal(node), f"{lines.file}:{line}", "not-decimal", short(node.value)))
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            _walk(item, (*at, i), lines, problems)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for name, value in node.value:
            place = f"{lines.file}:{name.start_mark.line + 1}"
            if name.tag != "tag:yaml.org,2002:str":
                shown = short(name.value) if isinstance(name, yaml.ScalarNode) else "a list or mapping"
                text = f"a key must be text, got {shown}; put it in quotes if it is one"
                problems.append(Message(text, place, "key-not-text", shown))
                continue
            key = str(name.value)
            if key in seen:
                problems.append(Message(f"duplicate key {short(key)}; keep one", place, "duplicate-key", short(key)))
            seen.add(key)
            _walk(value, (*at, key), lines, problems)
            lines.lines[(*at, key)] = name.start_mark.line + 1


def _not_decimal(node: yaml.ScalarNode) -> str:
    """Which number YAML 1.1 makes of a scalar that a reader may take for another, and how to write either."""
    written, loader = node.value, _Loader("")
    number = short(loader.construct_object(node))
    bare = written.lstrip("+-").replace("_", "")
    if ":" in written:
        kind, as_decimal = "a number in base 60", ""
    elif bare[:2].lower() in ("0b", "0x"):
        kind, as_decimal = f"a {BASES[bare[1].lower()]} number", ""
    elif re.fullmatch("0[0-7]+", bare):
        sign, digits = "-" * written.startswith("-"), bare.lstrip("0")
        kind, as_decimal = "an octal number", f"{sign}{digits} or " if digits else ""
    else:
        return f"{short(written)} is not a plain decimal number; write {number}, or put it in quotes if it is text"
    return (
        f"{short(written)} is {kind} in YAML, {number}; write a plain decimal number ({as_decimal}{number}), or put it "
        "in quotes if it is text"
    )


def parse_overrides(raw: dict[str, Any], overrides: list[str], lines: Lines) -> list[Message]:
    """Apply ``a.b=value`` (the value in YAML) to ``raw`` in place; returns the problems found."""
    problems: list[Message] = []
    for text in overrides:
        name, equals, value = text.partition("=")
        if not equals or not name or not all(part for part in name.split(".")):
            said = f"{short(text)} is not an override; write key=value, for example draws=8 or data.size=16"
            problems.append(Message(said, "", "not-an-override", short(text)))
            continue
        place = f"override {short(text)}"
        found: list[Message] = []
        try:
            refused, parsed = _refused(value), None
            if not refused:
                loader = _Loader(value)
                node = loader.get_single_node()
                _walk(node, (), Lines(""), found)
                parsed = loader.construct_document(node) if node is not None and not found else None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            problems.append(Message(f"the value is not YAML ({one_line(error)})", place, "not-yaml", short(value)))
            continue
        if refused:
            _, code, why, wrong = refused
            problems.append(Message(why, place, code, wrong))
            continue
        if found:
            problems += [replace(message, place=place) for message in found]
            continue
        at = _put(raw, name.split("."), parsed)
        if isinstance(at, Message):
            problems.append(replace(at, place=place))
        else:
            lines.overrides[at] = text
    return problems


def _put(raw: dict[str, Any], names: list[str], value: Any) -> Location | Message:
    """Set one value in place; returns its location, or why there is no such place."""
    target: Any = raw
    location: list[Any] = []
    for depth, name in enumerate(names):
        place: Any = name
        if isinstance(target, list):
            so_far = ".".join(_key(n) for n in names[:depth])
            if not (name.isdecimal() and len(name) < 5 and int(name) < len(target)):
                return Message(
                    f"{so_far} is a list of {len(target)}, and {short(name)} is not an index of it; give an index, as "
                    f"in {so_far}.0.{_key(name)}, or the whole list",
                    code="no-such-place",
                    value=short(name),
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
            wrong = short(names[depth + 1])
            return Message(f"{so_far} is {short(inner)}, which has no key {wrong}", code="no-such-place", value=wrong)
        target[place] = inner
        target = inner
    return tuple(location)
