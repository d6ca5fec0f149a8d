"""A run's folder: files are whole, JSON is plain, and the disk has room for it."""

import json
import math

import pandas as pd
import pytest

from synaug_ray.common.errors import StorageProblem, UsageProblem
from synaug_ray.store.disk import free_bytes
from synaug_ray.store.run_folder import RunFolder, check_space


def test_the_folder_checks_its_name(tmp_path):
    with pytest.raises(UsageProblem):
        RunFolder(str(tmp_path), "../elsewhere")


def test_the_room_that_is_left(tmp_path):
    free = free_bytes(f"{tmp_path}/not/there/yet")
    assert free and free_bytes("s3://bucket/x") is None
    check_space(str(tmp_path), free // 2)
    check_space("s3://bucket/x", 10**30)
    with pytest.raises(
        StorageProblem, match=r"has .* free, and the missing steps need about .* TB; set --storage to a larger disk"
    ):
        check_space(str(tmp_path), free + 10**15)


@pytest.fixture(params=["disk", "memory"])
def folder(request, tmp_path):
    return RunFolder(str(tmp_path) if request.param == "disk" else f"memory://{tmp_path}", "run")


def test_files(folder):
    assert folder.read("a.txt") is None
    folder.write("a.txt", "grüße")
    folder.write("samples/b.bin", b"\x00\xff")
    assert folder.read("a.txt") == "grüße".encode() and folder.read("samples/b.bin") == b"\x00\xff"
    folder.write("a.txt", "new")
    assert folder.read("a.txt") == b"new"


def test_json_holds_no_number_that_is_none(folder):
    """NaN is no JSON: a browser would refuse the whole file."""
    value = {"a": math.nan, "b": [math.inf, (-math.inf, 1.5)], 3: {"c": True, "d": None, "e": "NaN"}}
    folder.write_json("x.json", value)
    text = folder.read("x.json").decode()
    assert json.loads(text, parse_constant=lambda word: pytest.fail(word)) == {
        "a": None,
        "b": [None, [None, 1.5]],
        "3": {"c": True, "d": None, "e": "NaN"},
    }


def test_tables_come_back(folder, tmp_path):
    table = pd.DataFrame({"key": ["a", "b"], "error": [0.5, math.nan], "label": [[1, 2], [3]]})
    folder.write_parquet("t.parquet", table)
    (tmp_path / "copy.parquet").write_bytes(folder.read("t.parquet"))
    again = pd.read_parquet(tmp_path / "copy.parquet")
    assert again["key"].tolist() == ["a", "b"] and [list(v) for v in again["label"]] == [[1, 2], [3]]
    assert again["error"][0] == 0.5 and math.isnan(again["error"][1])


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(StorageProblem, match=r"cannot write .*/run/a.txt \((Not a directory|File exists)\)"):
        RunFolder(str(tmp_path), "run").write("a.txt", "x")
