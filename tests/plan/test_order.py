"""The order of work: the first draw first, real images before synthetic ones, small sizes before large ones."""

from helpers.grids import small_grid

from synaug_ray.config.load import validate_grid
from synaug_ray.config.yaml_source import Lines
from synaug_ray.plan.order import early_answers_first
from synaug_ray.plan.plan import make_plan, reversed_plan
from synaug_ray.plan.step import STAGES
from synaug_ray.plan.subset import DataIdentity

DATA = DataIdentity("digits", "fp")
GRID = {
    "dataset": "digits",
    "num_real": [40, 20],
    "synthetic_multiples": [0, 1],
    "generators": ["edm-tiny", {"preset": "edm-tiny", "name": "open", "trained_on": 80}],
    "classifiers": ["mlp"],
    "draws": 2,
    "seeds": 1,
    "training_check": {"draws": 0},
}


def test_the_same_steps_with_the_same_keys():
    plan = make_plan(small_grid(), DATA)
    ordered = early_answers_first(plan)
    assert ordered == plan and ordered.rows == plan.rows
    assert early_answers_first(reversed_plan(plan)) == plan
    for stage in STAGES:
        assert list(ordered.steps(stage)) == list(early_answers_first(ordered).steps(stage))


def test_draw_by_draw_real_images_first_and_small_sizes_first():
    ordered = early_answers_first(make_plan(validate_grid(GRID, Lines("g.yaml")), DATA))
    found = [(t.subset.draw, t.pool is not None, t.subset.num_real) for t in ordered.trials.values()]
    assert found == sorted(found) and len(found) == 12
    generators = [(g.subset.draw, g.subset.num_real) for g in ordered.generators.values()]
    # the one that saw 80 images is needed from the smallest size on
    assert sorted(generators[:2]) == [(0, 20), (0, 80)] and generators[2] == (0, 40)
    assert sorted(generators[3:5]) == [(1, 20), (1, 80)] and generators[5] == (1, 40)
