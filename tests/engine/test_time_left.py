"""The time left, against planted durations of steps."""

import pytest
from helpers.grids import small_grid

from synaug_ray.engine.time_left import TRUST, TimeLeft
from synaug_ray.plan.plan import make_plan
from synaug_ray.plan.step import STAGES
from synaug_ray.plan.subset import DataIdentity


@pytest.fixture
def steps():
    plan = make_plan(small_grid(), DataIdentity("digits", "fp"))
    return [s for stage in STAGES for s in plan.steps(stage).values()]


def run(steps, expected, truth, slots=1):
    """(share of the true time that is over, ratio of the time left that was said to the true one), step by step."""
    left, now, said = TimeLeft(steps, expected, slots, began=0.0), 0.0, []
    whole = sum(truth(s) for s in steps) / slots
    for step in steps:
        said.append((now / whole, None if (told := left.seconds(now)) is None else told / (whole - now)))
        now += truth(step) / slots
        left.done([step.key], truth(step))
    assert left.seconds(now) == 0 and left.share == pytest.approx(1) and left.count == left.total == len(steps)
    return said


def test_what_was_expected_is_told_from_the_first_second(steps):
    assert all(ratio == pytest.approx(1) for _, ratio in run(steps, lambda s: s.images_seen, lambda s: s.images_seen))


@pytest.mark.parametrize("factor", [0.3, 3.0])
def test_a_wrong_expectation_is_corrected_by_what_steps_took(steps, factor):
    said = run(steps, lambda s: s.images_seen, lambda s: factor * s.images_seen)
    assert said[0][1] == pytest.approx(1 / factor)
    late = [ratio for share, ratio in said if share > 0.3]
    assert late and all(0.6 < ratio < 1.6 for ratio in late)


def test_kinds_are_corrected_one_by_one(steps):
    """Shards take three times as long as expected, all else as long as expected."""
    said = run(steps, lambda s: s.images_seen, lambda s: s.images_seen * (3 if s.stage == "shard" else 1))
    shards = [i for i, s in enumerate(steps) if s.stage == "shard"]
    assert said[shards[-1] + 1][1] == pytest.approx(1, rel=0.05)


def test_a_kind_that_was_followed_to_its_last_image_is_corrected_too(steps):
    """A training tells its share up to 1 before it ends; its time was dropped, and 54 minutes were told as 21."""
    kind = next(s.cost_key for s in steps if s.stage == "shard")
    slow = [s for s in steps if s.cost_key == kind]
    left, now, half = TimeLeft(steps, lambda s: 1.0, began=0.0), 0.0, len(slow) // 2
    for step in [s for s in steps if s not in slow] + slow[:half]:
        took = 100.0 if step in slow else 1.0
        now += took
        left.begun(step.key, 1.0)
        left.done([step.key], took)
    assert left.seconds(now) == pytest.approx(100.0 * (len(slow) - half))


def test_steps_of_an_unknown_kind_are_told_apart_by_their_images():
    """Trials of many images come last in a draw: the first told too little of them."""
    plan = make_plan(
        small_grid(classifiers=[{"preset": "mlp", "nimg": 3200, "min_passes": 200}]), DataIdentity("digits", "fp")
    )
    trials = sorted(plan.trials.values(), key=lambda s: s.images_seen)
    assert trials[0].images_seen < trials[-1].images_seen
    left, now, half = TimeLeft(trials, lambda s: None, began=0.0), 0.0, len(trials) // 2
    for step in trials[:half]:
        now += step.images_seen
        left.done([step.key], step.images_seen)
    assert left.seconds(now) == pytest.approx(sum(s.images_seen for s in trials[half:]))


def test_nothing_is_told_until_something_is_known(steps):
    left = TimeLeft(steps, lambda s: None, began=0.0)
    assert left.seconds(10.0) is None and left.share == 0
    half = steps[: len(steps) // 2]
    left.done([s.key for s in half])
    assert left.seconds(100.0) == pytest.approx(100.0 * (len(steps) - len(half)) / len(half))


def test_what_costs_nothing_tells_nothing_of_what_is_unknown(steps):
    """Jitter was known to cost nothing, all else was unknown: it said 100% and 0 s left from the first second."""
    free = [s for s in steps if s.stage == "generator"][:1]
    left = TimeLeft(steps, lambda s: 0.0 if s in free else None, began=0.0)
    left.begun(steps[-1].key, 0.2)
    assert left.share < 0.1 and left.seconds(10.0) is None
    assert TimeLeft(free, lambda s: 0.0, began=0.0).share == 1.0  # all that there is costs nothing


def test_the_share_of_a_step_that_is_begun_counts(steps):
    left = TimeLeft(steps[:1], lambda s: 100.0, began=0.0)
    left.begun(steps[0].key, 0.5)
    left.begun(steps[0].key, 0.2)  # a training that begins again does not go back
    left.begun("another", 0.5)
    assert left.share == 0.5 and left.seconds(50.0) == pytest.approx(50.0)
    assert TRUST < left.seconds(100.0) / 50 - 1 < 1  # twice as slow as expected, and that is half believed


def test_slots_share_the_work(steps):
    left = TimeLeft(steps, lambda s: 10.0, slots=5, began=0.0, follows=False)
    assert left.seconds(0.0) == pytest.approx(2.0 * len(steps))
    assert left.seconds(4.0) == pytest.approx(2.0 * len(steps) - 4)  # nothing has ended yet, and no worse for it
    left.done([s.key for s in steps])
    assert left.seconds(9.0) == 0
