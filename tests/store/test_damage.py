"""Every kind of file that is written, truncated, emptied or with a bit flipped: the same command makes it good."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from helpers.paths import SMALL_GRID

from synaug_ray import grid
from synaug_ray.common.errors import DamagedState
from synaug_ray.status import main as status
from synaug_ray.store.run_folder import CONTRASTS, GAP, PREDICTIONS2, SCALING, SEAL, SEALED, RunFolder
from synaug_ray.store.store import Store
from synaug_ray.training.checkpoint import restore

WORDS = [str(SMALL_GRID), "num_real=[20]", "quality_draws=1", "--local", "--storage"]
COMPARED = ["key", "status", "test_error", "balanced_error", "test_nll", "val_error", "nimg"]
WRITTEN = tuple(name for name in SEALED if name not in (CONTRASTS, GAP, SCALING, PREDICTIONS2))  # of special grids
HARMS = {
    "truncated": lambda data: data[: len(data) // 2],
    "emptied": lambda data: b"",
    "flipped": lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 4]) + data[len(data) // 2 + 1 :],
}


def table(storage):
    return pd.read_parquet(storage / "small" / "measurements.parquet")[COMPARED].sort_values("key", ignore_index=True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One whole run; tests damage a copy."""
    storage = tmp_path_factory.mktemp("storage")
    assert grid.main([*WORDS, str(storage)]) == 0
    return storage


@pytest.fixture
def storage(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "storage"))


@pytest.fixture
def harmed(request, storage, monkeypatch):
    """A storage with one file of each kind damaged, each in another way, and one step of each kind undone."""

    store, root = Store(f"{storage}/store"), storage / "store"
    rows = pd.read_parquet(storage / "small" / "measurements.parquet").set_index(["generator", "draw"])["key"]
    record = {k: store.record("trial", rows[k]) for k in rows.index}
    shard = {k: next(iter(record[k].parents)) for k in rows.index if k[0] != "none"}
    made = {k: store.record("shard", s).fields["generator"] for k, s in shard.items()}
    for stage, key in (
        ("trial", rows["edm", 0]),
        ("trial", rows["edm", 1]),
        ("shard", shard["edm", 1]),
        ("generator", made["edm", 1]),
    ):
        (root / "records" / stage / f"{key}.json").unlink()
    failure = root / "failures" / "trial" / f"{rows['edm', 0]}.json"
    failure.parent.mkdir(parents=True)
    failure.write_text(
        json.dumps(
            {
                "stage": "trial",
                "key": rows["edm", 0],
                "cause": "bug",
                "message": "m",
                "traceback": "t",
                "attempts": 1,
                "at": "",
                "session": "",
            }
        )
    )
    state = root / "scratch" / "generator" / made["edm", 1] / "state.safetensors"
    state.parent.mkdir(parents=True)
    weights = next((root / "payload" / "generator" / made["edm", 1]).rglob("*.safetensors"))
    shutil.copy(weights, state)  # safetensors, and no state
    (look, other_look) = sorted((root / "records" / "quality").glob("*.json"))
    files = [
        root / "records" / "trial" / f"{rows['none', 0]}.json",
        next((root / "payload" / "trial" / rows["duplicate", 0]).rglob("predictions.safetensors")),
        root / "records" / "shard" / f"{shard['duplicate', 0]}.json",
        next((root / "payload" / "shard" / shard["edm", 0]).rglob("images.safetensors")),
        next((root / "payload" / "generator" / made["edm", 0]).rglob("*.safetensors")),
        root / "records" / "generator" / f"{made['duplicate', 0]}.json",
        failure,
        state,
        look,
        next((root / "payload" / "quality" / other_look.stem).rglob("quality.json")),
        *(storage / "small" / name for name in WRITTEN),
        storage / "small" / "report.html",
        storage / "small" / SEAL,
    ]
    for i, file in enumerate(files):
        harm = list(HARMS.values())[(i + request.param) % len(HARMS)]
        file.write_bytes(harm(file.read_bytes()))
    return storage


@pytest.mark.parametrize(
    "harmed", [0, *(pytest.param(k, marks=pytest.mark.integration) for k in range(1, len(HARMS)))], indirect=True
)
def test_the_same_command_makes_everything_good(harmed, finished, capsys, caplog):
    """Twenty-odd files at once, each kind damaged in each way over the three turns: no traceback, no wrong number."""
    assert grid.main([*WORDS, str(harmed)]) == 0
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err + shown.out + caplog.text
    for said in ("records/trial/", "records/shard/", "records/quality/", "checkpoint of generator"):
        assert said in caplog.text
    pd.testing.assert_frame_equal(table(harmed), table(finished), check_exact=True)
    headlines = [json.loads((s / "small" / "verdict.json").read_text())["headline"] for s in (harmed, finished)]
    assert headlines[0] == headlines[1]
    assert RunFolder(str(harmed), "small").damaged() == []
    assert not list((harmed / "store" / "failures").rglob("*.json"))
    assert grid.main([*WORDS, str(harmed)]) == 0
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", WRITTEN)
def test_a_damaged_file_of_a_finished_run_is_found(storage, name, harm):
    file, folder = storage / "small" / name, RunFolder(str(storage), "small")
    assert folder.damaged() == []
    file.write_bytes(HARMS[harm](file.read_bytes()))
    assert folder.damaged() == [name]
    file.unlink()
    assert folder.damaged() == [name]


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", ["status.json", "grid.yaml"])
def test_status_tells_no_number_of_a_damaged_run(storage, name, harm, capsys):
    file = storage / "small" / name
    file.write_bytes(HARMS[harm](file.read_bytes()))
    assert status([str(storage / "small")]) == 5
    assert "damaged or of an older version" in capsys.readouterr().err


def test_one_damaged_view_of_a_finished_run_is_made_again_and_said(storage, finished, capsys):
    file = storage / "small" / "measurements.parquet"
    file.write_bytes(HARMS["flipped"](file.read_bytes()))
    assert grid.main([*WORDS, str(storage)]) == 0
    out = capsys.readouterr().out
    assert f"measurements.parquet differ from {SEAL}: made again" in out and "nothing to do:" not in out
    pd.testing.assert_frame_equal(table(storage), table(finished), check_exact=True)


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_checkpoint_is_refused_whatever_was_hit(harm):
    import torch

    from synaug_ray.training.checkpoint import snapshot

    net = torch.nn.Linear(3, 3)
    state = snapshot({"net": net}, {}, 64)
    before = net.weight.clone()
    assert restore(state, {"net": net}, {}) == 64
    with pytest.raises(DamagedState):
        restore(HARMS[harm](state), {"net": net}, {})
    for at in range(0, len(state)):  # every byte of it: a flip is refused, or changes nothing that is read
        flipped = state[:at] + bytes([state[at] ^ 1]) + state[at + 1 :]
        try:
            assert restore(flipped, {"net": net}, {}) == 64
        except DamagedState:
            pass
        assert torch.equal(net.weight, before)
