"""Protocol joint against its controls: planted gains, and nothing of it in laws and verdicts."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from helpers.simulate import Grid, nothing, power, simulate

from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.cells.paired_cells import pair_cells
from synaug_ray.analysis.questions.by_class import by_class
from synaug_ray.analysis.questions.joint import joint_cells, joint_sentences
from synaug_ray.laws.results import Estimate

GRID = Grid(power(), {("edm", "proportional"): nothing}, sizes=(40, 80), multiples=(4,), draws=4, images=500)
TABLES = simulate(GRID, seed=3)


def planted(over_alone=0.04, over_unselected=0.02, alone=-0.03, without=()):
    """Tables with heads at both sizes: real-only trials of the first seed whose answers are changed.

    Args:
        over_alone: share of the test images by which the head with selected images is better than the one alone.
        over_unselected: the same beside the one with all images.
        alone: the same of the head alone beside the real-only classifier.
        without: arms that are left out.
    """
    measurements, predictions = TABLES
    by_key = predictions.set_index("key")
    rows, told = [], []
    gains = {"selected": alone + over_alone, "unselected": alone + over_alone - over_unselected, "alone": alone}
    for row in measurements[(measurements["num_synthetic"] == 0) & (measurements["seed"] == 0)].to_dict("records"):
        label, base = by_key.loc[row["key"], "label"], by_key.loc[row["key"], "predicted"]
        for arm, gain in gains.items():
            predicted = base.copy()
            change = np.flatnonzero((predicted != label) == (gain > 0))[: round(abs(gain) * len(label))]
            predicted[change] = label[change] if gain > 0 else (label[change] + 1) % 10
            new = {
                "key": f"{arm}-{row['key']}",
                "protocol": "joint",
                "classifier": "discriminator",
                "generator": "vit" if arm == "selected" else f"vit-{arm}",
                "num_synthetic": 0 if arm == "alone" else 640,
                "joint_arm": arm,
                "joint_key": "k",
                "nimg": 640,
                "fakes_selected": np.nan if arm == "alone" else 0.1 + row["draw"] / 10,
                "weight_real": 2.0,
                "weight_fakes": np.nan if arm == "alone" else 3.0,
                "test_error": float((predicted != label).mean()),
            }
            if arm not in without:
                rows.append(row | new)
                told.append({"key": new["key"], "label": label, "predicted": predicted})
    return (
        pd.concat([measurements.assign(joint_arm="", joint_key=""), pd.DataFrame(rows)], ignore_index=True),
        pd.concat([predictions, pd.DataFrame(told)], ignore_index=True),
    )


def found_in(tables, **options):
    return joint_cells(*tables, pair_cells(*tables), confidence=0.9, **options)


def test_planted_gains_over_the_controls_and_over_the_classifier_are_found():
    found = found_in(planted())
    assert [(c.arm, c.num_real) for c in found] == [
        (arm, n) for arm in ("selected", "unselected", "alone") for n in (40, 80)
    ]
    for cell in found[:2]:
        assert cell.over_alone.value == pytest.approx(0.04, abs=1e-6)
        assert cell.over_unselected.value == pytest.approx(0.02, abs=1e-6)
        assert cell.over_alone.low < 0.04 < cell.over_alone.high
        assert (cell.draws, cell.nimg, cell.weight_real, cell.weight_fakes) == (4, 640, 2.0, 3.0)
        assert cell.fakes_selected == pytest.approx(0.25)  # the mean of four draws
        (other,) = cell.classifiers
        assert other.error - cell.error == pytest.approx(other.gain.value, abs=1e-6)
    for cell in found[2:4]:
        assert cell.over_alone.value == pytest.approx(0.02, abs=1e-6) and cell.over_unselected is None
    for cell in found[4:]:
        assert cell.over_alone is None is cell.over_unselected and cell.fakes_selected is None


@pytest.mark.parametrize(
    "over,said", [(0.05, "the joint training helps"), (-0.05, "the joint training hurts"), (0.0, "no effect")]
)
def test_what_is_said_is_what_was_planted(over, said):
    told = joint_sentences(found_in(planted(over_alone=over)), 0.01)
    assert len(told) == 2 and all(said in sentence for sentence in told)
    assert all("over the same network trained alone" in s and "on the same real images" in s for s in told)


def test_an_interval_that_is_wider_than_the_margin_is_undecided():
    (cell, *_) = found_in(planted())
    wide = dataclasses.replace(cell, over_alone=Estimate(0.01, -0.02, 0.04))
    assert "undecided" in joint_sentences([wide], 0.01)[0]
    assert "without an interval" in joint_sentences(found_in(planted(), intervals=False), 0.01)[0]


def test_without_its_control_a_head_has_no_gain():
    found = found_in(planted(without=("alone",)))
    assert all(c.over_alone is None and c.arm != "alone" for c in found) and joint_sentences(found, 0.01) == ()
    assert joint_cells(*TABLES, pair_cells(*TABLES), confidence=0.9) == ()


def test_where_nothing_is_mixed_it_is_the_headline():
    measurements, predictions = planted()
    kept = measurements[measurements["protocol"].isin(["real-only", "joint"])].reset_index(drop=True)
    found = analyse(kept, predictions[predictions["key"].isin(kept["key"])].reset_index(drop=True), replicates=0)
    assert not found.verdicts and found.headline == " ".join(found.joint_words) != ""


def test_nothing_else_of_an_analysis_depends_on_it():
    tables = planted()
    with_them, without = (analyse(*t, replicates=50) for t in (tables, TABLES))
    assert with_them.joint and with_them.joint_words and not without.joint
    kept = dataclasses.replace(with_them, joint=(), joint_words=())
    assert kept.laws_json() == without.laws_json() and kept.verdict_json() == without.verdict_json()
    pd.testing.assert_frame_equal(by_class(*tables), by_class(*TABLES))
