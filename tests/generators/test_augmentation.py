"""Non-leaking augmentation against torchvision's affine, and what the label says of what was done."""

import math

import pytest
import torch
from torchvision.transforms.v2 import functional as transforms

from synaug_ray.generators.augmentation import LABEL, AugmentationEmbedding, augment, transform

ZERO = torch.zeros(1)


@pytest.fixture(scope="module")
def image():
    """A smooth spot off the centre on black, far from the frame: what comes from outside cannot matter."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    return torch.exp(-((x - 18) ** 2 / 4 + (y - 13) ** 2 / 8))[None, None]


@pytest.mark.parametrize(
    "flip,scale,turn,shift",
    [
        (0, 0.0, 0.0, (0.125, -0.0625)),
        (0, 0.0, 25.0, (0.0, 0.0)),
        (0, 0.3, 0.0, (0.0, 0.0)),
        (1, 0.0, 0.0, (0.0, 0.0)),
        (1, -0.2, -17.0, (0.0625, 0.03125)),
    ],
)
def test_moves_as_torchvision_does(image, flip, scale, turn, shift):
    ours = transform(
        image,
        torch.tensor([float(flip)]),
        torch.tensor([scale]),
        torch.tensor([math.radians(turn)]),
        torch.tensor([shift]),
    )
    start = transforms.horizontal_flip(image) if flip else image
    theirs = transforms.affine(
        start,
        angle=turn,
        translate=[32 * shift[0], 32 * shift[1]],
        scale=2**scale,
        shear=[0.0, 0.0],
        interpolation=transforms.InterpolationMode.BILINEAR,
    )
    assert float((ours - theirs).abs().max()) < 1e-3


def test_probability_nought_touches_nothing_and_a_zero_label_means_untouched():
    x = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    same, label = augment(x, 0.0, torch.Generator().manual_seed(1))
    assert torch.equal(same, x) and not label.any() and label.shape == (200, LABEL)
    moved, label = augment(x, 0.3, torch.Generator().manual_seed(1))
    told = label.abs().sum(1) > 0
    changed = (moved != x).flatten(1).any(1)
    assert torch.equal(told, changed)
    assert float(told.float().mean()) == pytest.approx(1 - 0.7**3 * (1 - 0.15), abs=0.1)


def test_label_holds_the_parameters():
    x = torch.randn(50, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    moved, label = augment(x, 0.5, torch.Generator().manual_seed(2))
    again = transform(x, label[:, 0], label[:, 1], torch.atan2(label[:, 3], label[:, 2] + 1), label[:, 4:])
    assert torch.allclose(moved, again, atol=1e-4)


def test_told_embedding_of_a_zero_label_is_the_plain_one():
    classes = torch.nn.Embedding(4, 6)
    embedding = AugmentationEmbedding(classes)
    torch.nn.init.normal_(embedding.told.weight)
    labels, nothing = torch.tensor([0, 3]), torch.zeros(2, LABEL)
    assert torch.equal(embedding((labels, nothing)), classes(labels))
    assert torch.equal(embedding(labels), embedding.plain()(labels))
    assert not torch.equal(embedding((labels, nothing + 1)), classes(labels))
