"""Copies are searched for in images larger than those of training (``data.audit_size``), wherever a run searches."""

import numpy as np
import pytest
from PIL import Image

from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.audit import gate
from synaug_ray.data.identify import identify, identify_judge, identify_test2
from synaug_ray.data.judge import judge_images
from synaug_ray.data.load import load
from synaug_ray.data.second_test import with_second_test
from synaug_ray.plan.subset import DataIdentity

COPIES = 30


def textures(count, seed):
    """uint8 [N, 32, 32]: at 8 px many look alike, at 32 px none do."""
    rng = np.random.default_rng(seed)
    waves = rng.normal(size=(count, 32, 32)).cumsum(1).cumsum(2) + 16 * rng.normal(size=(count, 32, 32))
    low, high = waves.min((1, 2), keepdims=True), waves.max((1, 2), keepdims=True)
    return ((waves - low) / (high - low) * 255).astype(np.uint8)


def crops(images):
    """The middle of each, enlarged."""
    return np.array([Image.fromarray(i[2:31, 1:30]).resize((32, 32), Image.Resampling.BICUBIC) for i in images])


def npz(path, train, test):
    labels = {f"{k}_labels": np.arange(len(v), dtype=np.uint8) % 2 for k, v in (("train", train), ("test", test))}
    np.savez(path, train_images=train, test_images=test, **labels)
    return f"npz:{path}"


@pytest.fixture
def sources(tmp_path):
    """Ours, whose test images begin with crops of training images; and another with crops of ours in both splits."""
    train, test = textures(200, 0), np.concatenate([crops(textures(200, 0)[:COPIES]), textures(70, 1)])
    other = textures(170, 2)
    return npz(tmp_path / "ours.npz", train, test), npz(
        tmp_path / "theirs.npz",
        np.concatenate([crops(test[-COPIES:]), other[:100]]),
        np.concatenate([crops(train[:COPIES]), other[100:]]),
    )


def left_out(place, sources, larger, cache):
    ours, theirs = sources
    options = DataOptions(size=8, audit_size=larger, duplicates="drop-test", **({place: theirs} if place else {}))
    data = identify(ours, options)
    dataset = load(data, cache)
    if place == "judge":
        judge = identify_judge(options)
        images, _ = judge_images(dataset, DataIdentity(data.source, data.fingerprint, options, judge=judge), cache)
        return len(load(judge, cache).train) + len(load(judge, cache).val) - len(images)
    if place == "test2":
        other = identify_test2(ours, options)
        found = with_second_test(dataset, DataIdentity(data.source, data.fingerprint, options, test2=other), cache)
        return 100 - len(found.test2)
    kept, audited = gate.apply_duplicate_policy(data, dataset, cache)
    assert kept.shape == (1, 8, 8) and audited.numbers["shape"] == [1, 8, 8]
    return 100 - len(kept.test)


@pytest.mark.parametrize("place", ["", "test2", "judge"])
def test_more_copies_are_found(sources, tmp_path, place):
    small, large = (left_out(place, sources, larger, tmp_path / "cache") for larger in (None, 32))
    assert small < 10 < 20 <= large <= COPIES + 5


def test_they_must_be_larger():
    for size in (None, 28, 32):
        with pytest.raises(ValueError, match="audit_size: 28 must be larger than size"):
            DataOptions(size=size, audit_size=28)
