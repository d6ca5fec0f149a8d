"""The GAN's parts: augmentation that lets gradients pass, and a discriminator whose slope is bounded."""

import pytest
import torch

from synaug_ray.generators.gan import Discriminator, GeneratorNetwork, diff_augment


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def x():
    return torch.rand(64, 3, 16, 16, generator=rng(5)) + 1  # nowhere zero, so that what came in shows


def test_translation_moves_the_whole_image_by_up_to_an_eighth(x):
    moved = diff_augment(x, ("translate",), rng())
    seen = set()
    for before, after in zip(x, moved, strict=True):
        found = [
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            if torch.equal(
                after[:, max(0, -dy) : 16 - max(0, dy), max(0, -dx) : 16 - max(0, dx)],
                before[:, max(0, dy) : 16 + min(0, dy), max(0, dx) : 16 + min(0, dx)],
            )
        ]
        assert len(found) == 1
        seen.add(found[0])
        assert int((after == 0).sum()) == 3 * (256 - (16 - abs(found[0][0])) * (16 - abs(found[0][1])))
    assert {dy for dy, _ in seen} == {dx for _, dx in seen} == set(range(-2, 3))


def test_cutout_blackens_a_square_and_nothing_else(x):
    cut = diff_augment(x, ("cutout",), rng())
    gone = cut == 0
    assert torch.equal(torch.where(gone, x, cut), x)
    assert torch.equal(gone[:, 0], gone[:, 1])
    sizes = gone[:, 0].sum((1, 2))
    assert sizes.max() == 64 and sizes.min() >= 16  # half the side, or what of it lies in the frame


def test_brightness_shifts_an_image_as_a_whole(x):
    moved = diff_augment(x, ("brightness",), rng()) - x
    assert float(moved.flatten(1).std(1).max()) < 1e-6 and 0.4 < float(moved.abs().max()) <= 0.5


def test_gradients_pass(x):
    x.requires_grad_()
    diff_augment(x, ("translate", "cutout", "brightness"), rng()).sum().backward()
    assert x.grad is not None and set(x.grad.unique().tolist()) == {0.0, 1.0}


def test_the_label_changes_what_is_generated_and_the_discriminators_output():
    torch.manual_seed(0)
    generator, discriminator = GeneratorNetwork((1, 8, 8), 3, (8, 16), 4, 4), Discriminator((1, 8, 8), 3, (8, 16))
    z = torch.randn(2, 4)
    one, two = generator(z, torch.tensor([0, 0])), generator(z, torch.tensor([1, 1]))
    assert one.shape == (2, 1, 8, 8) and not torch.allclose(one, two)
    assert discriminator(one, torch.tensor([0, 0])).shape == (2,)
    assert not torch.allclose(discriminator(one, torch.tensor([0, 0])), discriminator(one, torch.tensor([1, 1])))


def test_spectral_norm_bounds_every_layer_of_the_discriminator():
    torch.manual_seed(0)
    discriminator = Discriminator((1, 8, 8), 3, (8, 16))
    for _ in range(30):  # power iterations
        discriminator(torch.randn(4, 1, 8, 8), torch.tensor([0, 1, 2, 0]))
    discriminator.eval()
    weights = [m.weight for m in discriminator.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))]
    assert len(weights) == 5
    for weight in weights:
        assert float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2)) == pytest.approx(1, abs=0.02)
