"""Tables: one tidy row a trial, with its status in a word; and CSV that a spreadsheet does not run."""

import io
import math

import numpy as np
import pandas as pd
import pytest
from helpers.grids import small_grid
from safetensors.numpy import save

from synaug_ray.plan.plan import make_plan
from synaug_ray.runs.tables import COLUMNS, COSTS, MEASURED, csv_text, measurements, predictions, share_name
from synaug_ray.store.store import Store

RESULT = {
    "test_error": 0.25,
    "balanced_error": 0.3,
    "test_nll": 0.7,
    "val_error": 0.2,
    "nimg": 3_200,
    "seconds": 1.5,
    "cpu_seconds": 1.0,
}
ARRAYS = {
    "label": np.array([0, 1], np.int64),
    "predicted": np.array([0, 0], np.int64),
    "probability": np.array([0.9, 0.4], np.float32),
}


@pytest.fixture
def made(small, tmp_path):
    spec, plan = small
    return spec, plan, Store(str(tmp_path / "store"))


def commit_trial(store, trial):
    """With everything it stands on."""
    cost = {"seconds": 3.0, "cpu_seconds": 2.0, "nimg": 32}
    for shard in trial.parents():
        store.commit(shard.generator, cost, {}, {})
        store.commit(shard, cost, {}, {})
    return store.commit(trial, RESULT, {"predictions.safetensors": save(ARRAYS)}, {})


def find(plan, **wanted):
    (row,) = [
        r
        for r in plan.rows
        if all(getattr(r.cell, k) == v for k, v in wanted.items() if k != "generator")
        and (r.cell.generator.name if r.cell.generator else "none") == wanted.get("generator", "none")
    ]
    return row


def test_the_columns_that_are_promised(made):
    spec, plan, store = made
    table = measurements(spec, plan, store)
    promised = [
        "key",
        "status",
        "dataset",
        "num_real",
        "num_synthetic",
        "synthetic_multiple",
        "draw",
        "seed",
        "generator",
        "classifier",
        "protocol",
        "real_share",
        "test_error",
        "balanced_error",
        "test_nll",
        "val_error",
        "nimg",
        "seconds",
    ]
    assert set(promised) <= set(table.columns) and list(table.columns) == list(COLUMNS)
    assert len(table) == len(plan.rows) == 9
    assert set(table["status"]) == {"missing"} and table[list(MEASURED)].isna().all().all()


def test_a_done_trial_and_its_labels(made):
    spec, plan, store = made
    row = find(plan, num_real=20, num_synthetic=20, generator="edm", draw=0)
    record = commit_trial(store, row.trial)
    table = measurements(spec, plan, store).set_index("key")
    got = table.loc[row.trial.key]
    assert got["status"] == "done" and {n: got[n] for n in MEASURED} == RESULT
    assert (got["dataset"], got["num_real"], got["num_synthetic"], got["synthetic_multiple"]) == ("digits", 20, 20, 1.0)
    assert (got["generator"], got["trained_on"], got["classifier"], got["protocol"], got["real_share"]) == (
        "edm",
        20,
        "mlp",
        "mixed",
        "proportional",
    )
    assert got["generator_key"] == row.trial.pool.generator.key and got["finished"] == record.finished
    assert (table["status"] == "done").sum() == 1
    real = table.loc[find(plan, num_real=20, draw=0, num_synthetic=0).trial.key]
    assert (real["generator"], real["trained_on"], real["generator_key"], real["real_share"]) == ("none", 0, "", "none")


def test_an_image_costs_its_share_of_its_shard_however_few_are_used(made):
    """20 images are used of a shard of 256 that took 3 s."""
    spec, plan, store = made
    trial = find(plan, num_real=20, num_synthetic=20, generator="edm", draw=0).trial
    store.commit(trial.pool.generator, {"cpu_seconds": 40.0, "nimg": 16_000}, {}, {})
    for shard in trial.parents():
        store.commit(shard, {"cpu_seconds": 3.0, "nimg": 256}, {}, {})
    store.commit(trial, RESULT, {"predictions.safetensors": save(ARRAYS)}, {})
    got = measurements(spec, plan, store).set_index("key").loc[trial.key]
    assert got[list(COSTS)].tolist() == [40 + 3 * len(trial.parents()), 40, 3 / 256]


def test_an_image_that_a_filter_keeps_costs_what_was_dropped_for_it(digits_identity, tmp_path):
    spec = small_grid(filters=["confident"])
    plan, store = make_plan(spec, digits_identity), Store(str(tmp_path / "store"))
    trial = next(t for t in plan.trials.values() if t.filter is not None)
    for shard in trial.parents():
        store.commit(shard.generator, {"cpu_seconds": 40.0, "nimg": 16_000}, {}, {})
        store.commit(shard, {"cpu_seconds": 3.0, "nimg": 256}, {}, {})
    store.commit(trial, RESULT, {"predictions.safetensors": save(ARRAYS)}, {})
    got = measurements(spec, plan, store).set_index("key").loc[trial.key]
    assert trial.num_raw == 1.25 * trial.num_synthetic
    assert got["image_cost_seconds"] == pytest.approx(1.25 * 3 / 256)


def test_status_words(made):
    spec, plan, store = made
    edm = find(plan, num_real=20, num_synthetic=20, generator="edm", draw=0)
    duplicate = find(plan, num_real=20, num_synthetic=20, generator="duplicate", draw=0)
    bad = find(plan, num_real=20, num_synthetic=0, draw=1)
    store.fail(edm.trial.pool.generator, "diverged", "", "")
    store.fail(duplicate.trial.parents()[0], "bug", "", "")
    store.fail(bad.trial, "bug", "", "")
    status = measurements(spec, plan, store).set_index("key")["status"]
    words = {edm.trial.key: "blocked", duplicate.trial.key: "blocked", bad.trial.key: "failed"}
    assert {k: status[k] for k in words} == words
    assert set(status.drop(list(words))) == {"missing"}
    commit_trial(store, bad.trial)
    assert measurements(spec, plan, store).set_index("key")["status"][bad.trial.key] == "done"


def test_names_of_shares_have_the_weight_if_there_is_one():
    assert share_name("mixed", 0.75, 0.9) == "0.75@0.9" and share_name("mixed", None, 0.9) == "proportional@0.9"
    assert share_name("synthetic-only", None, None) == "none"


@pytest.mark.parametrize(
    "protocol,share,name",
    [
        ("mixed", None, "proportional"),
        ("mixed", 0.5, "0.5"),
        ("mixed", 0.75, "0.75"),
        ("real-only", None, "none"),
        ("pretrain", None, "none"),
        ("synthetic-only", None, "none"),
    ],
)
def test_names_of_shares(protocol, share, name):
    assert share_name(protocol, share) == name


def test_a_trial_with_two_names_has_two_rows(digits_identity, tmp_path):
    from helpers.grids import small_grid

    edm = {"preset": "edm-tiny", "name": "closed"}
    spec = small_grid(num_real=[20], draws=1, generators=[edm, edm | {"name": "open", "trained_on": 20}], blocks=[])
    plan = make_plan(spec, digits_identity)
    table = measurements(spec, plan, Store(str(tmp_path)))
    twice = table[table["key"].duplicated(keep=False)]
    assert sorted(twice["generator"]) == ["closed", "open"]


def test_ways_of_sampling_are_other_recipes_and_lengths_in_one_way_are_not(digits_identity, tmp_path):
    way = {"preset": "edm-tiny", "budgets": [1, 2], "samplers": [{}, {"guidance": 3}, {"steps": 4}]}
    spec = small_grid(generators=[way], blocks=[])
    table = measurements(spec, make_plan(spec, digits_identity), Store(str(tmp_path / "store")))
    recipes = table[table["num_synthetic"] > 0].groupby("generator")[["recipe_key", "whole_recipe_key"]].first()
    assert len(recipes) == 6 and recipes["recipe_key"].nunique() == 3 and recipes["whole_recipe_key"].nunique() == 6
    for name in ("", "-guidance-3", "-steps-4"):
        lengths = recipes["recipe_key"][[f"edm-tiny{name}", f"edm-tiny-x2{name}"]]
        assert lengths.nunique() == 1


def test_predictions_of_done_trials_and_of_no_others(made):
    _, plan, store = made
    assert predictions(plan, store).empty
    row = find(plan, num_real=40, num_synthetic=0, draw=0)
    commit_trial(store, row.trial)
    (got,) = predictions(plan, store).itertuples(index=False)
    assert got.key == row.trial.key
    assert all((getattr(got, n) == ARRAYS[n]).all() for n in ARRAYS)


def test_a_corrupt_prediction_is_left_out_and_its_trial_counts_as_missing(made):
    spec, plan, store = made
    good, bad = (find(plan, num_real=n, num_synthetic=0, draw=0).trial for n in (20, 40))
    commit_trial(store, good)
    record = commit_trial(store, bad)
    with open(f"{store.root}/payload/trial/{bad.key}/{record.attempt}/predictions.safetensors", "ab") as file:
        file.write(b"x")
    assert predictions(plan, store)["key"].tolist() == [good.key]
    assert measurements(spec, plan, store).set_index("key")["status"][bad.key] == "missing"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx"])
def test_no_text_in_a_csv_starts_a_formula(cell):
    text = csv_text(pd.DataFrame({"dataset": [cell, "digits"], "test_error": [-0.5, math.nan]}))
    assert f"'{cell}," in text and f"\n{cell}" not in text
    again = pd.read_csv(io.StringIO(text.replace(cell, "cell")))
    assert again["dataset"].tolist() == ["'cell", "digits"]
    assert again["test_error"][0] == -0.5  # a number is no formula


def test_csv_leaves_the_table_alone():
    table = pd.DataFrame({"dataset": ["=x"]})
    csv_text(table)
    assert table["dataset"].tolist() == ["=x"]
