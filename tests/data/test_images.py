"""Arrays of images: taking copies, joining keeps the order."""

import numpy as np

from synaug_ray.data.images import Dataset, ImageSet, concatenate


def image_set(*labels):
    values = np.asarray(labels, np.int64)
    return ImageSet(np.tile(values.astype(np.uint8)[:, None, None, None], (1, 3, 4, 5)), values)


def test_taking_copies():
    """What is done to a subset must not reach the data set."""
    whole = image_set(0, 1, 2)
    part = whole.take(np.array([2, 2, 0]))
    part.images[:] = 9
    assert part.labels.tolist() == [2, 2, 0] and len(part) == 3
    assert whole.images[:, 0, 0, 0].tolist() == [0, 1, 2]


def test_joining_keeps_images_with_their_labels():
    both = concatenate(image_set(3, 1), image_set(2))
    assert both.labels.tolist() == [3, 1, 2] and both.images[:, 0, 0, 0].tolist() == [3, 1, 2]


def test_shape_and_classes():
    part = image_set(0, 1)
    data = Dataset("x", part, part, part, ("a", "b"))
    assert data.shape == (3, 4, 5) and data.num_classes == 2
