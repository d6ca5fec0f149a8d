"""A grid whose generator starts from another: what the grid knows of the base, and what it refuses."""

import hashlib

import pytest
from helpers.tiny_base import base_folder

from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.load import validate_grid
from synaug_ray.config.warnings import grid_warnings
from synaug_ray.config.yaml_source import Lines


def grid(base, *more, **values):
    lora = {"family": "lora", "name": "own", "base": str(base)}
    generators = [lora | changes for changes in ({}, *more)]
    plain = {"dataset": "digits", "num_real": [20], "synthetic_multiples": [1], "classifiers": ["mlp"]}
    return validate_grid(plain | {"generators": generators} | values, Lines("g.yaml"))


def refused(base, *more, **values):
    with pytest.raises(UsageProblem) as caught:
        grid(base, *more, **values)
    return sorted((m.code, m.place) for m in caught.value.messages)


def test_every_node_needs_all_of_its_files(tmp_path):
    spec = grid(base_folder(tmp_path / "b"), {"budgets": [2]})
    assert [g.nimg for g in spec.generators] == [6_400, 12_800]
    files = [f for f in (tmp_path / "b").rglob("*") if f.is_file()]
    assert spec.weights() == {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files} and len(files) == 3
    assert spec.generators[0].attention == (False, True) and spec.generators[0].channels == (16, 32)
    assert any("the base of own was trained on other images" in said for said in grid_warnings(spec))
    exported = base_folder(tmp_path / "export" / "generator")
    assert grid(exported.parent).generators[0].key == spec.generators[0].key


def test_all_that_is_wrong_is_said_before_anything_starts(tmp_path):
    base = base_folder(tmp_path / "b", shape=(3, 16, 16))
    at = "g.yaml: generators[{}].{}"
    assert refused(base) == [("image-channels", at.format(0, "base")), ("image-size", at.format(0, "base"))]
    assert refused(base, data={"size": 16, "mode": "rgb"}, num_real=[0], num_synthetic=[20]) == [
        ("needs-real-images", "g.yaml: num_real[0]"),
        ("no-real-images", "g.yaml: num_real"),
    ]
    wrong = {"name": "wrong", "rank": 0, "class_ids": [10], "channels": [8], "base": str(tmp_path)}
    assert refused(base, wrong, {"name": "c", "class_ids": [10], "channels": [8], "alpha": 0}) == [
        ("base-classes", at.format(2, "class_ids")),
        ("no-such-base", at.format(1, "base")),
        ("of-the-base", at.format(2, "channels")),
        ("out-of-range", at.format(1, "rank")),
        ("out-of-range", at.format(2, "alpha")),
    ]
