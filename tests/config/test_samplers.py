"""``samplers``: one training sampled in several ways; which names and keys these get, and what is refused."""

import pytest

from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.load import validate_grid
from synaug_ray.config.presets import GENERATORS, SAMPLERS, sampler_of
from synaug_ray.config.spec import write_grid
from synaug_ray.config.warnings import grid_warnings
from synaug_ray.config.yaml_source import Lines, parse_bytes
from synaug_ray.plan.plan import make_plan
from synaug_ray.plan.subset import DataIdentity

BASE = {"dataset": "digits", "num_real": [40], "synthetic_multiples": [0, 1], "classifiers": ["mlp"]}
BASE |= {"draws": 2, "seeds": 1}
DIGITS = DataIdentity("digits", "fp")


def grid_of(*generators, **changes):
    return validate_grid(BASE | {"generators": list(generators)} | changes, Lines("g.yaml"))


def ways(*samplers, **recipe):
    return {"preset": "edm-tiny", "samplers": list(samplers)} | recipe


def test_one_training_gives_a_pool_for_each_way_of_sampling_and_the_plain_one_is_the_old_one():
    spec = grid_of(ways({}, {"guidance": 1}, {"guidance": 3.0}, {"steps": 4, "guidance": 2}, "heun-18"))
    names = ["", "-guidance-1", "-guidance-3", "-steps-4-guidance-2", "-heun-18"]
    assert [g.name for g in spec.generators] == [f"edm-tiny{name}" for name in names]
    assert {g.key for g in spec.generators} == {GENERATORS["edm-tiny"].key}
    plan, old = make_plan(spec, DIGITS), make_plan(grid_of("edm-tiny"), DIGITS)
    assert plan.generators.keys() == old.generators.keys() and len(plan.generators) == 2  # draws
    assert len(plan.shards) == 5 * len(old.shards) and old.shards.keys() < plan.shards.keys()
    assert old.trials.keys() < plan.trials.keys() and old.qualities.keys() < plan.qualities.keys()
    assert {plan.names[key] for key in plan.generators} == {"edm-tiny"}
    assert {plan.names[q.pool.key] for q in plan.qualities.values()} == {g.name for g in spec.generators}
    assert {s.cost_name for s in plan.shards.values()} >= {"edm-tiny (dpmpp-8)", "edm-tiny (guidance-3)"}


def test_settings_replace_those_of_the_grids_sampler_and_nothing_else():
    spec = grid_of(ways({"guidance": 3}, {"preset": "heun-18", "guidance": 2}), sampler={"steps": 5, "batch": 64})
    first, second = (sampler_of(g, spec.sampler) for g in spec.generators)
    assert first.key == spec.sampler.model_copy(update={"guidance": 3.0}).key
    heun = SAMPLERS["heun-18"].model_copy(update={"batch": 64, "guidance": 2.0})
    assert second.key == heun.key and spec.generators[1].name == "edm-tiny-heun-18-guidance-2"
    (ddpm,) = grid_of({"preset": "ddpm-tiny", "sampler": {"steps": 20}}).generators
    assert ddpm.name == "ddpm-tiny" and sampler_of(ddpm, SAMPLERS["dpmpp-8"]).family == "ddim"
    assert sampler_of(ddpm, SAMPLERS["dpmpp-8"]).steps == 20


def test_strength_is_the_guide_and_lengths_are_sampled_in_all_ways():
    spec = grid_of(ways({"strength": 0.5}, {"name": "strong", "guidance": 4}, budgets=[1, 2]))
    assert [g.name for g in spec.generators] == [
        f"edm-tiny{length}-{way}" for length in ("", "-x2") for way in ("strength-0.5", "strong")
    ]
    assert spec.generators[0].guide.strength == 0.5 and spec.generators[0].sampler is None
    assert len(make_plan(spec, DIGITS).generators) == 2 * 2
    (said,) = {w for w in grid_warnings(spec) if "several lengths" in w and "strong" in w}
    assert "edm-tiny-strong and edm-tiny-x2-strong" in said


def test_a_grid_with_samplers_written_out_is_the_same_grid():
    blocks = [{"num_real": [20], "generators": [ways({"guidance": 1}, {"guidance_interval": [0.2, 2]}, name="b")]}]
    spec = grid_of(ways({}, {"sigma_max": 20}), "jitter", blocks=blocks)
    raw, lines = parse_bytes(write_grid(spec).encode(), "again.yaml")
    again = validate_grid(raw, lines)
    assert again.products() == spec.products()
    assert [g.name for g in spec.products()[1].generators] == ["b-guidance-1", "b-interval-0.2-2"]


def text_of(*generators):
    rest = "dataset: digits\nnum_real: [20]\nsynthetic_multiples: [0, 1]\nclassifiers: [mlp]\ngenerators:\n"
    return rest + "".join(f"  - {g}\n" for g in generators)


def of(samplers, rest="preset: edm-tiny"):
    return f"{{{rest}, samplers: {samplers}}}"


IN = "g.yaml:6: generators[0]"
REFUSED = [
    ([of("[]")], [("samplers", f"{IN}.samplers", "[]")]),
    ([of("{guidance: 2}")], [("samplers", f"{IN}.samplers", "{'guidance': 2}")]),
    ([of("[2]")], [("samplers", f"{IN}.samplers[0]", "2")]),
    ([of("[heun-17]")], [("unknown-preset", f"{IN}.samplers[0]", "'heun-17'")]),
    ([of("[{guidance: 1}, {guidance: 1.0}]")], [("samplers", f"{IN}.samplers[1]", "{'guidance': 1.0}")]),
    ([of("[{guidance: 2}], sampler: {steps: 4}")], [("samplers", f"{IN}.samplers", "{'steps': 4}")]),
    ([of("[{guidance: 2}]", "preset: jitter")], [("samplers", f"{IN}.samplers", "")]),
    ([of("[{guidance: 2}]", "preset: gan-tiny")], [("samplers", f"{IN}.samplers", "")]),
    ([of("[{family: ddim}]")], [("not-a-choice", f"{IN}.samplers[0]", "")]),
    ([of("[{rho: 3}]", "preset: ddpm-tiny")], [("unused-setting", f"{IN}.samplers[0]", "")]),
    ([of("[{sigma_min: 90}]")], [("sigma-order", f"{IN}.samplers[0]", "")]),
    (["{preset: edm-tiny, sampler: {sigma_min: 90}}"], [("sigma-order", f"{IN}.sampler", "")]),
    ([of("[{}, {guidance: 1.5}]")], [("duplicate-recipe", "generators", "'edm-tiny-guidance-1.5'")]),
    (["{preset: edm-tiny, sampler: 5}"], [("samplers", f"{IN}.sampler", "5")]),
    ([of("[{strength: 0.5}]", "family: [edm], name: a")], [("unknown-family", IN, "\"['edm']\"")]),
    ([of("[{strength: 0.5}]", "name: a")], [("no-preset-or-family", IN, "")]),
    (
        [of("[{name: [x], guidance: 2}, {name: 7}]")],
        [("not-text", f"{IN}.samplers[0].name", ""), ("not-text", f"{IN}.samplers[1].name", "7")],
    ),
    (
        [of("[{guidance: -1}, {stepz: 4}, {steps: 1}, {strength: 2}]"), "{preset: edm-tiny, batch: 0}"],
        [
            ("out-of-range", f"{IN}.samplers[0].guidance", "-1"),
            ("unknown-key", f"{IN}.samplers[1].stepz", "'stepz'"),
            ("out-of-range", f"{IN}.samplers[2].steps", "1"),
            ("out-of-range", f"{IN}.samplers[3].strength", "2"),
            ("out-of-range", "g.yaml:7: generators[1].batch", "0"),
        ],
    ),
]


@pytest.mark.parametrize("generators,expected", REFUSED, ids=[r[0][0][9:60] for r in REFUSED])
def test_all_that_is_wrong_with_samplers_is_told_at_once(generators, expected, told):
    raw, lines = parse_bytes(text_of(*generators).encode(), "g.yaml")
    with pytest.raises(UsageProblem) as raised:
        validate_grid(raw, lines)
    told(raised.value.sentences)
    assert [(m.code, m.place, m.value) for m in raised.value.messages] == expected
