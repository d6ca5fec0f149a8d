"""Labels judged by classifiers that have not seen the image, nor what it is a copy of."""

import numpy as np
import pytest

from synaug_ray.data.images import ImageSet
from synaug_ray.quality.assess import assess
from synaug_ray.quality.flags import find
from synaug_ray.quality.label_classifiers import FOLDS
from synaug_ray.quality.label_fidelity import label_fidelity


def test_a_training_image_is_judged_by_the_one_that_has_not_seen_it(real):
    """So the classifiers are no better on copies of their training images than on new images."""
    training = real.label_classifiers.training
    ours = real.label_classifiers.log_probabilities(training)
    for f, classifier in enumerate(real.label_classifiers.classifiers):
        mine = real.label_classifiers.fold == f
        assert np.allclose(ours[mine], classifier.log_probabilities(training.take(np.flatnonzero(mine))), atol=1e-4)
    seen = np.mean(
        [c.log_probabilities(training).argmax(1) == training.labels for c in real.label_classifiers.classifiers]
    )
    assert (ours.argmax(1) == training.labels).mean() < seen


def test_folds_keep_the_classes_together(real):
    labels = real.label_classifiers.training.labels
    for c in range(10):
        counts = np.bincount(real.label_classifiers.fold[labels == c], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1


def test_real_images_come_out_at_the_reference(real, pools):
    found = label_fidelity(real.label_classifiers, pools["holdout"], real.held_out)
    assert found.reference.low <= found.agreement.value <= found.reference.high
    assert found.skill.low <= 1 <= found.skill.high and found.chance == pytest.approx(0.1, abs=0.01)
    assert len(found.by_class) == 10 and all(c.agreement.value > 0.8 for c in found.by_class)
    assert all(c.reference is None or c.reference.value > 0.8 for c in found.by_class)


def test_permuted_labels_have_no_skill(real, pools):
    found = label_fidelity(real.label_classifiers, pools["permuted"], real.held_out)
    assert found.skill.low <= 0 <= found.skill.high < 0.1


def test_half_of_the_labels_permuted_has_half_the_skill(real, pools):
    labels = pools["holdout"].labels.copy()
    labels[::2] = np.random.default_rng(0).permutation(labels[::2])
    found = label_fidelity(real.label_classifiers, ImageSet(pools["holdout"].images, labels), real.held_out)
    assert found.skill.value == pytest.approx(0.5, abs=0.05)


def test_the_reference_has_the_pools_class_proportions(real, pools):
    """A pool of one class is compared with real images of that class."""
    only = pools["holdout"].take(np.flatnonzero(pools["holdout"].labels == 8))
    found = label_fidelity(real.label_classifiers, only, real.held_out)
    eights = np.flatnonzero(real.held_out.labels == 8)
    right = real.label_classifiers.log_probabilities(real.held_out.take(eights)).argmax(1) == 8
    assert found.reference.value == pytest.approx(right.mean())
    assert found.skill is None  # with one class chance is all there is


def test_too_few_images_are_not_judged(real, pools):
    assert label_fidelity(real.label_classifiers, pools["holdout"].take(np.arange(19)), real.held_out) is None
    found = label_fidelity(real.label_classifiers, pools["holdout"], real.held_out.take(np.arange(10)))
    assert found.reference is None and found.skill is None


WORDS = {0: "ok", 5: "ok", 10: "ok", 42: "confuses labels", 58: "confuses labels", 80: "ignores labels"}


@pytest.fixture(scope="module")
def good(real, pools):
    return assess(real, pools["holdout"])


@pytest.mark.parametrize("wrong, word", WORDS.items())
def test_labels_dealt_wrong_are_measured_and_told(real, pools, good, wrong, word):
    """``wrong``% of images are asked for as a class other than theirs; nothing else of the pool changes."""
    pool, rng = pools["holdout"], np.random.default_rng(1)
    dealt = np.arange(len(pool)) < len(pool) * wrong / 100
    labels = np.where(dealt, (pool.labels + rng.integers(1, 10, len(pool))) % 10, pool.labels)
    found = label_fidelity(real.label_classifiers, ImageSet(pool.images, labels), real.held_out)
    share = 1 - wrong / 100
    assert found.agreement.value == pytest.approx(share, abs=0.05)
    assert found.skill.value == pytest.approx((share - 0.1) / 0.9, abs=0.06)
    assert found.by_class[3].agreement.value == pytest.approx(share, abs=0.2)
    [flag] = find(good.fidelity, good.replay, found, good.memorization, good.duplicates)
    assert flag.word == word and f"{100 * found.agreement.value:.1f}%" in flag.sentence
