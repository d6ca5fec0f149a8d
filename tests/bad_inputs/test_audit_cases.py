"""Bad inputs by number, 26 to 30: what the audit finds in a data set.

28 (duplicates inside train) is a warning, with 26; 29 (a tiny test set) a warning; 30 (strong imbalance) a note.
"""

from __future__ import annotations

import re

import numpy as np

from synaug_ray import audit
from synaug_ray.engine import local
from tests.bad_inputs.test_data_cases import SMALL, codes


def audited(door, spec, *options):
    """The table that the audit prints, as one line."""
    code = audit.main([spec.removeprefix("dataset="), *options, "--data", str(door.cache)])
    shown = door.capsys.readouterr()
    assert code == 0 and "Traceback" not in shown.err, shown.err
    return " ".join(shown.out.split())


def test_cases_26_and_28_duplicates(door, npz, told):
    rng = np.random.default_rng(1)
    train, test = (rng.integers(0, 256, (n, 8, 8), dtype=np.uint8) for n in (200, 60))
    test[:6] = train[:6]  # 26
    train[100:105] = train[110:115]  # 28
    table = audited(door, npz(train_images=train, test_images=test))
    assert "WARNING test images in train 6 exact, 0 near 6 of 60 test images (10.0%) are also in train" in table
    assert "Set data.duplicates: drop-test" in table
    assert "WARNING duplicates in train 5 exact, 0 near Only 195 of 200 training images are different" in table
    spec = npz(train_images=train, test_images=test)
    told(door.refused_in_a_run(3, spec, SMALL))
    assert codes(door) == [("test-images-in-train", "")]
    for rule, tested in (("warn", 60), ("drop-test", 54)):
        seen = []
        door.monkeypatch.setattr(
            local, "run_local", lambda missing, bench, say, expected, after, seen=seen: seen.append(bench.dataset)
        )
        _, out, _ = door.run(spec, SMALL, f"data.duplicates={rule}", "--local")
        assert len(seen[0].test) == tested and "duplicates in train 5 exact" in " ".join(out.split())


def test_case_27_groups_on_both_sides(door, npz, told):
    groups = {f"{s}_patient": np.arange(n) // 2 for s, n in (("train", 200), ("val", 40), ("test", 60))}
    table = audited(door, npz(**groups), "group=patient")
    assert "WARNING groups 30 on both sides 30 of 30 test groups (60 images) are also in train" in table
    told(door.refused_in_a_run(3, npz(**groups), "data.group=patient", SMALL))
    assert door.found == [("groups-in-several-splits", "x", "20"), ("groups-in-several-splits", "x", "30")]


def test_cases_29_and_30_a_tiny_test_set_and_imbalance(door, npz):
    labels = {
        f"{s}_labels": (np.arange(n) % 10 == 0).astype(np.uint8) for s, n in (("train", 200), ("val", 40), ("test", 40))
    }
    images = {"test_images": np.random.default_rng(2).integers(0, 256, (40, 8, 8), dtype=np.uint8)}
    table = audited(door, npz(**labels, **images))
    assert re.search(r"WARNING smallest gain shown \d+\.\d points 40 test images: ", table)
    assert "largest over smallest train 9.0, test 9.0 The test classes are unbalanced" in table
