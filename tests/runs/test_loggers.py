"""Loggers: each finished trial once, with its labels and measurements; and one that is broken touches no run."""

import json
import math
import os
import struct
import sys
import time

import pandas as pd
import pytest
from helpers.grids import small_grid
from helpers.paths import SMALL_GRID

from synaug_ray import grid
from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.spec import write_grid
from synaug_ray.plan.plan import make_plan
from synaug_ray.runs import log_trials, loggers
from synaug_ray.runs.loggers import Loggers
from synaug_ray.runs.tables import MEASURED, measurements
from synaug_ray.store.store import Store, now

GRID = str(SMALL_GRID)
LABELS = ("generator", "num_real", "num_synthetic", "real_share", "draw", "seed")


@pytest.fixture(scope="module")
def finished(digits_identity, tmp_path_factory):
    """A run's folder and Store, as a driver leaves them, of trials that nobody had to train; and its table."""
    storage, spec = tmp_path_factory.mktemp("storage"), small_grid()
    plan, store = make_plan(spec, digits_identity), Store(f"{storage}/store")
    made = [*plan.generators.values(), *plan.shards.values(), *plan.trials.values()]
    for number, step in enumerate(made):
        measured = {name: number / len(made) for name in MEASURED}
        store.commit(step, measured | {"num_real": 1, "draw": 0}, {}, {"host": "here"})
    (storage / "small").mkdir()
    (storage / "small" / "grid.yaml").write_text(write_grid(spec))
    (storage / "small" / "status.json").write_text(
        json.dumps({"fingerprint": digits_identity.fingerprint, "state": "running", "updated": now(), "cores": 1})
    )
    return storage / "small", measurements(spec, plan, store).set_index("key")


@pytest.fixture(scope="module")
def logged(finished):
    """The same, logged by all three, each in its own process as beside a run."""
    for package in ("mlflow", "sqlalchemy", "wandb"):
        pytest.importorskip(package, reason="pip install '.[mlflow,wandb]'")
    folder, _ = finished
    beside = Loggers("tensorboard,mlflow,wandb", "")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "WANDB_DIR", "WANDB_PROJECT", "WANDB_MODE", "MLFLOW_EXPERIMENT_ID"):
            patch.delenv(name, raising=False)
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.setenv("WANDB_API_KEY", "x" * 32 + "s3cret99")
        beside.start(str(folder))
        assert beside.stop(600.0) == []  # imports alone take a minute on a busy machine
    return finished


def events(path):
    """The summaries of a TensorBoard file: its frame is length, checksum, message, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    data, at = path.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        yield Event.FromString(data[at + 12 : at + 12 + length])
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
        scalars = {
            value.tag: value.simple_value
            for event in events(file)
            for value in event.summary.value
            if value.HasField("simple_value")
        }
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
    table = pd.DataFrame(
        [{**{k: run.data.params[k] for k in LABELS}, "error": run.data.metrics["test_error"]} for run in runs]
    )
    wanted = rows[[*LABELS]].astype(str).assign(error=rows["test_error"])
    sort = [*LABELS]
    pd.testing.assert_frame_equal(
        table.sort_values(sort, ignore_index=True), wanted.sort_values(sort, ignore_index=True), check_dtype=False
    )


def wandb_records(path):
    """The records of an offline run: after 7 bytes, checksum, length and kind before each (1: whole)."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at = path.read_bytes(), 7
    assert data.startswith(b":W&B") and len(data) < 32_768  # then no record is cut in pieces
    while at < len(data):
        _, length, kind = struct.unpack_from("<IHB", data, at)
        assert kind == 1
        yield Record.FromString(data[at + 7 : at + 7 + length])
        at += length + 7


def test_wandb_has_a_run_for_each_trial_and_knows_no_secret(logged):
    folder, rows = logged
    files = list((folder / "logs" / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(files) == len(rows)
    for file in files:
        config, measured = {}, {}
        for record in wandb_records(file):
            config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
            measured |= {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
        (key,) = [key for key in rows.index if file.stem.endswith(key[:16])]
        assert {k: config[k] for k in LABELS} == {k: rows.loc[key, k] for k in LABELS}
        assert measured["test_error"] == pytest.approx(rows.loc[key, "test_error"])
    everything = [p for p in (folder / "logs").rglob("*") if p.is_file()]
    assert not [p for p in everything if b"s3cret99" in p.read_bytes()]


def test_a_second_run_logs_what_is_new_and_nothing_again(logged):
    folder, rows = logged
    run = log_trials.read_run_status(str(folder))
    assert list(log_trials._new(run, set(rows.index))) == []
    (one,) = log_trials._new(run, set(rows.index[1:]))
    assert one.key == rows.index[0] and {k: one.labels[k] for k in LABELS} == dict(rows.loc[one.key, [*LABELS]])
    assert all(math.isfinite(value) for value in one.measured.values())


@pytest.mark.parametrize(
    "asked, match",
    [
        ("tensorbord", "--log tensorbord: no such logger. Did you mean 'tensorboard'"),
        ("", "--log is empty"),
        ("gone", "no such logger.* Loggers: tensorboard, mlflow, wandb"),
    ],
)
def test_a_wrong_word_is_told_before_anything_starts(asked, match):
    with pytest.raises(UsageProblem, match=match):
        Loggers(asked, "/somewhere")


def test_a_package_that_is_not_there_and_a_storage_that_is_no_folder_are_told_together(monkeypatch):
    monkeypatch.setattr(loggers, "why_not_installed", lambda name: "which is not installed" if name == "mlflow" else "")
    with pytest.raises(UsageProblem) as caught:
        Loggers("mlflow,tensorboard", "s3://bucket")
    assert len(caught.value.sentences) == 2
    assert "pip install 'synaug-ray[mlflow]'" in str(caught.value) and "s3://bucket is not a local folder" in str(
        caught.value
    )


BROKEN = {
    "raises": (
        "import os\nraise ConnectionError(f'no tracker at https://me:pa55word@host, ' + os.environ['A_TOKEN'])",
        "ConnectionError: no tracker at https://***@host, ***",
    ),
    "hangs": ("import time\nwhile True:\n    time.sleep(1)", "it did not end in time and was stopped"),
    "dies": ("import os\nos._exit(3)", "it exited with code 3"),
}


@pytest.mark.integration
@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_logger_is_a_sentence(how, finished, tmp_path, monkeypatch):
    """For real: the logger's own process imports a package that does this."""
    code, said = BROKEN[how]
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "__init__.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setenv("A_TOKEN", "t0ken-t0ken")
    monkeypatch.setattr(loggers, "why_not_installed", lambda name: "")
    beside = Loggers("mlflow", str(tmp_path))
    beside.start(str(finished[0]))
    (sentence,) = beside.stop(3.0 if how == "hangs" else 600.0)
    assert sentence.startswith(f"--log mlflow: {said}. The run itself")
    assert sentence.endswith(f"python -m synaug_ray.runs.log_trials {finished[0]} mlflow")


@pytest.mark.integration
def test_a_run_ends_well_and_in_time_whatever_its_loggers_do(tmp_path, monkeypatch, capsys):
    (tmp_path / "hanging_logger.py").write_text("import time\nwhile True:\n    time.sleep(1)\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setattr(loggers, "MODULE", "hanging_logger")
    monkeypatch.setattr(loggers, "LAST_SECONDS", 1.0)
    waited = []
    stop = Loggers.stop

    def timed(self, seconds=None):
        begun = time.monotonic()
        said = stop(self, seconds)
        waited.append(time.monotonic() - begun)
        return said

    monkeypatch.setattr(Loggers, "stop", timed)
    assert grid.main([GRID, "--storage", str(tmp_path), "--local", "--log", "tensorboard"]) == 0
    warned = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(warned) == 1 and "--log tensorboard: it did not end in time and was stopped" in warned[0]
    assert 1.0 <= waited[0] < 30


def test_nothing_is_started_without_being_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(loggers.subprocess, "Popen", None)
    Loggers(None, str(tmp_path)).start(str(tmp_path))
