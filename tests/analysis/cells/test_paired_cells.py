"""Pairing, weights, and tables that contradict themselves."""

import numpy as np
import pandas as pd
import pytest

from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.cells.paired_cells import pair_cells

LABELS = np.array([0, 0, 0, 1], dtype=np.uint16)


def row(key, n, s, draw, seed, wrong, status="done"):
    """One trial of a four-image test set and its predictions; ``wrong`` lists the images it misses."""
    mask = np.isin(np.arange(4), wrong)
    trial = {
        "key": key,
        "status": status,
        "num_real": n,
        "num_synthetic": s,
        "draw": draw,
        "seed": seed,
        "generator": "edm" if s else "none",
        "classifier": "mlp",
        "protocol": "mixed" if s else "real-only",
        "real_share": "0.5" if s else "none",
        "test_error": mask.mean(),
        "seconds": 1.0,
    }
    return trial, {"key": key, "label": LABELS, "predicted": np.where(mask, 1 - LABELS, LABELS)}


def tables(rows):
    trials, predictions = zip(*rows, strict=True)
    # Reversed, so that nothing can rest on the two tables having one order.
    return pd.DataFrame(trials), pd.DataFrame(predictions[::-1])


def test_a_generator_that_was_trained_elsewhere_has_seen_more():
    """Its verdicts are of the open-set kind, as are those of one that was trained on more than the subset."""
    rows = [row(f"r{s}{draw}", 10, s, draw, 0, [0]) for s in (0, 5) for draw in (0, 1)]
    frames = tables(rows)
    for family, trained_on, open_set in (("pretrained", 10, True), ("edm", 10, False), ("edm", 20, True)):
        trials = frames[0].assign(family=family, trained_on=trained_on)
        assert pair_cells(trials, frames[1]).kinds["edm"].open_set is open_set


def test_a_generator_is_open_set_in_the_cells_in_which_it_saw_more():
    """``trained_on: 20`` beside ``num_real: 10, 20, 40``: at 20 it saw the Subset, at 40 half of it."""
    rows = [row(f"r{n}{s}{draw}", n, s, draw, 0, [0]) for n in (10, 20, 40) for s in (0, n) for draw in (0, 1)]
    frames = tables(rows)
    kind = pair_cells(frames[0].assign(family="edm", trained_on=20), frames[1]).kinds["edm"]
    assert [kind.open_in(n) for n in (10, 20, 40)] == [True, False, False] and not kind.open_set
    analysis = analyse(frames[0].assign(family="edm", trained_on=20), frames[1], replicates=20)
    assert {v.num_real: v.open_set for v in analysis.verdicts} == {10: True, 20: False, 40: False}
    assert not any(study.open_set for study in analysis.studies)


def test_gains_are_paired_by_draw_and_seed():
    rows = [
        row("r00", 10, 0, 0, 0, [0, 1]),
        row("r01", 10, 0, 0, 1, []),
        row("r10", 10, 0, 1, 0, [2]),
        row("m00", 10, 10, 0, 0, [1]),
        row("m11", 10, 10, 1, 1, [0, 1, 2, 3]),
        row("m10", 10, 10, 1, 0, [2, 3]),
    ]
    cell = pair_cells(*tables(rows)).mixed[0]
    # Draw 0 pairs seed 0 alone; draw 1 has seed 1 only with synthetic images, which pairs with nothing.
    np.testing.assert_array_equal(cell.gains, [[1, 0, 0, 0], [0, 0, 0, -1]])
    assert cell.multiple == 1.0


def test_balanced_error_weights_classes_equally_and_is_chosen_where_they_are_unbalanced():
    rows = [row("r", 10, 0, 0, 0, [3])]
    cells = pair_cells(*tables(rows))
    assert cells.error == "balanced_error"
    assert float(cells.real[0].errors[0] @ cells.image_weights) == pytest.approx(0.5)
    plain = pair_cells(*tables(rows), balanced=False)
    assert plain.error == "test_error"
    assert float(plain.real[0].errors[0] @ plain.image_weights) == pytest.approx(0.25)


def test_unfinished_and_unpaired_trials_are_left_out_with_a_warning():
    rows = [
        row("r", 10, 0, 0, 0, [0]),
        row("m", 10, 10, 0, 0, []),
        row("x", 10, 20, 0, 0, [], status="failed"),
        row("y", 40, 40, 0, 0, []),
    ]
    cells = pair_cells(*tables(rows))
    assert [cell.num_synthetic for cell in cells.mixed] == [10]
    assert any("1 of 4 trials are not done" in warning for warning in cells.warnings)
    assert any("no real-only trial" in warning for warning in cells.warnings)


def broken(change):
    trials, predictions = tables([row("a", 10, 0, 0, 0, [0]), row("b", 10, 0, 1, 0, [1])])
    return change(trials, predictions)


def _other_labels(trials, predictions):
    predictions.at[0, "label"] = np.array([1, 0, 0, 0], dtype=np.uint16)
    return trials, predictions


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, p: (t.drop(columns="seed"), p), "no column seed"),
        (lambda t, p: (t.assign(key="a"), p), "repeat the key"),
        (lambda t, p: (t.assign(draw=0), p), "two done trials"),
        (lambda t, p: (t.assign(status="failed"), p), "nothing to analyse"),
        (lambda t, p: (t.assign(test_error=0.5), p), "wrong on 0.25"),
        (lambda t, p: (t, p.assign(key="z")), "no done trial"),
        (_other_labels, "labels differ"),
    ],
)
def test_contradictions_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        pair_cells(*broken(change))


def test_groups_of_test_images_reach_the_cells_and_must_agree():
    frames = tables([row(f"r{draw}", 10, 0, draw, 0, [0]) for draw in (0, 1)])
    assert pair_cells(*frames).groups is None
    grouped = frames[1].assign(group=[np.array([7, 7, 3, 9])] * 2)
    np.testing.assert_array_equal(pair_cells(frames[0], grouped).groups, [1, 1, 0, 2])
    with pytest.raises(ValueError, match="groups differ between trials"):
        pair_cells(frames[0], frames[1].assign(group=[np.arange(4), np.zeros(4, dtype=int)]))
    with pytest.raises(ValueError, match="group and label must have the same length, got 3 and 4"):
        pair_cells(frames[0], frames[1].assign(group=[np.arange(3)] * 2))


def test_draws_whose_generator_failed_are_counted_and_named():
    rows = [row(f"r{d}", 10, 0, d, 0, [0]) for d in range(4)]
    rows += [row(f"m{d}", 10, 10, d, 0, [], "done" if d else "blocked") for d in range(4)]
    rows += [row(f"x{d}", 10, 20, d, 0, [], "blocked") for d in range(2)]
    measurements, predictions = tables(rows)
    causes = ["diverged" if s == "blocked" else "" for s in measurements["status"]]
    cells = pair_cells(measurements.assign(cause=causes), predictions)
    assert [(cell.num_synthetic, cell.failed) for cell in cells.mixed] == [(10, 1)]
    assert (
        "Generators failed (edm at 10 real images: 1 of 4 failed). Verdicts are about those that did not."
        in cells.warnings
    )
    other = pair_cells(measurements.assign(cause="preempted"), predictions)  # says nothing of the generator
    assert [cell.failed for cell in other.mixed] == [0] and not any("Generators" in w for w in other.warnings)
