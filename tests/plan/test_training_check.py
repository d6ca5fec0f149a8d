"""The trials that check whether classifiers train long enough: which they are, and that they disturb nothing else."""

import pytest

from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.cells import TRAINING_CHECK
from synaug_ray.config.load import validate_grid
from synaug_ray.config.yaml_source import Lines
from synaug_ray.plan.order import early_answers_first
from synaug_ray.plan.plan import Plan, make_plan, pending
from synaug_ray.plan.step import STAGES
from synaug_ray.plan.subset import DataIdentity

DATA = DataIdentity("digits", "fp")
GRID = {
    "dataset": "digits",
    "num_real": [20, 40],
    "synthetic_multiples": [0, 1],
    "generators": ["jitter"],
    "classifiers": ["mlp", "cnn"],
    "draws": 3,
    "blocks": [{"num_real": [60, 80], "synthetic_multiples": [0]}],
}


def plan(**values) -> Plan:
    return make_plan(validate_grid(GRID | values, Lines("g.yaml")), DATA)


def test_two_draws_of_each_size_with_synthetic_images_and_of_the_largest_at_twice_the_length():
    """One seed; 60 and 80 have real images alone, and 80 says what more of them bring."""
    checks = plan().training_checks.values()
    found = sorted((t.subset.num_real, t.classifier.name, t.subset.draw, t.seed, t.classifier.nimg) for t in checks)
    assert found == [(n, name, d, 0, 128_000) for n in (20, 40, 80) for name in ("cnn", "mlp") for d in (0, 1)]
    assert all(t.pool is None and t.protocol == "real-only" for t in checks)
    for longer in checks:  # beside each there is the trial that it is compared with
        [short] = [
            t
            for t in plan(training_check={"draws": 0}).trials.values()
            if t.common_seed == longer.common_seed
            and t.pool is None
            and (t.subset, t.classifier.name) == (longer.subset, longer.classifier.name)
        ]
        assert 2 * short.classifier.nimg == longer.classifier.nimg


def test_a_least_number_of_passes_lengthens_the_larger_sizes_alone():
    """Their trials are those of a recipe that has the longer training itself."""
    recipe = {"family": "mlp", "name": "m", "nimg": 1_000}
    made = plan(classifiers=[recipe | {"min_passes": 16.5}])
    lengths = {(t.subset.num_real, t in made.training_checks.values()): t.classifier.nimg for t in made.trials.values()}
    assert lengths == {
        **{(20, False): 1_000, (20, True): 2_000, (40, False): 1_000, (40, True): 2_000},
        **{(60, False): 1_000, (80, False): 1_320, (80, True): 2_640},
    }
    plain, longer = (plan(classifiers=[recipe | more]).trials for more in ({}, {"nimg": 1_320}))
    for key, trial in made.trials.items():
        assert key in (longer if trial.subset.num_real == 80 else plain)


def test_no_key_of_another_step_changes():
    without, made = plan(training_check={"draws": 0}), plan()
    assert not without.training_checks
    for stage in STAGES:
        assert made.steps(stage).keys() - made.training_checks.keys() == without.steps(stage).keys()
    assert [r for r in made.rows if r.cell.protocol != TRAINING_CHECK] == list(without.rows)


def test_a_run_that_was_finished_before_there_was_a_check_trains_the_check_alone():
    class Finished:
        def keys(self, stage):
            return set(plan(training_check={"draws": 0}).steps(stage))

    left = pending(plan(), Finished())
    assert not left.generators and not left.shards and not left.qualities
    assert left.trials == plan().training_checks == left.training_checks


@pytest.mark.parametrize(("draws", "checked"), [(0, set()), (1, {0}), (3, {0, 1, 2}), (9, {0, 1, 2})])
def test_as_many_draws_as_are_asked_for_and_there_are(draws, checked):
    assert {t.subset.draw for t in plan(training_check={"draws": draws}).training_checks.values()} == checked


def test_a_grid_without_synthetic_images_has_no_check():
    assert not plan(synthetic_multiples=[0]).training_checks


def test_a_classifier_whose_largest_size_has_synthetic_images_is_checked_at_those_alone():
    of = {
        t.subset.num_real
        for t in plan(blocks=[{"num_real": [10], "synthetic_multiples": [0]}]).training_checks.values()
    }
    assert of == {20, 40}


def test_a_longer_classifier_of_the_grid_itself_is_trained_once():
    """It is a cell of its own and the check of the shorter one."""
    longer = {"preset": "mlp", "name": "longer", "nimg": 128_000}
    made = plan(classifiers=["mlp", longer])
    of_mlp = [r for r in made.rows if r.cell.protocol == TRAINING_CHECK and r.cell.classifier.name == "mlp"]
    assert len(of_mlp) == 6
    assert all(r.trial.key not in made.training_checks for r in of_mlp)
    assert {t.classifier.nimg for t in made.training_checks.values()} == {256_000}


def test_checks_come_last():
    ordered = list(early_answers_first(plan()).trials)
    checks = plan().training_checks
    assert set(ordered[-len(checks) :]) == set(checks)


def test_an_image_costs_the_same_in_a_longer_training():
    kinds = {t.cost_key for t in plan().trials.values()}
    assert len(kinds) == 2  # mlp and cnn


@pytest.mark.parametrize(("word", "draws"), [(False, 0), ("off", 0), (True, 2), ("on", 2), ({}, 2)])
def test_on_and_off(word, draws):
    spec = validate_grid(GRID | {"training_check": word}, Lines("g.yaml"))
    assert spec.training_check.draws == draws
    assert validate_grid(spec.resolved(), Lines("g.yaml")) == spec


@pytest.mark.parametrize(
    "value", [{"draws": -1}, {"draws": "two"}, {"draws": 1.5}, {"seeds": 2}, {"drws": 2}, 2, "never", None]
)
def test_what_is_no_check_is_refused(value):
    with pytest.raises(UsageProblem, match="training_check"):
        plan(training_check=value)
