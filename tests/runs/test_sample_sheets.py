"""Sample sheets: native pixels in a grid, and the nearest real image under each synthetic one."""

import io

import numpy as np
import pytest
from PIL import Image

from synaug_ray.data.images import ImageSet
from synaug_ray.runs.sample_sheets import sheets

LINE = 128  # grey between the images


def image_set(rng, labels, shape):
    return ImageSet(rng.integers(0, 256, (len(labels), *shape), dtype=np.uint8), np.asarray(labels, np.int64))


def opened(png):
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def at(sheet, row, column, h, w):
    """The image at one place, as [C, H, W]."""
    return sheet[row * (h + 1) : row * (h + 1) + h, column * (w + 1) : column * (w + 1) + w].transpose(2, 0, 1)


def test_without_real_images_only_synthetic_ones_are_shown():
    rng = np.random.default_rng(0)
    made = sheets(image_set(rng, [], (1, 4, 4)), image_set(rng, [0, 1], (1, 4, 4)), num_classes=2)
    assert (opened(made.real) == LINE).all() and (opened(made.nearest) == LINE).all()
    assert not (opened(made.synthetic) == LINE).all()


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 7)])
def test_sizes_places_and_nearest(shape):
    rng, (channels, h, w) = np.random.default_rng(0), shape
    real, synthetic = image_set(rng, [2, 0, 1, 0, 2, 1], shape), image_set(rng, [1, 1, 0, 2, 1, 1], shape)
    made = sheets(real, synthetic, num_classes=3, columns=3)
    for png in (made.real, made.synthetic, made.nearest):
        assert opened(png).shape == (3 * (h + 1), 3 * (w + 1), channels)
    # a row a class, in the order of the pool; what is missing is grey
    places = {(0, 0): 2, (1, 0): 0, (1, 1): 1, (1, 2): 4, (2, 0): 3}
    for row in range(3):
        for column in range(3):
            shown, near = (at(opened(p), row, column, h, w) for p in (made.synthetic, made.nearest))
            if (row, column) not in places:
                assert (shown == LINE).all() and (near == LINE).all()
                continue
            one = synthetic.images[places[row, column]]
            assert (shown == one).all()
            # by hand, in whole numbers: the smallest sum of squares over all real images, of any class
            distance = [int(((r.astype(int) - one.astype(int)) ** 2).sum()) for r in real.images]
            assert (near == real.images[int(np.argmin(distance))]).all()
    assert (at(opened(made.real), 0, 1, h, w) == real.images[3]).all()


def test_a_copy_is_found():
    rng = np.random.default_rng(1)
    real = image_set(rng, np.arange(50) % 2, (1, 4, 4))
    copied = real.take(np.array([33, 18]))
    made = sheets(real, copied, num_classes=2, columns=1)
    assert made.nearest == made.synthetic and made.nearest != made.real


def test_the_first_eight_of_a_class_are_shown():
    rng = np.random.default_rng(2)
    many = image_set(rng, np.zeros(30, int), (1, 4, 4))
    made = sheets(many, many, num_classes=1)
    assert made.columns == 8 and opened(made.real).shape == (5, 40, 1)
