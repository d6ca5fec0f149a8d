"""Label classifiers of a data set: as good as it asks for, stored once, and silent where they are poor themselves."""

import numpy as np
import pytest
import torch
from helpers.devices import DEVICE
from torch import nn

from synaug_ray.common.errors import DamagedState
from synaug_ray.data.images import ImageSet
from synaug_ray.quality import label_classifiers
from synaug_ray.quality.flags import Word, find
from synaug_ray.quality.label_classifiers import LabelClassifiers, from_bytes, of_data_set, to_bytes
from synaug_ray.quality.label_fidelity import ABLE, label_fidelity


def ramps(directions, count=240, size=8, noise=40.0, seed=0):
    """Images that brighten in one of ``directions`` (right, down), each a class, under noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(directions)
    at = np.linspace(-1, 1, size)
    right, down = (np.array(directions, float)[labels][:, k, None, None] for k in (0, 1))
    images = 128 + 80 * (right * at[None, None, :] + down * at[None, :, None])
    images = images + noise * rng.standard_normal((count, size, size))
    return ImageSet(np.clip(images, 0, 255).astype(np.uint8)[:, None], labels)


def is_large(classifiers):
    return any(isinstance(layer, nn.BatchNorm2d) for layer in classifiers.classifiers[0].net)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(label_classifiers, "NIMG", (1_280, 1_280))
    monkeypatch.setattr("synaug_ray.quality.features.NIMG", (1_920, 1_920))


def test_small_networks_do_where_they_are_right(real):
    """As on digits; the fixture trains on all of them."""
    assert not is_large(real.label_classifiers)
    assert label_classifiers._accuracy(real.label_classifiers, on_mirrored=False) > label_classifiers.GOOD


@pytest.mark.parametrize("accuracy", [0.2, 0.95])
def test_the_better_networks_are_kept(monkeypatch, quick, accuracy):
    """Small ones that are wrong on unseen images give way, unless the large ones are worse."""
    monkeypatch.setattr(label_classifiers, "GOOD", 1.1)
    monkeypatch.setattr(label_classifiers, "_accuracy", lambda found, on_mirrored: accuracy if is_large(found) else 0.5)
    assert is_large(of_data_set(ramps([(1, 0), (0, 1)]), 2, 0, DEVICE)) == (accuracy > 0.5)


@pytest.mark.parametrize(
    "directions,mirrors", [([(1, 0), (-1, 0)], False), ([(0, 1), (0, -1)], True)], ids=["left-right", "up-down"]
)
def test_images_are_mirrored_where_that_does_not_change_the_class(monkeypatch, quick, directions, mirrors):
    told = []
    monkeypatch.setattr(label_classifiers, "GOOD", 1.1)
    real_one = label_classifiers._train_large
    monkeypatch.setattr(label_classifiers, "_train_large", lambda *a: told.append(a[2]) or real_one(*a))
    of_data_set(ramps(directions), 2, 0, DEVICE)
    assert told == [mirrors] * label_classifiers.FOLDS


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 20, 20), (1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 224, 224)])
def test_large_networks_take_any_size_and_cost_about_the_same(shape):
    net = label_classifiers.large_network(shape, 4)
    before_pooling = net[:-3](torch.zeros(2, *shape))
    assert net(torch.zeros(2, *shape)).shape == (2, 4) and 2 <= before_pooling.shape[-1] <= 5


def test_moved_images_are_their_neighbours_shifted_or_mirrored():
    x = torch.arange(64.0).view(1, 1, 8, 8).expand(50, 1, 8, 8).contiguous()
    moved = label_classifiers._augment(x, False, torch.Generator().manual_seed(0))
    starts = {tuple(int(v) for v in m[0, 3:5, 3:5].flatten()) for m in moved}
    assert starts <= {tuple(27 + 8 * dy + dx + k for k in (0, 1, 8, 9)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
    assert len(starts) == 9
    both = label_classifiers._augment(x, True, torch.Generator().manual_seed(0))
    flipped = [bool(m[0, 3, 3] > m[0, 3, 4]) for m in both]
    assert 10 < sum(flipped) < 40


@pytest.mark.parametrize("large", [False, True])
def test_stored_and_read_they_answer_the_same(monkeypatch, quick, large):
    monkeypatch.setattr(label_classifiers, "GOOD", 1.1 if large else 0.0)
    monkeypatch.setattr(label_classifiers, "_accuracy", lambda found, on_mirrored: float(is_large(found)))
    train = ramps([(1, 0), (0, 1)])
    made = of_data_set(train, 2, 3, DEVICE)
    data = to_bytes(made)
    again = from_bytes(data, train, 2, 3, DEVICE)
    assert is_large(made) == large
    assert np.array_equal(made.log_probabilities(train), again.log_probabilities(train))
    for damaged in (data[:-1], data[:-1] + bytes([data[-1] ^ 1]), b"", b"x" * 200):
        with pytest.raises(DamagedState):
            from_bytes(damaged, train, 2, 3, DEVICE)


def test_the_nearest_training_image_is_found_across_parts(monkeypatch, quick):
    train = ramps([(1, 0), (0, 1)])
    made = of_data_set(train, 2, 0, DEVICE)
    whole = made._nearest(train)
    monkeypatch.setattr(label_classifiers, "PART", 7)
    assert np.array_equal(whole, np.arange(len(train))) and np.array_equal(made._nearest(train), whole)


def test_no_more_images_than_the_most_are_used(monkeypatch, quick):
    monkeypatch.setattr(label_classifiers, "MOST", 50)
    assert len(of_data_set(ramps([(1, 0), (0, 1)]), 2, 0, DEVICE).training) == 50


class Oracle:
    """A classifier of two classes that is right on a known share of images, whatever they show."""

    device = DEVICE

    def __init__(self, truth, share):
        self.truth, self.share = truth, share

    def log_probabilities(self, images):
        truth = self.truth[images.images[:, 0, 0, 0]]
        wrong = np.arange(len(images)) % 1000 >= 1000 * self.share
        return np.log(np.eye(4)[np.where(wrong, (truth + 1) % 4, truth)] + 1e-9)


@pytest.mark.parametrize("able", [0.55, 0.95])
def test_classifiers_that_are_often_wrong_on_real_images_give_no_skill(able):
    """Whatever the pool is like. With four classes chance is 0.25, and half way from there to 1 is 0.625."""
    truth = np.arange(256) % 4
    images = ImageSet(np.arange(1000, dtype=np.uint16).astype(np.uint8)[:, None, None, None], np.arange(1000) % 256 % 4)
    classifiers = LabelClassifiers(images, np.zeros(1000, np.int64), (Oracle(truth, able),))  # type: ignore[arg-type]
    found = label_fidelity(classifiers, images, images)
    assert found is not None and found.reference is not None
    assert found.reference.value == pytest.approx(able, abs=0.01) and found.agreement.value == found.reference.value
    assert (found.skill is None) == (found.reference.value - found.chance < ABLE * (1 - found.chance)) == (able < 0.6)


def test_where_they_give_none_that_is_what_is_told(real, pools):
    """Not that all is well, and not that too few images are the reason."""
    rng = np.random.default_rng(0)
    n = len(real.held_out)
    spoilt = np.where(rng.random(n) < 0.6, rng.integers(0, 10, n), real.held_out.labels)
    labels = label_fidelity(real.label_classifiers, pools["holdout"], ImageSet(real.held_out.images, spoilt))
    assert labels is not None and labels.skill is None and labels.agreement.value > 0.9
    from synaug_ray.quality.assess import assess

    good = assess(real, pools["holdout"])
    [flag] = find(good.fidelity, good.replay, labels, good.memorization, good.duplicates)
    assert (
        flag.word == Word.NOT_JUDGED and "recognise only 4" in flag.sentence and "too few images" not in flag.sentence
    )
