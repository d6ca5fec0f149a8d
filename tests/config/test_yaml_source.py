"""YAML and overrides: plain values with the line of each; everything else refused in one line."""

import pytest

from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.yaml_source import MAX_BYTES, Lines, parse_overrides, parse_yaml


def parse(folder, text):
    path = folder / "g.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return parse_yaml(path)


def refused(folder, text):
    with pytest.raises(UsageProblem) as caught:
        parse(folder, text)
    return [s.replace(f"{folder}/", "") for s in caught.value.sentences]


def test_values_and_their_lines(tmp_path):
    raw, lines = parse(tmp_path, "# a comment\na: 1\nb:\n  - x\n  - {c: 2.5, d: [yes, ~]}\n")
    assert raw == {"a": 1, "b": ["x", {"c": 2.5, "d": [True, None]}]}
    assert lines.at(("a",)) == f"{tmp_path}/g.yaml:2: a"
    assert lines.at(("b", 0)) == f"{tmp_path}/g.yaml:4: b[0]"
    assert lines.at(("b", 1, "d")) == f"{tmp_path}/g.yaml:5: b[1].d"
    # what stands nowhere has the line of what it would stand in
    assert lines.at(("b", 1, "missing")) == f"{tmp_path}/g.yaml:5: b[1].missing"
    assert lines.at(("missing",)) == f"{tmp_path}/g.yaml: missing"


@pytest.mark.parametrize(
    "text,said",
    [
        ("a: 1\nb: c: d\n", "g.yaml:2:5: mapping values are not allowed here in 'b: c: d'"),
        ("a: [1, 2\n", "g.yaml:2:1: expected ',' or ']', but got '<stream end>'"),
        ("\ta: 1\n", "g.yaml:1:1: found character '\\t' that cannot start any token in 'a: 1'"),
        ("a: 1\n---\nb: 2\n", "g.yaml:2:1: but found another document in '---'"),
        ("a: \x07\n", "g.yaml: not YAML (unacceptable character #x0007"),
        ("", "g.yaml: a grid is a mapping of keys to values, got NoneType"),
        ("- a\n", "g.yaml: a grid is a mapping of keys to values, got list"),
        ("digits\n", "g.yaml: a grid is a mapping of keys to values, got str"),
        ("a: 1\nb: 2\na: 3\n", "g.yaml:3: key 'a' stands twice; keep one"),
        ("b:\n  - {x: 1, x: 2}\n", "g.yaml:2: key 'x' stands twice; keep one"),
        ("a: &x [1]\nb: 2\n", "g.yaml:1: anchors and aliases are not allowed; write the value out"),
        ("a: 1\nb: *a\n", "g.yaml:2: anchors and aliases are not allowed; write the value out"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", "g.yaml:2: tags are not allowed (here "),
        ("a: !!bool maybe\n", "g.yaml:1: tags are not allowed (here "),
        ("a: !!timestamp never\n", "g.yaml:1: tags are not allowed (here "),
        ("a: !mine 3\n", "g.yaml:1: tags are not allowed (here !mine)"),
        ("a: 1\nb: 2026-11-21\n", "g.yaml:2: '2026-11-21' reads as a timestamp; put it in quotes"),
        ("a: 1\nb: 2026-13-45\n", "g.yaml:2: '2026-13-45' reads as a timestamp; put it in quotes"),
        ("a: 1\n3: 2\n", "g.yaml:2: a key must be text, got '3'"),
        ("a:\n  on: 2\n", "g.yaml:2: a key must be text, got 'on'"),
        ("? [a]\n: 1\n", "g.yaml:1: a key must be text, got a list or mapping"),
        ("<<: {a: 1}\n", "g.yaml:1: a key must be text, got '<<'"),
        (b"a: \xff\n", "g.yaml: not UTF-8 text (byte 3); save it as UTF-8"),
        ("a: 1\n".encode("utf-16"), "g.yaml: not UTF-8 text (byte 0); save it as UTF-8"),
        ("[" * 5_000 + "]" * 5_000, "g.yaml:1: nested deeper than 20"),
        ("\n".join(" " * i + "a:" for i in range(200)), "g.yaml:21: nested deeper than 20"),
        ("a: " + "9" * 5_000, "g.yaml: not YAML (Exceeds the limit"),
    ],
)
def test_what_is_no_grid_file_is_refused_in_one_line(tmp_path, text, said):
    (sentence,) = refused(tmp_path, text)
    assert sentence.startswith(said)
    assert "\n" not in sentence and len(sentence) < 300


def test_a_long_wrong_line_is_cut(tmp_path):
    (sentence,) = refused(tmp_path, "a: [" + "x, " * 1_000 + "\n")
    assert len(sentence) < 250


def test_every_key_that_stands_twice_is_told(tmp_path):
    assert len(refused(tmp_path, "a: 1\na: 2\nb: {c: 1, c: 2}\n")) == 2


def test_a_huge_file_is_refused_unread(tmp_path):
    (sentence,) = refused(tmp_path, "a: " + "x" * MAX_BYTES)
    assert sentence == f"g.yaml: {MAX_BYTES + 3:,} bytes; a grid has at most {MAX_BYTES:,}"


def test_a_small_file_cannot_become_a_large_value(tmp_path):
    """Nine levels of ten aliases would be 10^9 values."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (sentence,) = refused(tmp_path, "\n".join(levels))
    assert "anchors and aliases" in sentence


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageProblem, match="cannot be read"):
        parse_yaml(tmp_path)  # a folder


def override(raw, *texts):
    lines = Lines("g.yaml")
    return parse_overrides(raw, list(texts), lines), lines


@pytest.mark.parametrize(
    "text,expected",
    [
        ("draws=8", {"draws": 8}),
        ("num_real=[20, 40]", {"num_real": [20, 40]}),
        ("dataset=folder:/a=b", {"dataset": "folder:/a=b"}),
        ("data.size=16", {"data": {"size": 16}}),
        ("data.mode=", {"data": {"mode": None}}),
        ("sampler.steps=9", {"sampler": {"preset": "heun-18", "steps": 9}}),
        ("generators.1.nimg=7", {"generators": ["jitter", {"preset": "edm-tiny", "nimg": 7}]}),
        ("generators.0=duplicate", {"generators": ["duplicate", "edm-tiny"]}),
        ("blocks.0.draws=3", {"blocks": [{"draws": 3}]}),
    ],
)
def test_overrides(text, expected):
    raw = {"sampler": "heun-18", "generators": ["jitter", "edm-tiny"], "blocks": [{"draws": 2}]}
    problems, _ = override(raw, text)
    assert problems == []
    assert raw == {"sampler": "heun-18", "generators": ["jitter", "edm-tiny"], "blocks": [{"draws": 2}]} | expected


def test_the_last_override_wins_and_is_named():
    raw = {"draws": 1}
    problems, lines = override(raw, "draws=2", "draws=3")
    assert raw == {"draws": 3} and not problems
    assert lines.at(("draws",)) == "override 'draws=3': draws"


@pytest.mark.parametrize(
    "text,said",
    [
        ("draws", "'draws' is no override; write key=value"),
        ("=3", "'=3' is no override"),
        ("a..b=3", "'a..b=3' is no override"),
        (".a=3", "'.a=3' is no override"),
        ("draws=[1", "override 'draws=[1': the value is not YAML"),
        ("draws=&a [*a]", "override 'draws=&a [*a]': anchors and aliases are not allowed"),
        ("draws=!!python/name:os.system ''", "tags are not allowed"),
        (
            "generators.nimg=4",
            "generators is a list of 2, so 'nimg' says nothing of it; write a place in it, as in generators.0.nimg",
        ),
        ("generators.2.nimg=4", "generators is a list of 2, so '2' says nothing of it"),
        ("generators." + "9" * 5_000 + "=4", "generators is a list of 2"),
        ("draws.x=4", "draws is 6, which holds no 'x'"),
    ],
)
def test_what_is_no_override_changes_nothing(text, said):
    raw = {"draws": 6, "generators": ["jitter", "edm-tiny"]}
    (problem,), _ = override(raw, text)
    assert said in problem and "\n" not in problem
    assert raw == {"draws": 6, "generators": ["jitter", "edm-tiny"]}
