"""A run with a budget adds draws by itself, says why it ends, and goes on where it was killed."""

import os
import shutil

import pandas as pd
import pytest
from helpers.paths import SMALL_GRID

from synaug_ray import grid
from synaug_ray.common.errors import DONE, INTERRUPTED, USAGE
from synaug_ray.runs import rounds

GRID = str(SMALL_GRID)


def draws(storage):
    return set(pd.read_parquet(storage / "small" / "measurements.parquet").query("status == 'done'")["draw"])


@pytest.mark.integration
def test_draws_are_added_and_a_kill_between_rounds_changes_nothing(small_run, tmp_path, monkeypatch, capsys):
    storage = tmp_path / "s"
    shutil.copytree(small_run, storage, copy_function=os.link)
    words = [GRID, "--storage", str(storage), "--local", "--no-timing", "--budget", "1h"]
    real = rounds.decide

    def killed(*args):
        real(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(rounds, "decide", killed)
    assert grid.main(words) == INTERRUPTED and draws(storage) == {0, 1}
    monkeypatch.setattr(rounds, "decide", real)
    capsys.readouterr()
    assert grid.main(words) == DONE
    said, found = capsys.readouterr().out, draws(storage)
    assert len(found) >= 6 and f"are spent on {len(found)} draws; " in said
    decided = (storage / "small" / rounds.DECISIONS).read_text().splitlines()
    assert '"next_draws": 6' in decided[0] and '"next_draws": null' in decided[-1]
    assert grid.main(words) == DONE and "nothing to do" in capsys.readouterr().out and draws(storage) == found
    assert (storage / "small" / rounds.DECISIONS).read_text().splitlines() == decided


def test_a_budget_that_the_first_round_exceeds_is_refused(small_run, tmp_path, capsys):
    storage = tmp_path / "s"
    shutil.copytree(small_run, storage, copy_function=os.link)
    words = [GRID, "draws=500", "--storage", str(storage), "--dry-run", "--no-timing", "--budget", "1s"]
    assert grid.main(words) == USAGE
    said = capsys.readouterr().err
    assert "budget: 1s are too few: what is missing of 500 draws takes " in said and "raise the budget, or " in said
