"""Where mirror images do not show what the images show, recipes that mirror are told; elsewhere nothing is."""

import numpy as np
import pytest
import yaml
from helpers.grids import small_grid
from helpers.paths import REPOSITORY

from synaug_ray.config.presets import CLASSIFIERS, GENERATORS
from synaug_ray.data.audit.mirrored import Mirrored, look_up, mirror_rows
from synaug_ray.data.images import ImageSet
from synaug_ray.plan.plan import make_plan
from synaug_ray.runs.lifecycle import _mirroring


def marked(count, *, symmetric, noise=20.0, size=12, seed=0):
    """Two classes of noisy images with a bright row at the top or at the bottom, at the left half unless symmetric."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = rng.normal(100.0, noise, (count, 1, size, size))
    images[labels == 0, :, :3, : size if symmetric else size // 2] += 100.0
    images[labels == 1, :, :3, 0 if symmetric else size // 2 :] += 100.0 if not symmetric else -60.0
    return ImageSet(images.clip(0, 255).astype(np.uint8), labels.astype(np.int64))


def test_classes_that_are_each_other_s_mirror_image_are_told():
    found = look_up(marked(400, symmetric=False))
    assert (found.looked_up, found.right, found.right_mirrored, found.lost, found.won) == (400, 400, 0, 400, 0)
    assert found.by_guessing == 200 and found.differ


def test_classes_that_a_mirror_leaves_alone_are_not():
    found = look_up(marked(400, symmetric=True))
    assert found.right == found.right_mirrored == 400 and not found.differ
    assert mirror_rows(found, []) == []


def test_where_nothing_is_recognised_nothing_is_known():
    rng = np.random.default_rng(0)
    for seed in range(20):
        noise = ImageSet(rng.integers(0, 256, (300, 3, 8, 8), np.uint8), rng.integers(0, 5, 300))
        assert not look_up(noise, seed).differ


@pytest.mark.parametrize(("lost", "won", "differ"), [(140, 10, True), (110, 10, False), (8, 1, False)])
def test_a_clear_loss_and_a_large_one(lost, won, differ):
    """120 of the 600 that are recognised beyond guessing are a fifth; of nine images nothing can be said."""
    assert Mirrored(1_000, 700, 700 - lost + won, lost, won, 100.0).differ is differ


def test_copies_are_found_beside_and_not_in_the_image_itself():
    """An image is not its own neighbour: alone in its class it is never recognised."""
    one = marked(21, symmetric=True)
    labels = np.where(np.arange(21) == 0, 1, 0)
    assert look_up(ImageSet(one.images, labels)).right <= 20
    assert look_up(one.take(np.arange(1))) is None


def test_the_row_names_the_recipes_and_what_to_do():
    found = look_up(marked(400, symmetric=False))
    [row] = mirror_rows(found, ["cnn-small", "edm"])
    assert row.level == "warning" and row.value == "0% recognised, 100% unmirrored"
    assert "cnn-small and edm mirror images" in row.means and "set flip: false for them" in row.means
    [ok] = mirror_rows(found, [])
    assert ok.level == "ok" and "flip: false" in ok.means
    [note] = mirror_rows(found, None)  # of a data set without a grid
    assert note.level == "note" and "cnn, resnet18 and edm-16px" not in note.means and "cnn, resnet18" in note.means
    [fine] = mirror_rows(look_up(marked(400, symmetric=True)), ["cnn"])
    assert fine.level == "ok" and "(cnn)" in fine.means


def test_large_and_many_images_take_a_sample():
    many = marked(4_000, symmetric=False, size=40)
    found = look_up(many)
    assert found.looked_up == 1_000 and found.differ and found == look_up(many)


@pytest.mark.parametrize("name", ["blood", "fashion", "pneumonia", "sign-digits", "textures"])
def test_grids_of_the_atlas_mirror_what_the_audit_lets_them(name, shared_data):
    grid = yaml.safe_load((REPOSITORY / "grids" / "atlas" / f"{name}.yaml").read_text())
    file = grid["dataset"].removeprefix("npz:")
    path = next(p for p in (shared_data / file, shared_data / "sets" / file) if p.exists())
    with np.load(path) as arrays:
        images, labels = arrays["train_images"][:6_000], arrays["train_labels"][:6_000].reshape(-1)
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    found = look_up(ImageSet(np.ascontiguousarray(images), labels.astype(np.int64)))
    assert found.differ is (grid["classifiers"][0].get("flip") is False)


def test_recipes_of_a_grid_that_mirror(digits_identity):
    spec = small_grid()
    assert _mirroring(make_plan(spec, digits_identity)) == []
    flips = {"generators": (GENERATORS["edm-16px"],), "classifiers": (CLASSIFIERS["cnn"], CLASSIFIERS["mlp"])}
    assert _mirroring(make_plan(spec.model_copy(update=flips), digits_identity)) == ["cnn", "edm-16px"]
