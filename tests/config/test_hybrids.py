"""Hybrids as grids declare them: parts by name, shares that add up, and each mistake told where it is."""

import pytest
import yaml

from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.generator_recipes import HybridRecipe, singles
from synaug_ray.config.load import load_grid, validate_grid
from synaug_ray.config.presets import GENERATORS
from synaug_ray.config.warnings import grid_warnings
from synaug_ray.config.yaml_source import Lines

GRID = """dataset: digits
num_real: [20, 40, 80]
synthetic_multiples: [0, 1, 4]
generators:
  - edm-tiny
  - {preset: edm-tiny, name: open, trained_on: 400, samplers: [{guidance: 1}, {guidance: 2}]}
  - {family: hybrid, name: both, parts: {edm-tiny: 0.5, open-guidance-2: 0.5}}
classifiers: [mlp]
blocks:
  - {num_real: [20], generators: [gan-tiny, {family: hybrid, name: with-gan, parts: {gan-tiny: 0.25, edm-tiny: 0.75}}]}
"""
WHOLE = yaml.safe_load(GRID)


def hybrid(parts, **more):
    own = [{"preset": "edm-tiny", "name": "mine"}, "jitter"]
    made = {"family": "hybrid", "name": "both", "parts": parts} | more
    return validate_grid(WHOLE | {"generators": [*own, made], "blocks": []}, Lines("g.yaml")).generators[-1]


def test_parts_are_generators_of_the_grid_or_of_the_block_or_presets():
    spec = validate_grid(WHOLE, Lines("g.yaml"))
    both, block = spec.generators[-1], spec.products()[1].generators[-1]
    assert isinstance(both, HybridRecipe) and isinstance(block, HybridRecipe)
    assert singles(both) == (spec.generators[0], spec.generators[2]) and both.weights == (1, 1)
    assert singles(block) == (spec.products()[1].generators[0], spec.generators[0]) and block.weights == (1, 3)
    assert singles(hybrid({"mine": 0.5, "mixup": 0.5}))[1] == GENERATORS["mixup"]
    assert validate_grid(yaml.safe_load(yaml.safe_dump(spec.resolved())), Lines("again.yaml")) == spec


def test_the_key_is_of_the_parts_that_are_used_and_their_shares():
    plain = hybrid({"mine": 0.5, "jitter": 0.5})
    assert plain.key == hybrid({"mine": 0.5, "jitter": 0.5, "duplicate": 0}, name="other").key
    others = [
        hybrid(p) for p in ({"mine": 0.4, "jitter": 0.6}, {"mine": 0.5, "mixup": 0.5}, {"jitter": 0.5, "mine": 0.5})
    ]
    assert len({plain.key, *(other.key for other in others)}) == 4
    # what one training does not depend on, and its images do
    ways = ({}, {"trained_on": 400}, {"sampler": {"guidance": 2}}, {"guide": {"strength": 0.5}})
    edm, jitter = (GENERATORS[name].model_dump(mode="json") for name in ("edm-tiny", "jitter"))
    keys = {hybrid([{"generator": edm | way, "share": 0.5}, {"generator": jitter, "share": 0.5}]).key for way in ways}
    assert len(keys) == len(ways)


@pytest.mark.parametrize(
    "shares,weights",
    [((0.5, 0.5), (1, 1)), ((1, 0), (1, 0)), ((0.125, 0.875), (1, 7)), ((0.3333, 0.6667), (3333, 6667))],
)
def test_shares_are_whole_numbers_without_a_common_factor(shares, weights):
    assert hybrid(dict(zip(("mine", "jitter"), shares, strict=True))).weights == weights


def test_thirds_may_be_rounded():
    assert hybrid({"mine": 0.333, "jitter": 0.333, "mixup": 0.333}).weights == (1, 1, 1)


def test_what_its_parts_are_it_is():
    made, control = hybrid({"mine": 0.5, "jitter": 0.5}), hybrid({"jitter": 0.5, "real-holdout": 0.5})
    assert (made.reference, made.held_out, made.halvings) == (False, False, 1)
    assert (control.reference, control.held_out, control.halvings) == (True, True, 0)
    assert not hybrid({"mine": 1, "real-holdout": 0}).held_out


def test_precision_and_notes_reach_the_parts():
    spec = validate_grid(WHOLE | {"precision": "bf16"}, Lines("g.yaml"))
    assert {part.precision for part in singles(spec.generators[-1])} == {"bf16"}
    assert spec.precisions()["bf16"][:3] == ["edm-tiny", "open-guidance-1", "open-guidance-2"]
    alone = WHOLE | {"generators": [hybrid({"mine": 0.5, "jitter": 0.5}).model_dump(mode="json")], "blocks": []}
    assert not any("none of these is trained" in note for note in grid_warnings(validate_grid(alone, Lines("g.yaml"))))


WRONG = [
    ("{edm-tiny: 0.5, opened: 0.5}", "unknown-part", ":7: generators[2].parts.opened", "'opened'"),
    ("{edm-tiny: 0.5, both: 0.5}", "part-is-hybrid", ":7: generators[2].parts.both", "'both'"),
    ("{edm-tiny: 1}", "parts", ":7: generators[2].parts", "{'edm-tiny': 1}"),
    ("[edm-tiny, jitter]", "parts", ":7: generators[2].parts", "['edm-tiny', 'jitter']"),
    ("edm-tiny", "parts", ":7: generators[2].parts", "'edm-tiny'"),
    ("{edm-tiny: half, jitter: 0.5}", "shares", ":7: generators[2].parts.edm-tiny", "'half'"),
    ("{edm-tiny: 1.5, jitter: -0.5}", "shares", ":7: generators[2].parts.edm-tiny", "1.5"),
    ("{edm-tiny: 0.5, jitter: 0.4}", "shares", ":7: generators[2]", ""),
    ("{edm-tiny: 0, jitter: 0}", "shares", ":7: generators[2]", ""),
    ("{edm-tiny: 0.9999, jitter: 0.0001}", "shares", ":7: generators[2]", ""),
]


def refused(text, tmp_path, monkeypatch, told):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "g.yaml"
    path.write_text(text)
    with pytest.raises(UsageProblem) as caught:
        load_grid(path.relative_to(tmp_path), [])
    told(caught.value.sentences)
    return [(m.code, m.place, m.value) for m in caught.value.messages]


@pytest.mark.parametrize("parts,code,place,value", WRONG, ids=[row[0] for row in WRONG])
def test_a_wrong_part_is_told_where_it_is(parts, code, place, value, tmp_path, monkeypatch, told):
    text = GRID.replace("{edm-tiny: 0.5, open-guidance-2: 0.5}", parts)
    assert (code, f"g.yaml{place}", value) in refused(text, tmp_path, monkeypatch, told)


def test_all_problems_come_at_once_and_those_of_a_part_where_it_is_given(tmp_path, monkeypatch, told):
    text = (
        GRID.replace("trained_on: 400", "nimg: 0").replace("gan-tiny: 0.25", "gan-tiny: 0.2").replace("draws", "drews")
    )
    found = refused(text, tmp_path, monkeypatch, told)
    assert [(code, place) for code, place, _ in found] == [("out-of-range", "g.yaml:6: generators[1].nimg")]
    text = GRID.replace("gan-tiny: 0.25", "gan-tiny: 0.2").replace("parts: {edm-tiny: 0.5", "parts: {edm: 0.5")
    found = refused(text, tmp_path, monkeypatch, lambda sentences: None)
    assert [(code, place) for code, place, _ in found] == [
        ("unknown-part", "g.yaml:7: generators[2].parts.edm"),
        ("shares", "g.yaml:10: blocks[0].generators[1]"),
    ]


def test_the_same_generator_twice_is_refused(tmp_path, monkeypatch, told):
    text = GRID.replace("parts: {edm-tiny: 0.5, open-guidance-2: 0.5}", "parts: {edm-tiny: 0.5, again: 0.5}").replace(
        "generators:\n", "generators:\n  - {preset: edm-tiny, name: again}\n"
    )
    assert ("same-parts", "g.yaml:8: generators[3]", "") in refused(text, tmp_path, monkeypatch, told)
