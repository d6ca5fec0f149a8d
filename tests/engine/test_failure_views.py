"""What a run's files, page and status say of failed and blocked steps."""

import json
import re

import pandas as pd
import pytest
import torch
from helpers.paths import SMALL_GRID

from synaug_ray import grid
from synaug_ray.generators import samplers as samplers_module
from synaug_ray.status import main as status

GRID = str(SMALL_GRID)


@pytest.mark.integration  # 8 s
def test_every_view_says_what_is_missing_and_why(tmp_path, monkeypatch, capsys):
    """A bug in one generator, one that diverges, one that makes one image: their trials are blocked."""
    from synaug_ray.generators import edm as module

    train, sample = module.train, module.EDMGenerator.sample

    def buggy(recipe, *args, **kwargs):
        if recipe.name == "buggy":
            raise KeyError("no such thing")
        generator, nimg = train(recipe, *args, **kwargs)
        if recipe.name == "constant":
            object.__setattr__(generator, "sigma_data", -1.0)
        return generator, nimg

    def constant(self, *args, **kwargs):
        if self.sigma_data == -1.0:
            with monkeypatch.context() as patch:
                patch.setitem(samplers_module.SAMPLERS, "dpmpp-2m", lambda denoise, x, sigmas: torch.zeros_like(x))
                patch.setitem(samplers_module.SAMPLERS, "dpmpp-3m", lambda denoise, x, sigmas: torch.zeros_like(x))
                return sample(self, *args, **kwargs)
        return sample(self, *args, **kwargs)

    monkeypatch.setattr(module, "train", buggy)
    monkeypatch.setattr(module.EDMGenerator, "sample", constant)
    base = "preset: edm-tiny, nimg: 640, warmup_nimg: 64, channels: [8, 16]"
    blocks = (
        f"blocks=[{{num_real: [20], generators: [{{{base}, name: buggy}}, "
        f"{{{base}, name: wild, learning_rate: 1e30}}, "
        f"{{{base}, name: constant, ema_half_life: 1000}}]}}]"
    )
    words = [GRID, "num_real=[20]", blocks, "--storage", str(tmp_path), "--local"]
    assert grid.main(words) == 4
    said = capsys.readouterr().err
    assert "6 of 10 trials" in said and all(word in said for word in ("2 bug", "2 diverged", "2 collapsed"))
    causes = {"bug": 2, "diverged": 2, "collapsed": 2}
    told = json.loads((tmp_path / "small" / "status.json").read_text())
    assert told["missing"] == {"trials": 6, "of": 10, "causes": causes} and told["state"] == "finished with failures"
    assert {(f["stage"], f["cause"]) for f in told["failures"]} == {
        ("generator", "bug"),
        ("generator", "diverged"),
        ("shard", "collapsed"),
    }
    assert told["steps"]["trial"]["blocked"] == 6 and told["steps"]["trial"]["done"] == 4
    rows = pd.read_parquet(tmp_path / "small" / "measurements.parquet")
    blocked = rows["generator"].isin(["buggy", "wild", "constant"])
    assert set(rows.loc[blocked, "status"]) == {"blocked"} and rows.loc[blocked, "test_error"].isna().all()
    assert set(rows.loc[~blocked, "status"]) == {"done"} and rows.loc[~blocked, "test_error"].notna().all()
    verdict = json.loads((tmp_path / "small" / "verdict.json").read_text())
    assert verdict["missing"]["causes"] == causes and "6 of 10 trials are missing: 2 bug" in verdict["warnings"][0]
    page = (tmp_path / "small" / "report.html").read_text()
    assert "6 of 10 trials are missing" in page
    assert re.search(r"6 blocked by a failure \(2 bug, 2 diverged, 2 collapsed\)", page)
    assert status([str(tmp_path / "small")]) == 0
    out = capsys.readouterr().out
    assert "missing    6 of 10 trials are missing: 2 bug, 2 diverged, 2 collapsed" in out
    assert "buggy at 20 real images, draw 0: bug, once: KeyError" in out
