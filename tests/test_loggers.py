"""Loggers: each finished trial once, with its labels and measurements; and one that is broken touches no run."""

import json
import math
import struct
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from synaug_ray import grid, loggers
from synaug_ray.cluster import log_trials
from synaug_ray.errors import UsageProblem
from synaug_ray.loggers import Loggers

GRID = str(Path(__file__).parent / "small.yaml")
LABELS = ("generator", "num_real", "num_synthetic", "real_share", "draw", "seed")


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A run that was logged by all three; its folder and the rows of its table."""
    for package in ("mlflow", "sqlalchemy", "wandb"):
        pytest.importorskip(package, reason="pip install '.[mlflow,wandb]'")
    storage = tmp_path_factory.mktemp("storage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loggers, "LAST_SECONDS", 400.0)  # imports alone take a minute on a busy machine
        for name in ("MLFLOW_TRACKING_URI", "WANDB_DIR", "WANDB_PROJECT", "WANDB_MODE", "MLFLOW_EXPERIMENT_ID"):
            patch.delenv(name, raising=False)
        patch.setenv("WANDB_API_KEY", "x" * 32 + "s3cret99")
        assert grid.main([GRID, "--storage", str(storage), "--local", "--log", "tensorboard,mlflow,wandb"]) == 0
    return storage / "small", pd.read_parquet(storage / "small" / "measurements.parquet").set_index("key")


def events(path):
    """The summaries of a TensorBoard file: its frame is length, checksum, message, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    data, at = path.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        yield Event.FromString(data[at + 12:at + 12 + length])
        at += length + 16


def test_each_trial_is_noted_once(logged):
    folder, rows = logged
    for name in loggers.PACKAGES:
        assert json.loads((folder / "logs" / f"{name}.json").read_text()) == sorted(rows.index)


def test_tensorboard_has_a_run_for_each_trial(logged):
    folder, rows = logged
    runs = list((folder / "logs" / "tensorboard").iterdir())
    assert len(runs) == len(rows)
    for run in runs:
        (file,) = run.iterdir()
        scalars = {value.tag: value.simple_value for event in events(file) for value in event.summary.value
                   if value.HasField("simple_value")}
        row = rows.loc[[key for key in rows.index if key[:8] == run.name[-8:]][0]]
        assert scalars["ray/tune/test_error"] == pytest.approx(row["test_error"], abs=1e-6)
        assert f"{row['generator']}-n{row['num_real']}-s{row['num_synthetic']}" in run.name
        assert b"num_synthetic" in file.read_bytes()  # its hyperparameters


def test_mlflow_has_a_run_for_each_trial(logged):
    import mlflow

    folder, rows = logged
    client = mlflow.MlflowClient(f"sqlite:///{folder}/logs/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("small").experiment_id])
    assert len(runs) == len(rows) and {run.info.status for run in runs} == {"FINISHED"}
    table = pd.DataFrame([{**{k: run.data.params[k] for k in LABELS}, "error": run.data.metrics["test_error"]}
                          for run in runs])
    wanted = rows[[*LABELS]].astype(str).assign(error=rows["test_error"])
    sort = [*LABELS]
    pd.testing.assert_frame_equal(table.sort_values(sort, ignore_index=True),
                                  wanted.sort_values(sort, ignore_index=True), check_dtype=False)


def test_wandb_has_a_run_for_each_trial_and_knows_no_secret(logged):
    from wandb.proto.wandb_internal_pb2 import Record
    from wandb.sdk.internal.datastore import DataStore

    folder, rows = logged
    files = list((folder / "logs" / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(files) == len(rows)
    for file in files:
        store, config, summary = DataStore(), {}, {}
        store.open_for_scan(str(file))
        while (data := store.scan_data()) is not None:
            record = Record.FromString(data)
            config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
            summary |= {item.key: json.loads(item.value_json) for item in record.history.item}
        (key,) = [key for key in rows.index if file.stem.endswith(key[:16])]
        assert {k: config[k] for k in LABELS} == {k: rows.loc[key, k] for k in LABELS}
        assert summary["test_error"] == pytest.approx(rows.loc[key, "test_error"])
    everything = [p for p in (folder / "logs").rglob("*") if p.is_file()]
    assert not [p for p in everything if b"s3cret99" in p.read_bytes()]


def test_a_second_run_logs_what_is_new_and_nothing_again(logged):
    folder, rows = logged
    run = log_trials.read_standing(str(folder))
    assert list(log_trials._new(run, set(rows.index), str(folder))) == []
    (one,) = log_trials._new(run, set(rows.index[1:]), str(folder))
    assert one.key == rows.index[0] and {k: one.config[k] for k in LABELS} == dict(rows.loc[one.key, [*LABELS]])
    assert all(math.isfinite(value) for value in one.result.values())


@pytest.mark.parametrize("asked, match", [
    ("tensorbord", "--log tensorbord: no such logger. Did you mean 'tensorboard'"), ("", "--log is empty"),
    ("gone", "no such logger.* Loggers: tensorboard, mlflow, wandb")])
def test_a_wrong_word_is_told_before_anything_starts(asked, match):
    with pytest.raises(UsageProblem, match=match):
        Loggers(asked, "/somewhere")


def test_a_package_that_is_not_there_and_a_storage_that_is_no_folder_are_told_together(monkeypatch):
    monkeypatch.setattr(loggers.importlib.util, "find_spec", lambda name: None if name == "mlflow" else object())
    with pytest.raises(UsageProblem) as caught:
        Loggers("mlflow,tensorboard", "s3://bucket")
    assert len(caught.value.sentences) == 2
    assert "pip install 'synaug-ray[mlflow]'" in str(caught.value) and "s3://bucket is no folder" in str(caught.value)


BROKEN = {
    "raises": ("import os\nraise ConnectionError(f'no tracker at https://me:pa55word@host, ' + os.environ['A_TOKEN'])",
               "ConnectionError: no tracker at https://***@host, ***"),
    "hangs": ("import time\nwhile True:\n    time.sleep(1)", "it had not ended in time, and was stopped"),
    "dies": ("import os\nos._exit(3)", "it ended with code 3"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_logger_is_a_warning_in_a_line(how, tmp_path, monkeypatch, capfd):
    """For real: the logger's own process imports a package that does this."""
    code, said = BROKEN[how]
    (tmp_path / "broken" / "mlflow").mkdir(parents=True)
    (tmp_path / "broken" / "mlflow" / "__init__.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path / "broken"))
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    monkeypatch.setenv("A_TOKEN", "t0ken-t0ken")
    monkeypatch.setattr(loggers, "LAST_SECONDS", 5.0 if how == "hangs" else 300.0)
    begun = time.monotonic()
    assert grid.main([GRID, "--storage", str(tmp_path), "--local", "--log", "mlflow"]) == 0
    if how == "hangs":
        assert time.monotonic() - begun < 300
    warned = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(warned) == 1 and warned[0].startswith(f"warning: --log mlflow: {said}. The run itself"), warned
    assert warned[0].endswith(f"python -m synaug_ray.cluster.log_trials {tmp_path}/small mlflow")


def test_nothing_is_started_without_being_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(loggers.subprocess, "Popen", None)
    Loggers(None, str(tmp_path)).start(str(tmp_path))
