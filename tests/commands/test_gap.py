"""The gap of generators whose fault is planted, on real digits, from the command to the tables and the page."""

import json

import pandas as pd
import pytest

from synaug_ray import grid

PLANTED = {
    "noisy": ("appearance", "{preset: jitter, name: noisy, noise: 1, of: held-out}"),
    "duplicate": ("content", "duplicate"),
    "mislabelled": ("label", "{preset: label-shuffle, name: mislabelled, share: 0.5}"),
}


@pytest.mark.slow
def test_a_planted_fault_is_the_part_that_costs_and_the_others_cost_nothing(tmp_path):
    arms = f"[real-holdout, {', '.join(how for _, how in PLANTED.values())}]"
    words = [
        f"generators={arms}",
        f"blocks=[{{generators: {arms}, filters: [relabelled]}}]",
        "num_real=[60]",
        "draws=8",
    ]
    words += [
        "classifiers=[{preset: mlp, name: short, nimg: 32000}]",
        "quality_draws=0",
        "training_check=off",
        "replicates=200",
    ]
    assert grid.main(["gap", *words, "--storage", str(tmp_path), "--local"]) == 0
    table = pd.read_csv(tmp_path / "gap" / "gap.csv")
    print(table[["generator", "part", "change", "low_simultaneous", "high_simultaneous", "outcome"]].to_string())
    assert set(table["generator"]) == PLANTED.keys()
    for (generator, part), rows in table.groupby(["generator", "part"]):
        planted = part in (PLANTED[generator][0], "whole")
        assert set(rows["outcome"]) == {"costs"} if planted else "costs" not in set(rows["outcome"]), (generator, part)
        assert planted or rows["change"].abs().max() < 0.02
    parts = table[~table["part"].isin(["whole", "judges' own mistakes"])].groupby("generator")["change"].sum()
    assert parts.to_numpy() == pytest.approx(
        table[table["part"] == "whole"].set_index("generator")["change"][parts.index]
    )
    verdict = json.loads((tmp_path / "gap" / "verdict.json").read_text())
    assert [gap["generator"] for gap in verdict["gaps"]] == list(PLANTED)
    assert "Why are synthetic images worse" in (tmp_path / "gap" / "report.html").read_text()
