"""Protocols in two stages against their control: planted gains of stages and of synthetic images."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers.simulate import Grid, nothing, power, simulate
from helpers.synthetic_analysis import make_study, make_verdict

from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.cells.paired_cells import pair_cells
from synaug_ray.analysis.power import Noise
from synaug_ray.analysis.power_noise import noise_of
from synaug_ray.analysis.questions.by_class import by_class
from synaug_ray.analysis.questions.controls import controls
from synaug_ray.analysis.questions.staged import staged_cells, warnings, with_staged
from synaug_ray.analysis.results import Outcome, Study
from synaug_ray.analysis.trials import judged

ASSUMED = Noise(error=0.15, discordance=0.1, image=0.05, draw=0.35, spread=0.05)
GRID = Grid(power(), {("edm", "proportional"): nothing}, sizes=(40, 80), multiples=(4,), draws=3, images=500)
TABLES = simulate(GRID, seed=3)


def planted(stages, images, family="edm", options="a", control_options="a"):
    """Tables with a bridged trial for each mixed one, and controls; all are real-only ones that are changed.

    Args:
        stages: share of the test images by which two stages lower the error.
        images: the same for synthetic images in them, besides.
    """
    measurements, predictions = TABLES
    measurements = measurements.assign(stage_one="", stages_key="", leep=np.nan)
    by_key = predictions.set_index("key")
    real = {}
    rows, told = [], []
    for row in measurements[measurements["num_synthetic"] == 0].to_dict("records"):
        real[row["num_real"], row["draw"], row["seed"]] = row["key"]
    at_hand = measurements.drop_duplicates(["num_real", "num_synthetic", "draw", "seed"])
    for row in at_hand.to_dict("records"):
        base = by_key.loc[real[row["num_real"], row["draw"], row["seed"]]]
        label, predicted = base["label"], base["predicted"].copy()
        synthetic = row["num_synthetic"] > 0
        gain = stages + (images if synthetic else 0.0)
        change = np.flatnonzero((predicted != label) == (gain > 0))[: round(abs(gain) * len(label))]
        predicted[change] = label[change] if gain > 0 else (label[change] + 1) % 10
        new = {
            "key": f"staged-{row['key']}",
            "protocol": "bridged" if synthetic else "real-then-real",
            "real_share": "none",
            "stage_one": "synthetic" if synthetic else "real",
            "stages_key": options if synthetic else control_options,
            "leep": -0.5 - row["seed"] if synthetic else np.nan,
            "test_error": float((predicted != label).mean()),
        }
        kind = {"generator": family, "family": family} if synthetic else {}
        rows.append(row | new | kind)
        told.append({"key": new["key"], "label": label, "predicted": predicted})
    return (
        pd.concat([measurements, pd.DataFrame(rows)], ignore_index=True),
        pd.concat([predictions, pd.DataFrame(told)], ignore_index=True),
    )


def without_controls(tables):
    measurements, predictions = tables
    kept = measurements[measurements["stage_one"] != "real"].reset_index(drop=True)
    return kept, predictions[predictions["key"].isin(kept["key"])].reset_index(drop=True)


@pytest.mark.parametrize("stages,images", [(0.04, 0.0), (0.0, 0.03), (0.05, -0.02)])
def test_planted_gains_of_stages_and_of_images_are_told_apart(stages, images):
    tables = planted(stages, images)
    found = staged_cells(*tables, pair_cells(*tables), confidence=0.9)
    assert [(c.num_real, c.num_synthetic) for c in found] == [(40, 0), (80, 0), (40, 160), (80, 320)]
    for cell in found[:2]:
        assert (cell.protocol, cell.generator, cell.control) == ("real-then-real", "none", "")
        assert cell.gain.value == pytest.approx(stages, abs=1e-6) and cell.over_control is None and cell.leep is None
    for cell in found[2:]:
        assert cell.gain.value == pytest.approx(stages + images, abs=1e-6) and cell.control == "real-then-real"
        assert cell.over_control.value == pytest.approx(images, abs=1e-6)
        assert cell.over_control.low < images < cell.over_control.high or not images
        assert cell.leep == pytest.approx(-1.0)  # the mean of -0.5 and -1.5


def test_a_control_is_no_real_only_trial():
    """It has no synthetic images either, and yet nothing else of an analysis depends on it."""
    tables = planted(0.06, 0.0)
    with_them, without = (pair_cells(*t) for t in (tables, without_controls(tables)))
    for mine, theirs in zip((*with_them.real, *with_them.mixed), (*without.real, *without.mixed), strict=True):
        assert mine.trials == theirs.trials and np.array_equal(mine.errors, theirs.errors)
    assert (with_them.draws, with_them.seeds, with_them.warnings) == (without.draws, without.seeds, without.warnings)
    pd.testing.assert_frame_equal(by_class(*tables), by_class(*without_controls(tables)))
    assert noise_of(*tables, ASSUMED) == noise_of(*without_controls(tables), ASSUMED)
    assert set(judged(tables[0])["protocol"]) == {"real-only", "mixed", "bridged"}


def bridged_verdicts(tables):
    """Verdicts of bridged training at each size, all of them that it helps, completed by the gain over its control."""
    study = replace(make_study("edm", "none", 0.2, 0.0), protocol="bridged")
    helps = [replace(make_verdict(study, 50), num_real=n, best_multiple=4.0, outcome=Outcome.HELPS) for n in (40, 80)]
    return with_staged(helps, staged_cells(*tables, pair_cells(*tables), confidence=0.9))


def test_verdicts_of_bridged_training_say_what_it_gains_over_its_control():
    doubtful = bridged_verdicts(planted(0.06, 0.0))
    for v in doubtful:
        assert v.over_control.value == pytest.approx(0, abs=1e-6)
        assert "same two stages on real images alone (real-then-real) the gain is +0.0 points" in v.sentence
        assert v.sentence.endswith("it is not shown that the synthetic images bring it, and not the two stages.")
    (warning,) = warnings(doubtful)
    assert warning.startswith("edm with mlp (bridged) helps at 40, 80 real images, but is not shown to gain more")
    shown = bridged_verdicts(planted(0.0, 0.06))
    assert all("the gain is +6.0 points (" in v.sentence and "not shown" not in v.sentence for v in shown)
    assert warnings(shown) == []


def test_a_whole_analysis_says_so():
    found = analyse(*planted(0.06, 0.0), replicates=0)
    assert len(found.staged) == 4 and len(found.real[0].points) == 2
    told = [v for v in found.verdicts if v.protocol == "bridged"]
    assert len(told) == 2 and all(v.over_control.value == pytest.approx(0, abs=1e-6) for v in told)


def test_other_options_have_other_controls():
    tables = planted(0.06, 0.0, options="a", control_options="b")
    found = staged_cells(*tables, pair_cells(*tables), confidence=0.9)
    assert {(c.control, c.over_control) for c in found} == {("", None)}


@pytest.mark.parametrize(
    "family,images,passed", [("duplicate", 0.0, True), ("duplicate", 0.05, False), ("label-shuffle", 0.05, None)]
)
def test_known_answers_in_two_stages(family, images, passed):
    """Copies must do what the real images do; wrong labels need not hurt, because of the new head."""
    tables = planted(0.06, images, family=family)
    bridged = Study("mlp", family, "bridged", "none", cells=(), fits=(), chosen=None, exchange=(), family=family)
    bridged = replace(bridged, cells=("any",))
    found = SimpleNamespace(
        studies=(bridged,),
        staged=staged_cells(*tables, pair_cells(*tables), confidence=0.9),
        verdicts=(),
        scaling=(),
        delta=0.01,
        relative_delta=None,
    )
    assert [entry["passed"] for entry in controls(found)] == ([] if passed is None else [passed])


def test_older_tables_have_no_stages():
    assert staged_cells(*TABLES, pair_cells(*TABLES), confidence=0.9) == ()
