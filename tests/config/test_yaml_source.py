"""YAML and overrides: plain values with the line of each; everything else refused in one line."""

import pytest

from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.yaml_source import Lines, parse_overrides, parse_yaml


def parse(folder, text):
    path = folder / "g.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return parse_yaml(path)


def test_values_and_their_lines(tmp_path):
    raw, lines = parse(tmp_path, "# a comment\na: 1\nb:\n  - x\n  - {c: 2.5, d: [yes, ~]}\n")
    assert raw == {"a": 1, "b": ["x", {"c": 2.5, "d": [True, None]}]}
    assert lines.at(("a",)) == f"{tmp_path}/g.yaml:2: a"
    assert lines.at(("b", 0)) == f"{tmp_path}/g.yaml:4: b[0]"
    assert lines.at(("b", 1, "d")) == f"{tmp_path}/g.yaml:5: b[1].d"
    # what stands nowhere has the line of what it would stand in
    assert lines.at(("b", 1, "missing")) == f"{tmp_path}/g.yaml:5: b[1].missing"
    assert lines.at(("missing",)) == f"{tmp_path}/g.yaml: missing"


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
    "text,code,value",
    [
        ("draws", "not-an-override", "'draws'"),
        ("=3", "not-an-override", "'=3'"),
        ("a..b=3", "not-an-override", "'a..b=3'"),
        (".a=3", "not-an-override", "'.a=3'"),
        ("draws=[1", "not-yaml", "'[1'"),
        ("draws=&a [*a]", "anchor", "'a'"),
        ("draws=!!python/name:os.system ''", "tag", "'tag:yaml.org,2002:python/name:os.system'"),
        ("generators.nimg=4", "no-such-place", "'nimg'"),
        ("generators.2.nimg=4", "no-such-place", "'2'"),
        pytest.param("generators." + "9" * 5_000 + "=4", "no-such-place", f"'{'9' * 79}...", id="generators.999"),
        ("draws.x=4", "no-such-place", "'x'"),
    ],
)
def test_a_wrong_override_changes_nothing(told, text, code, value):
    raw = {"draws": 6, "generators": ["jitter", "edm-tiny"]}
    (problem,), _ = override(raw, text)
    told([str(problem)])
    place = (
        "" if code == "not-an-override" else "override " + (repr(text) if len(text) < 80 else repr(text)[:80] + "...")
    )
    assert (problem.code, problem.place, problem.value) == (code, place, value) and "\n" not in str(problem)
    assert raw == {"draws": 6, "generators": ["jitter", "edm-tiny"]}
