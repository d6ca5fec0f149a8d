"""YAML and overrides: plain values with the line of each; everything else refused in one line."""

import pytest

from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.yaml_source import Lines, parse_overrides, parse_yaml


def parse(folder, text):
    path = folder / "g.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return parse_yaml(path)


def test_values_and_their_lines(tmp_path):
    raw, lines = parse(tmp_path, "# a comment\na: 1\nb:\n  - x\n  - {c: 2.5, d: [true, ~]}\n")
    assert raw == {"a": 1, "b": ["x", {"c": 2.5, "d": [True, None]}]}
    assert lines.at(("a",)) == f"{tmp_path}/g.yaml:2: a"
    assert lines.at(("b", 0)) == f"{tmp_path}/g.yaml:4: b[0]"
    assert lines.at(("b", 1, "d")) == f"{tmp_path}/g.yaml:5: b[1].d"
    # what stands nowhere has the line of what it would stand in
    assert lines.at(("b", 1, "missing")) == f"{tmp_path}/g.yaml:5: b[1].missing"
    assert lines.at(("missing",)) == f"{tmp_path}/g.yaml: missing"


@pytest.mark.parametrize(
    "written,value",
    [
        ("0", 0),
        ("100", 100),
        ("-5", -5),
        ("+5", 5),
        ("0.001", 0.001),
        (".5", 0.5),
        ("5.", 5.0),
        ("1.0e-3", 0.001),
        ("1.5E+2", 150.0),
        ("1e3", "1e3"),  # text in YAML 1.1; where a number is expected, it is read as the decimal that it is
        ("09", "09"),
        ("0o17", "0o17"),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        *((word, word) for word in ("yes", "Yes", "no", "NO", "on", "off", "y", "n")),
        ("'0100'", "0100"),
        ("'yes'", "yes"),
        ("'2024-01-01'", "2024-01-01"),
    ],
)
def test_what_is_written_is_what_is_read(tmp_path, written, value):
    """In a file, in a list, in a nested mapping and on the command line alike."""
    raw, _ = parse(tmp_path, f"a: {written}\nb: [{written}]\nc: [{{d: {written}}}]\n")
    assert raw == {"a": value, "b": [value], "c": [{"d": value}]}
    assert [type(v) for v in (raw["a"], raw["b"][0], raw["c"][0]["d"])] == [type(value)] * 3
    raw = {}
    assert override(raw, f"a={written}", f"b=[{written}]", f"c.d={written}")[0] == []
    assert raw == {"a": value, "b": [value], "c": {"d": value}}


@pytest.mark.parametrize(
    "written,decimals",
    [
        ("0100", "100 or 64"),
        ("-010", "-10 or -8"),
        ("00", "0"),
        ("0x10", "16"),
        ("0b101", "5"),
        ("1:20", "80"),
        ("1:20:30", "4830"),
        ("1:20.5", "80.5"),
        ("1_000", "1000"),
        ("1_0.5", "10.5"),
        ("010.5", "10.5"),
    ],
)
def test_a_number_that_is_not_what_it_looks_like_is_refused_with_its_decimals(tmp_path, written, decimals):
    """Of all in one file at once, each with its line."""
    with pytest.raises(UsageProblem) as found:
        parse(tmp_path, f"a: {written}\nb: [1, {written}]\nc:\n  - {{d: {written}}}\n")
    assert [m.place.rpartition(":")[2] for m in found.value.messages] == ["1", "2", "4"]
    for message in found.value.messages:
        assert (message.code, message.value) == ("not-decimal", repr(written))
        assert decimals in message.text.partition("write")[2] and repr(written) in message.text
    for text in (f"a={written}", f"a=[{written}]", f"a={{b: {written}}}"):
        raw = {}
        ((problem,), _) = override(raw, text)
        assert (problem.code, problem.place) == ("not-decimal", f"override {text!r}") and raw == {}


@pytest.mark.parametrize("text,code", [("a=2024-01-01", "not-plain"), ("a={b: 1, b: 2}", "duplicate-key")])
def test_an_override_is_read_as_strictly_as_a_file(text, code):
    ((problem,), _) = override({}, text)
    assert (problem.code, problem.place) == (code, f"override {text!r}")


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
