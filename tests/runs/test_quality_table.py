"""What looking at pools found, as tables: one row a pool, means over draws for the page, warnings where they belong."""

import json

import pandas as pd
import pytest
from helpers.grids import small_grid

from synaug_ray.plan.plan import make_plan
from synaug_ray.runs.quality_table import COLUMNS, for_the_page, qualities
from synaug_ray.store.store import Store


def look(words=("ok",), copies=0.01):
    return {
        "num_pool": 40,
        "flags": [{"word": w, "sentence": f"It is {w}."} for w in words],
        "memorization": {"near_copies": {"value": copies}, "base_rate": {"value": 0.01}},
        "labels": None,
        "fidelity": {name: None for name in ("precision", "recall", "density", "coverage", "frechet", "kernel")},
        "domain": None,
        "overlap": None,
    }


@pytest.fixture
def made(digits_identity, tmp_path):
    edm = {"preset": "edm-tiny", "name": "edm"}
    plan = make_plan(
        small_grid(generators=[edm, "jitter"], num_real=[40], draws=2, blocks=[], quality_draws=2), digits_identity
    )
    store = Store(str(tmp_path))
    for step in (*plan.generators.values(), *plan.shards.values()):
        store.commit(step, {}, {}, {})
    return plan, store


def commit(store, step, found):
    store.commit(step, {"seconds": 2.0, "cpu_seconds": 1.0}, {"quality.json": json.dumps(found).encode()}, {})


def test_nothing_looked_at_is_an_empty_table(made):
    table = qualities(*made)
    assert list(table.columns) == list(COLUMNS) and len(table) == 0
    assert for_the_page(table)["rows"] == [] and for_the_page(table)["warnings"] == []


def test_a_fault_in_one_draw_is_told_with_its_draw_and_a_references_is_not(made):
    plan, store = made
    for step in plan.qualities.values():
        bad = step.pool.generator.subset.draw == 1
        commit(store, step, look(("copies", "collapsed"), 0.5) if bad else look())
    table = qualities(plan, store)
    assert table[["generator", "draw"]].values.tolist() == [["edm", 0], ["jitter", 0], ["edm", 1], ["jitter", 1]]
    page = for_the_page(table)
    edm = dict(zip(page["columns"], page["rows"][0], strict=True))
    assert edm["found"] == "ok in 1 of 2 draws, copies in 1 of 2 draws, collapsed in 1 of 2 draws"
    assert edm["near-copies"] == "25.5%" and edm["coverage"] is None
    assert page["warnings"] == ["edm at 40 real images (1 of 2 draws; this is draw 1): It is copies. It is collapsed."]


def test_a_damaged_look_is_left_out_and_made_again(made):
    plan, store = made
    step = next(iter(plan.qualities.values()))
    commit(store, step, look())
    record = store.record("quality", step.key)
    (file,) = [p for p in store.fs.find(store.root) if p.endswith("quality.json")]
    with store.fs.open(file, "wb") as f:
        f.write(b"{")
    assert len(qualities(plan, store)) == 0 and step.key not in store.keys("quality")
    assert isinstance(qualities(plan, store), pd.DataFrame) and record.key == step.key
