"""The first step of a run: an audit that is made once, and test images that training has seen."""

import dataclasses
import json

import numpy as np
import pytest

from synaug_ray.common.errors import DataProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.audit import gate
from synaug_ray.data.images import Dataset, ImageSet
from synaug_ray.plan.subset import DataIdentity


def data(duplicates=None, source="npz:x.npz", fingerprint="fp"):
    return DataIdentity(source, fingerprint, DataOptions(duplicates=duplicates))


@pytest.fixture(scope="module")
def leaky():
    """200 training images of noise; 10 of the 100 test images are among them."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (350, 1, 12, 12)).astype(np.uint8)
    labels = np.arange(350) % 2
    parts = [ImageSet(images[a:b], labels[a:b]) for a, b in ((0, 200), (200, 250), (250, 350))]
    parts[2].images[40:50] = parts[0].images[:10]
    return Dataset("leaky", *parts, ("a", "b"))


def test_a_users_own_data_with_known_test_images_are_refused_with_the_ways_out(leaky, tmp_path):
    with pytest.raises(DataProblem, match="leaky: 10 of 100 test images.*drop-test.*warn") as found:
        gate.apply_duplicate_policy(data(), leaky, tmp_path)
    assert found.value.exit_code == 3


def test_without_them_it_is_measured_on_the_rest(leaky, tmp_path):
    kept, audited = gate.apply_duplicate_policy(data("drop-test"), leaky, tmp_path)
    assert len(kept.test) == 90 and np.array_equal(kept.test.images[:40], leaky.test.images[:40])
    assert np.array_equal(kept.test.images[40:], leaky.test.images[50:]) and kept.train is leaky.train
    rows = {row.what: row for row in audited.rows}
    told = rows["test images in train"]
    assert told.level == "note" and "Set data.duplicates" not in told.means and rows["images"].value.endswith("test 90")
    assert "10 of 100 test images (10.0%) are also in train, and were left out" in told.means
    assert "measured on the other 90" in told.means and "90 test images" in rows["smallest gain shown"].means
    without = gate.audit(kept)
    assert audited.numbers["smallest_gain"] == without.numbers["smallest_gain"]
    assert rows["largest over smallest"] == next(r for r in without.rows if r.what == "largest over smallest")
    assert (
        audited.numbers["left_out_of_test"] == 10
        and len(audited.numbers["duplicates"]["test in train"]["images"]) == 10
    )


def test_copies_inside_the_test_set_are_those_that_are_left(leaky, tmp_path):
    """Three copies of one test image: two of them stay, and a pair that goes is no longer told."""
    test = leaky.test.images.copy()
    test[41], test[60], test[61], test[62] = test[40], test[70], test[70], test[71]
    labels = leaky.test.labels.copy()
    labels[[41, 60, 61, 62]] = labels[[40, 70, 70, 71]]
    both = dataclasses.replace(leaky, test=ImageSet(test, labels))
    kept, audited = gate.apply_duplicate_policy(data("drop-test"), both, tmp_path)
    row = next(row for row in audited.rows if row.what == "duplicates in test")
    made = next(row for row in gate.audit(kept).rows if row.what == "duplicates in test")
    share = row.means.partition(" of")[0]
    assert share == made.means.partition(" of")[0] and row.value.endswith("of those left")


def test_a_class_that_loses_all_its_test_images_is_told_and_an_empty_test_set_is_refused(leaky, tmp_path):
    one = dataclasses.replace(
        leaky, test=ImageSet(leaky.test.images, np.isin(np.arange(100), range(40, 50)).astype(int))
    )
    _, audited = gate.apply_duplicate_policy(data("drop-test"), one, tmp_path)
    assert next(row for row in audited.rows if row.what == "classes not in test").level == "warning"
    copies = dataclasses.replace(leaky, test=leaky.train.take(np.arange(30)))
    with pytest.raises(DataProblem, match="all 30 test images.*leaves none.*leave_out") as found:
        gate.apply_duplicate_policy(data("drop-test", fingerprint="copies"), copies, tmp_path)
    assert found.value.exit_code == 3


def test_groups_go_with_their_images(leaky, tmp_path):
    groups = (np.arange(200), np.arange(200, 250), np.arange(250, 350))
    kept, _ = gate.apply_duplicate_policy(data("drop-test"), dataclasses.replace(leaky, groups=groups), tmp_path)
    assert kept.groups[2].tolist() == [*range(250, 290), *range(300, 350)]


@pytest.mark.parametrize("identity", [data("warn"), data(source="cifar10")])
def test_asked_for_or_published_it_is_measured_as_it_is(leaky, tmp_path, identity):
    kept, audited = gate.apply_duplicate_policy(identity, leaky, tmp_path)
    assert kept is leaky and audited.warnings


@pytest.mark.integration  # 5 s
def test_an_audit_is_made_once_and_again_when_what_is_kept_is_damaged(leaky, tmp_path, monkeypatch):
    first = gate.apply_duplicate_policy(data("warn"), leaky, tmp_path)[1]
    (file,) = (tmp_path / "audits").iterdir()
    made, real = [], gate.audit
    monkeypatch.setattr(gate, "audit", lambda *a, **k: made.append(1) or real(*a, **k))
    again = gate.apply_duplicate_policy(data("warn"), leaky, tmp_path)[1]
    assert not made and json.dumps(again.to_json()) == json.dumps(first.to_json())
    for broken in ("{", "{}", '{"rows": [{"x": 1}]}'):
        file.write_text(broken)
        assert gate.apply_duplicate_policy(data("warn"), leaky, tmp_path)[1].rows == first.rows
    assert len(made) == 3
    gate.apply_duplicate_policy(data("warn", fingerprint="other"), leaky, tmp_path)
    assert len(made) == 4


def test_an_audit_that_was_kept_is_told_with_what_the_reader_says_now(leaky, tmp_path):
    """An audit of an older version knows no notes; a kept one must not silence them, nor repeat those that are gone."""
    gate.apply_duplicate_policy(data("warn"), leaky, tmp_path)
    for notes in (("20 files are not read as images: 20 .gif", "the column y is taken as the label"), ("another",), ()):
        said = dataclasses.replace(leaky, notes=notes, name="moved")
        audited = gate.apply_duplicate_policy(data("warn"), said, tmp_path)[1]
        assert audited.dataset == "moved"
        rows = [row for row in audited.rows if row.what == "while reading"]
        assert audited.numbers["notes"] == list(notes) and [row.level for row in rows] == ["note"] * len(notes)
        assert [row.means.removesuffix(".").lower() for row in rows] == [note.lower() for note in notes]
        assert [row.value for row in rows] == ["20 files", "said"][: len(notes)] or len(notes) == 1
