"""An attack finds what a pool was copied from, and nothing where the generator has copied nothing."""

import numpy as np
import pytest
from helpers.devices import DEVICE

from synaug_ray.quality.membership import advantage, auc, membership


def attacked(real, pool, **changes):
    parts = {"subset": real.subset, "held_out": real.held_out}
    others = real.training.take(np.arange(len(real.subset), len(real.training)))
    return membership(**parts | {"pool": pool, "reference": others, "seed": 1, "device": DEVICE} | changes)


@pytest.mark.parametrize("kind", ["replay", "jitter"])
def test_copies_give_their_sources_away(real, pools, kind):
    found = attacked(real, pools[kind])
    assert found.auc.value > 0.98 and found.advantage.low > 0.8
    assert found.closer.value > 0.75  # 197 others: 123 of the 320 copied images are not compared


def test_images_of_which_it_has_seen_nothing_tell_nothing(real, pools):
    found = attacked(real, pools["holdout"])
    assert found.advantage.low < 0 < found.advantage.high + 0.02 and found.auc.low < 0.5 < found.auc.high
    assert 0.4 < found.closer.value < 0.6


def test_where_half_are_copies_half_of_the_advantage_remains(real, pools):
    """Copies of 160 of 320 training images, beside images of none."""
    copied = real.subset.take(np.arange(160))
    pool = type(copied)(
        np.concatenate([copied.images, pools["holdout"].images[:160]]),
        np.concatenate([copied.labels, pools["holdout"].labels[:160]]),
    )
    found = attacked(real, pool)
    assert found.advantage.low < 0.5 < found.advantage.high + 0.02 and found.auc.value == pytest.approx(0.75, abs=0.05)


def test_mirrored_copies_are_found_where_they_are_looked_for(real, pools):
    mirrored = type(pools["replay"])(np.ascontiguousarray(pools["replay"].images[..., ::-1]), pools["replay"].labels)
    assert attacked(real, mirrored, mirrors=True).advantage.value > 0.9 > attacked(real, mirrored).advantage.value


def test_too_few_images_tell_nothing(real, pools):
    assert attacked(real, pools["replay"], subset=real.subset.take(np.arange(19))) is None
    none = real.training.take(np.zeros(0, np.int64))
    assert attacked(real, pools["replay"], reference=none).auc.value > 0.99


def test_intervals_hold_the_truth_and_no_threshold_gains_by_chance():
    """Scores from normal distributions one standard deviation apart: AUC .760, advantage .383; and none apart."""
    rng, inside, off = np.random.default_rng(0), [], []
    for shift, area, best in ((1.0, 0.7602, 0.3829), (0.0, 0.5, 0.0)):
        for _ in range(150):
            mine, theirs = rng.normal(shift, size=80), rng.normal(size=120)
            gained, over = advantage(mine, theirs, rng, 0.9), auc(mine, theirs, 0.9)
            inside.append((over.low < area < over.high, gained.low < best < gained.high))
            off.append(gained.value - best)
    (of_area, _), (_, by_chance) = np.mean(inside[:150], axis=0), np.mean(inside[150:], axis=0)
    assert of_area > 0.86 and by_chance > 0.86
    assert abs(np.mean(off[150:])) < 0.02 and -0.04 < np.mean(off[:150]) < 0.01
