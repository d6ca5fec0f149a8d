"""Planted faults end in the right word; held-out real images come out as perfect."""

import json
import re

import numpy as np
import pytest

from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.identify import identify
from synaug_ray.data.images import ImageSet
from synaug_ray.data.load import load
from synaug_ray.data.subsets import permutation
from synaug_ray.quality import features, label_classifiers
from synaug_ray.quality.assess import assess, matched, real_reference


@pytest.fixture(scope="module")
def judged(real, pools):
    return {name: assess(real, pool) for name, pool in pools.items()}


@pytest.mark.integration  # 14 s for all four, which share their judged pools
@pytest.mark.parametrize(
    ("pool", "words"),
    [
        ("holdout", ("ok",)),
        ("replay", ("copies",)),
        ("jitter", ("copies",)),
        ("a third copied", ("copies",)),
        ("permuted", ("ignores labels",)),
        ("collapsed", ("collapsed",)),
        ("collapsed under noise", ("collapsed",)),
        ("constant", ("constant",)),
        ("uniform noise", ("ignores labels", "unreal")),
    ],
)
def test_every_fault_has_its_word(judged, pool, words):
    assert judged[pool].words == words


@pytest.mark.integration
def test_real_images_as_a_pool_are_perfect(judged):
    """The control: what cannot be told from real images must not be marked down."""
    found = judged["holdout"]
    assert found.labels.reference.low <= found.labels.agreement.value <= found.labels.reference.high
    assert found.memorization.near_copies.low <= found.memorization.base_rate.high
    assert found.domain.accuracy.low < 0.5 < found.domain.accuracy.high
    assert found.fidelity.density.high > 0.9 and found.fidelity.coverage.value > 0.9
    assert found.fidelity.frechet.low <= 0.03 and found.overlap.overlap == pytest.approx(found.overlap.real, abs=0.08)


@pytest.mark.integration
def test_sentences_hold_the_numbers(judged):
    sentence = judged["a third copied"].flags[0].sentence
    assert f"{judged['a third copied'].memorization.near_copies.value:.1%}" in sentence and "do not share" in sentence
    assert "only 30 of the" in judged["collapsed"].flags[0].sentence
    assert re.search(r", 10\.\d% with random labels", judged["permuted"].flags[0].sentence)


@pytest.mark.integration
def test_it_is_json_and_the_same_again(real, pools, judged):
    again = assess(real, pools["jitter"])
    assert again == judged["jitter"]
    assert json.loads(json.dumps(again.as_json(), allow_nan=False))["flags"][0]["word"] == "copies"


def test_where_nothing_can_be_judged_that_is_the_word(real, pools):
    few = assess(real, pools["holdout"].take(np.arange(15)))
    assert few.words == ("not judged",) and "too few images" in few.flags[0].sentence
    assert few.labels is None and few.memorization is None and few.domain is None


def test_held_out_images_are_taken_in_the_pools_class_proportions():
    def of(*counts):
        labels = np.repeat(np.arange(len(counts)), counts)
        return ImageSet(np.zeros((len(labels), 1, 2, 2), np.uint8), labels)

    same = matched(of(50, 50, 7), of(900, 100, 0), 3, 0)
    assert np.bincount(same.labels, minlength=3).tolist() == [50, 5, 0]
    assert len(matched(of(0, 5), of(5, 0), 2, 0)) == 0


@pytest.mark.integration  # 12 s; test_label_fidelity.py has planted labels
def test_unbalanced_chest_x_rays(shared_data, tmp_path, monkeypatch):
    """90 to 10: agreement by chance is 0.82, so only a skill can say that labels are ignored."""
    monkeypatch.setattr(features, "NIMG", (6_400, 6_400))
    monkeypatch.setattr(label_classifiers, "GOOD", 0.5)  # small networks are good enough to be told apart from none
    data = load(identify(f"npz:{shared_data / 'pneumonia-28.npz'}", DataOptions()), tmp_path)
    order = permutation(data.train, 2, 0, "key", "natural")
    real = real_reference(data.train.take(order[:100]), data.val, 2, data.train.take(order[100:1_000]))
    holdout = data.train.take(order[1_000:1_500])
    assert assess(real, holdout).words == ("ok",)
    shuffled = ImageSet(holdout.images, np.random.default_rng(0).permutation(holdout.labels))
    found = assess(real, shuffled)
    assert found.words == ("ignores labels",) and found.labels.agreement.value > 0.75
