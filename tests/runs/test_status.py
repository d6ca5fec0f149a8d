"""``status`` reads a run's folder and Store: counts, failures, what waits for what; and tells a wrong word."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from helpers.grids import small_grid

from synaug_ray.config.spec import write_grid
from synaug_ray.plan.plan import make_plan
from synaug_ray.runs.status import overview, read_run_status
from synaug_ray.status import main
from synaug_ray.store.store import Store

RESULT = {"nimg": 10, "seconds": 1.0, "cpu_seconds": 1.0}


@pytest.fixture
def run(digits_identity, tmp_path):
    """A folder and a Store with nothing done; returns the folder, the plan and the Store."""
    spec = small_grid(draws=1, seeds=2, quality_draws=1)
    plan = make_plan(spec, digits_identity)
    folder = tmp_path / "grid"
    folder.mkdir()
    (folder / "grid.yaml").write_text(write_grid(spec))
    said = {
        "state": "running",
        "updated": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": 2,
        "fingerprint": digits_identity.fingerprint,
    }
    (folder / "status.json").write_text(json.dumps(said))
    return folder, plan, Store(str(tmp_path / "store"))


def commit(store, *steps):
    for step in steps:
        store.commit(step, RESULT, {}, {"host": "here"})


def test_counts_rate_and_what_is_left(run, capsys):
    folder, plan, store = run
    commit(store, *plan.generators.values())
    assert main([str(folder)]) == 0
    out = capsys.readouterr().out
    assert "run        grid: running, last update" in out and "may have died" not in out
    assert f"generators        3 of 3 done, 0 failed, 0 blocked by failures, {len(plan.generators)} in the last" in out
    assert f"trials            0 of {len(plan.trials)} done" in out and "left       about" in out


def test_a_driver_that_is_silent_is_said(run):
    later = datetime.now(UTC) + timedelta(hours=2)
    assert (
        "last update 2.0 h ago; the driver may have died: run the same command"
        in overview(read_run_status(str(run[0])), later)[0]
    )


def test_failures_and_what_they_block(run, capsys):
    folder, plan, store = run
    generator = next(g for g in plan.generators.values() if g.recipe.family == "edm")
    store.fail(generator, "diverged", "the loss is nan after 1,900 images", "Traceback ...\nDiverged")
    assert main([str(folder)]) == 0
    out = capsys.readouterr().out
    assert "generators        0 of 3 done, 1 failed" in out and "2 blocked by failures" in out  # its trials
    assert "failed     edm at 20 real images, draw 0: diverged, once: the loss is nan" in out
    trial = next(t for t in plan.trials.values() if t.pool and t.pool.generator.key == generator.key)
    assert main([str(folder), "--why", trial.key[:12]]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].endswith("(mixed), draw 0, seed 0: waits for 1 of its 1 inputs; the first:")
    assert told[1].startswith("  shard ") and told[2].startswith("    generator ")
    assert "failed once" in told[2] and told[-2].strip() == "Diverged" and "retries it" in told[-1]


def test_why_of_what_is_done_and_of_what_is_next(run, capsys):
    folder, plan, store = run
    generator, *_ = plan.generators.values()
    commit(store, generator)
    main([str(folder), "--why", generator.key])
    assert "done" in (out := capsys.readouterr().out) and "on here" in out
    real = next(t for t in plan.trials.values() if not t.pool)
    main([str(folder), "--why", real.key])
    assert "ready, queued" in capsys.readouterr().out


def test_all_done_is_said(run):
    folder, plan, store = run
    commit(store, *plan.generators.values(), *plan.shards.values(), *plan.qualities.values(), *plan.trials.values())
    assert overview(read_run_status(str(folder)))[-1] == "left       nothing"


def test_code_or_torch_that_changed_under_a_run_is_said(run, capsys):
    """Once each, and not where a job without a commit and a checkout with one ran the same code."""
    folder, plan, store = run
    steps = list(plan.generators.values())
    store.commit(steps[0], RESULT, {}, {"code": "aaaa", "commit": None, "torch": "2.14"})
    store.commit(steps[1], RESULT, {}, {"code": "aaaa", "commit": "c0ffee", "torch": "2.14"})
    assert "mixed" not in "\n".join(overview(read_run_status(str(folder))))
    store.commit(steps[2], RESULT, {}, {"code": "bbbb", "commit": "c0ffee+", "torch": "2.15"})
    code, torch = [line for line in overview(read_run_status(str(folder))) if line.startswith("mixed")]
    assert "by 2 versions of the code: aaaa (2), bbbb (1)" in code and "2 versions of torch: 2.14 (2), 2.15" in torch
    main([str(folder), "--why", steps[2].key])
    assert "by code bbbb (commit c0ffee+), torch 2.15" in capsys.readouterr().out


def test_a_hostile_grid_file_in_a_run_folder_blows_nothing_up(run, capsys):
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (run[0] / "grid.yaml").write_text("\n".join(levels))
    assert main([str(run[0])]) == 5
    assert "anchors and aliases are not allowed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words,code,said",
    [
        (["{}/nowhere"], 2, "no run at"),
        (["{}/grid", "--why", "abc"], 2, "0 steps of this run have a key that begins with it; give"),
        (["{}/grid", "--why", ""], 2, "begins with it"),
        (["{}/store"], 2, "no run at"),
    ],
)
def test_a_wrong_word_is_a_sentence(run, capsys, words, code, said):
    assert main([w.format(run[0].parent) for w in words]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("file,content", [("status.json", "{"), ("status.json", "{}"), ("grid.yaml", "a: [")])
def test_what_is_damaged_is_said(run, capsys, file, content):
    (run[0] / file).write_text(content)
    assert main([str(run[0])]) == 5
    assert "damaged or of an older version" in capsys.readouterr().err
