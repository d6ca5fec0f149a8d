"""``budgets``: one recipe at several lengths; which names and keys these get, and what is refused."""

import pytest

from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.load import validate_grid
from synaug_ray.config.presets import GENERATORS
from synaug_ray.config.spec import write_grid
from synaug_ray.config.warnings import grid_warnings
from synaug_ray.config.yaml_source import Lines, parse_bytes
from synaug_ray.plan.plan import make_plan, reversed_plan
from synaug_ray.plan.subset import DataIdentity

BASE = {
    "dataset": "digits",
    "num_real": [20, 80, 160],
    "synthetic_multiples": [0, 1, 4],
    "classifiers": ["mlp"],
    "draws": 6,
    "seeds": 1,
}


def grid_of(*generators, **changes):
    return validate_grid(BASE | {"generators": list(generators)} | changes, Lines("g.yaml"))


def refused(text):
    raw, lines = parse_bytes(text.encode(), "g.yaml")
    with pytest.raises(UsageProblem) as raised:
        validate_grid(raw, lines)
    return [(m.code, m.place, m.value) for m in raised.value.messages]


@pytest.mark.parametrize("name", ["edm-tiny", "edm-16px", "edm-small", "ddpm-tiny", "gan-tiny"])
def test_budget_one_is_the_preset_itself_and_the_others_are_recipes_by_their_length(name):
    shorter, same, longer = grid_of({"preset": name, "budgets": [4, 0.25, 1]}).generators
    preset = GENERATORS[name]
    assert same == preset and same.key == preset.key
    assert (shorter.name, longer.name) == (f"{name}-x0.25", f"{name}-x4")
    for recipe, times in ((shorter, 0.25), (longer, 4)):
        assert recipe.nimg == times * preset.nimg
        assert [recipe.length(n) for n in (20, 100_000)] == [times * preset.length(n) for n in (20, 100_000)]
        written_out = preset.model_copy(
            update={"nimg": recipe.nimg, "max_passes": preset.max_passes and times * preset.max_passes}
        )
        assert recipe.key == written_out.key != preset.key
        assert recipe.any_length_key == preset.any_length_key


def test_a_grid_with_budgets_written_out_is_the_same_grid():
    spec = grid_of({"preset": "edm-tiny", "budgets": [0.5, 1]}, "jitter", blocks=[])
    raw, lines = parse_bytes(write_grid(spec).encode(), "again.yaml")
    assert validate_grid(raw, lines) == spec
    assert [g.name for g in spec.generators] == ["edm-tiny-x0.5", "edm-tiny", "jitter"]


def test_blocks_names_and_recipes_without_a_preset_have_budgets_too():
    spec = grid_of(
        {"family": "gan", "name": "mine", "budgets": [2]},
        blocks=[{"num_real": [20], "generators": [{"preset": "edm-tiny", "name": "b", "budgets": [1, 2]}]}],
    )
    own, block = (factors.generators for factors in spec.products())
    assert [g.name for g in own] == ["mine-x2"] and own[0].nimg == 32_000
    assert [g.name for g in block] == ["b", "b-x2"]


def text_of(generators):
    rest = "dataset: digits\nnum_real: [20]\nsynthetic_multiples: [0, 1]\nclassifiers: [mlp]\n"
    return f"{rest}generators:\n{generators}"


@pytest.mark.parametrize(
    "budgets,value",
    [
        ("[]", "[]"),
        ("4", "4"),
        ("[1, 0]", "0"),
        ("[1, -1]", "-1"),
        ("[1, two]", "'two'"),
        ("[1, true]", "True"),
        ("[1, 2000]", "2000"),
        ("[1, .nan]", "nan"),
        ("[1, 4, 4]", "4"),
    ],
)
def test_what_no_budget_is(budgets, value):
    text = text_of(f"  - edm-tiny\n  - {{preset: gan-tiny, budgets: {budgets}}}\n")
    assert refused(text) == [("budgets", "g.yaml:7: generators[1].budgets", value)]


@pytest.mark.parametrize("name", ["jitter", "real-holdout"])
def test_what_is_not_trained_has_no_budget(name):
    text = text_of(f"  - {{preset: {name}, budgets: [1, 2]}}\n")
    assert refused(text) == [("budgets", "g.yaml:6: generators[0].budgets", "")]


def test_problems_of_what_follows_are_told_at_their_own_line_and_index():
    text = text_of(
        "  - {preset: edm-tiny, budgets: [0.5, 1, 2], batc: 3}\n"
        "  - {preset: gan-tiny, batch: 0}\n"
        "  - {preset: ddpm-tiny, nimg: many, budgets: [1, 2]}\n"
    )
    assert refused(text) == [
        ("unknown-key", "g.yaml:6: generators[0].batc", "'batc'"),
        ("out-of-range", "g.yaml:7: generators[1].batch", "0"),
        ("not-an-integer", "g.yaml:8: generators[2].nimg", "'many'"),
    ]


def test_budgets_that_round_to_one_length_are_one_recipe():
    text = text_of("  - {preset: edm-tiny, nimg: 3, budgets: [1, 1.1]}\n")
    assert [code for code, _, _ in refused(text)] == ["duplicate-recipe"]


def test_a_schedule_that_falls_is_trained_apart_and_said_to_cost_more():
    falling = grid_of({"preset": "edm-tiny", "budgets": [0.25, 1, 4]})
    (said,) = [w for w in grid_warnings(falling) if "several lengths" in w]
    assert "edm-tiny-x0.25, edm-tiny and edm-tiny-x4" in said and "31% more" in said  # (0.25 + 1 + 4) / 4
    constant = grid_of({"preset": "edm-tiny", "schedule": "constant", "budgets": [0.25, 1, 4]})
    assert not [w for w in grid_warnings(constant) if "several lengths" in w]
    assert not any(g.course for g in make_plan(falling, DataIdentity("digits", "fp")).generators.values())


def test_lengths_of_one_training_are_planned_shortest_first():
    """Also in the reversed plan of a second driver: the longest first would be trained from the start."""
    spec = grid_of("gan-tiny", {"preset": "edm-tiny", "schedule": "constant", "budgets": [1, 4, 0.25]}, draws=2)
    plan = make_plan(spec, DataIdentity("digits", "fp"))
    for generators in (plan.generators, reversed_plan(plan).generators):
        courses = {}
        for step in generators.values():
            courses.setdefault(step.course, []).append(step)
        gans = courses.pop("")
        assert len(gans) == 6 and len(courses) == 6  # three sizes, two draws
        for steps in courses.values():
            assert [s.images_seen for s in steps] == [4_000, 16_000, 64_000]
            assert len({s.seed for s in steps}) == 1 and len({s.key for s in steps}) == 3
