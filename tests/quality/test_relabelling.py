"""Relabelling: what is visibly wrong is corrected, what is merely uncertain stays."""

import numpy as np

from synaug_ray.config.generator_recipes import ReferenceRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators.reference import reference_images
from synaug_ray.quality.relabelling import relabelled


class Judges:
    def __init__(self, probabilities):
        self.found = np.log(np.array(probabilities))

    def log_probabilities(self, images):
        return self.found


def test_a_label_less_probable_than_a_guess_becomes_the_most_probable():
    images = ImageSet(np.zeros((4, 1, 2, 2), np.uint8), np.array([0, 0, 1, 2]))
    judges = Judges([[0.9, 0.05, 0.05], [0.34, 0.6, 0.06], [0.6, 0.33, 0.07], [0.1, 0.6, 0.3]])
    changed = relabelled(images, judges)
    assert changed.labels.tolist() == [0, 0, 0, 1] and changed.images is images.images
    assert images.labels.tolist() == [0, 0, 1, 2]


def test_labels_dealt_anew_are_found_and_right_ones_stay(real, digits):
    """Judges of all images, each image judged by those that have not seen it."""
    order = np.random.default_rng(0).permutation(len(digits.train))
    dealt = reference_images(
        ReferenceRecipe(name="x", family="label-shuffle", share=0.3), digits.train, order, 40, range(400), 0
    )
    truth = digits.train.labels[order[40:440]]
    wrong = dealt.labels != truth
    found = relabelled(dealt, real.label_classifiers).labels
    assert (
        wrong.sum() > 80
        and (found[wrong] == truth[wrong]).mean() > 0.9
        and (found[~wrong] == truth[~wrong]).mean() > 0.96
    )
