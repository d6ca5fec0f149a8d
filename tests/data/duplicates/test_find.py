"""Duplicates: planted ones are found, images that only look alike are not named."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control, gumbel_r

from synaug_ray.data.duplicates import find as duplicates
from synaug_ray.data.duplicates.find import distinct, exact_pairs, find, fitted_gumbel
from synaug_ray.data.duplicates.planted import CHANGES, changed
from tests.data.duplicates.test_alignment import natural

EASY = ("JPEG 75", "mirrored", "shifted", "brightness, contrast", "resized", "cropped to 90%")


def test_exact_pairs_inside_and_between():
    images = natural(6)
    images[4], images[5] = images[1], images[1]
    assert exact_pairs(images).tolist() == [[4, 1], [5, 1]]
    assert exact_pairs(images[[5, 0, 3]], images[:2]).tolist() == [[0, 1], [1, 0]]
    assert exact_pairs(natural(3), natural(3, seed=1)).shape == (0, 2)


def test_one_grey_level_makes_an_image_another():
    images = natural(2)
    images[1] = images[0]
    images[1, 0, 0, 0] ^= 1
    assert len(exact_pairs(images)) == 0


@pytest.mark.parametrize("channels,size", [(3, 32), (1, 28), pytest.param(3, 64, marks=pytest.mark.integration)])
def test_planted_copies_are_found_and_nothing_else(channels, size):
    """Six easy changes, twenty copies of each among 400 images of which none is another's copy."""
    train, test, rng = natural(400, size, channels), natural(200, size, channels, seed=1), np.random.default_rng(0)
    sources = rng.permutation(400)[:120]
    copies = np.concatenate(
        [changed(train[sources[20 * k : 20 * k + 20]], change, rng) for k, change in enumerate(EASY)]
    )
    found = find(np.concatenate([test, copies]), train, plant=())
    named = {(i, j) for i, j in found.near.tolist()}
    right = [(200 + k, source) in named for k, source in enumerate(sources)]
    assert np.mean(right) > 0.95
    assert len(named) - sum(right) <= 1 and not any(i < 200 for i, _ in named)


def test_mirrored_copies_are_said_to_be_mirrored():
    train = natural(200)
    found = find(np.concatenate([train[:10, :, :, ::-1], train[10:20] // 2]), train, plant=())
    where = found.near[:, 0]
    assert sorted(where) == list(range(20)) and (found.mirrored == (where < 10)).all()


def test_pairs_inside_a_set_come_once_with_the_later_image_first():
    images, rng = natural(300), np.random.default_rng(0)
    images[200:230] = changed(images[:30], "JPEG 75", rng)
    images[230:240] = images[30:40]
    found = find(images, plant=())
    assert sorted(map(tuple, found.near.tolist())) == [(200 + k, k) for k in range(30)]
    assert sorted(map(tuple, found.exact.tolist())) == [(230 + k, 30 + k) for k in range(10)]
    assert found.images.tolist() == list(range(200, 240)) and distinct(300, found) == 260


def test_a_family_of_copies_counts_once():
    found = duplicates.Duplicates(np.array([[3, 1], [4, 1]]), np.array([[5, 4], [7, 6]]), np.ones(2), np.zeros(2, bool))
    assert distinct(10, found) == 10 - 4


@pytest.mark.integration  # seconds of a core
def test_a_set_in_which_every_image_has_copies():
    """Augmented on disk: four of five images are copies. The law is then read off other classes."""
    originals, rng = natural(150), np.random.default_rng(0)
    images = np.concatenate([originals] + [changed(originals, change, rng) for change in EASY[:4]])
    labels = np.tile(np.arange(150) % 3, 5).astype(np.int64)
    found = find(images, labels=labels, plant=())
    assert found.calibrated_on == "other classes" and found.across_classes[0] <= 2
    assert distinct(len(images), found) < 180
    assert (found.near[:, 0] % 150 == found.near[:, 1] % 150).mean() > 0.98


@pytest.mark.integration  # seconds of a core
def test_alike_is_not_the_same():
    """500 variations of one image, as X-rays are of one chest: nobody is named, a re-encoded copy still is."""
    base, own = natural(1, 28, 1).astype(float), natural(500, 28, 1, seed=3).astype(float)
    crowd = np.clip(0.8 * base + 0.2 * own, 0, 255).astype(np.uint8)
    assert len(find(crowd, plant=()).near) == 0
    copies = changed(crowd[:10], "JPEG 75", np.random.default_rng(0))
    assert (np.sort(find(copies, crowd, plant=()).near[:, 1]) == np.arange(10)).all()


@pytest.mark.integration  # 5 s
def test_recall_is_measured_on_the_set_itself(digits):
    """Large images in colour give copies away; at 8x8 a re-encoded digit is as far off as another one of its kind."""
    easy = find(natural(100), natural(400, seed=1), plant=("JPEG 75", "mirrored"))
    assert list(easy.recall) == ["JPEG 75", "mirrored"] and min(easy.recall.values()) > 0.95
    hard = find(digits.test.images, digits.train.images, plant=("JPEG 75",))
    assert hard.recall["JPEG 75"] < 0.3 and len(hard.near) == 0


def test_too_few_images_to_judge():
    found = find(natural(30), natural(40, seed=1))
    assert found.searched == 0 and len(found.near) == 0 and np.isnan(found.threshold)
    assert find(natural(3)).exact.shape == (0, 2)


@pytest.mark.integration  # seconds of a core
def test_the_same_arrays_give_the_same_answer():
    images = natural(120)
    first, second = (find(images, images[:100], seed=3) for _ in range(2))
    assert (first.near == second.near).all() and first.threshold == second.threshold and first.recall == second.recall


def test_large_sets_are_looked_at_coarsely_first(monkeypatch):
    """The way for many images finds what the way for few does."""
    train, rng = natural(300), np.random.default_rng(0)
    query = np.concatenate([natural(200, seed=1), changed(train[:40], "JPEG 75", rng)])
    monkeypatch.setattr(duplicates, "SAMPLE", 100)
    shares = []
    found = find(query, train, plant=(), tell=shares.append)
    assert sorted(map(tuple, found.near.tolist())) == [(200 + k, k) for k in range(40)]
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_the_gumbel_law_has_the_quantiles_it_is_fitted_to():
    scores = np.random.default_rng(0).normal(size=500)
    assert np.allclose(fitted_gumbel(scores).cdf(np.quantile(scores, [0.1, 0.5])), [0.1, 0.5])
    assert fitted_gumbel(np.full(9, 0.3)).std() > 0  # all alike: a narrow law, not one without width


def test_the_gumbel_law_is_found_under_copies():
    """From 20,000 values of which a tenth are far out: within 15%, where the likelihood of all is 80% off."""
    rng = np.random.default_rng(0)
    scores = gumbel_r.rvs(0.2, 0.1, size=20_000, random_state=rng)
    scores[:2_000] = 2.0
    location, scale = fitted_gumbel(scores).args
    assert np.isclose(location, 0.2, rtol=0.1) and np.isclose(scale, 0.1, rtol=0.15)
    assert gumbel_r.fit(scores)[1] > 0.18


def test_the_threshold_is_benjamini_and_hochbergs():
    rng, law = np.random.default_rng(0), gumbel_r(0.2, 0.1)
    scores = np.concatenate([gumbel_r.rvs(0.2, 0.1, size=900, random_state=rng), rng.uniform(0.5, 2, 100)])
    threshold, chance = duplicates._threshold(law, scores)
    assert ((scores >= threshold) == (false_discovery_control(law.sf(scores)) <= duplicates.LEVEL)).all()
    assert np.isclose(law.sf(np.array([threshold]))[0], chance)


@pytest.mark.integration  # seconds of a core
def test_no_copies_no_names():
    """With no copy at all, a score passes anywhere in the set with probability 1%: found none in six sets of 100."""
    named = [len(find(natural(100, 28, 1, seed=s), natural(100, 28, 1, seed=100 + s), plant=()).near) for s in range(6)]
    assert sum(named) == 0


def test_every_change_keeps_shape_and_type():
    for channels, size in ((1, 8), (3, 32)):
        images = natural(2, size, channels)
        for change in CHANGES:
            copy = changed(images, change, np.random.default_rng(0))
            assert copy.shape == images.shape and copy.dtype == np.uint8 and (copy != images).any(), change


@pytest.mark.integration  # 6 s
def test_chest_x_rays_have_exact_copies_and_no_near_ones(shared_data):
    """Seen by eye: the three nearest pairs that are not exact are different chests."""
    with np.load(shared_data / "pneumonia-28.npz") as arrays:
        train, test = (arrays[f"{split}_images"][:, None] for split in ("train", "test"))
    assert (len(exact_pairs(train)), len(exact_pairs(test)), len(exact_pairs(test, train))) == (17, 3, 0)
    found = find(test[:300], train, plant=("JPEG 75",))
    assert len(found.near) == 0 and found.recall["JPEG 75"] > 0.9
