"""Are classifiers trained to their end: planted differences between a training and one twice as long."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from helpers.simulate import Grid, nothing, power, simulate

from synaug_ray.analysis.advice.recommendation import recommendations
from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.cells.paired_cells import pair_cells
from synaug_ray.analysis.questions.by_class import by_class
from synaug_ray.analysis.questions.length_results import Ended
from synaug_ray.analysis.questions.training_length import ended, training_lengths
from synaug_ray.config.cells import TRAINING_CHECK
from synaug_ray.laws.results import Estimate

GRID = Grid(power(), {("edm", "proportional"): nothing}, sizes=(20, 40, 80), multiples=(4,), draws=4, images=2_000)
TABLES = simulate(GRID, seed=3)


def checked(tables, gains, draws=2, spread=0.0, changed=0.0, seed=0):
    """The tables with longer trials, whose error is lower by ``gains`` (by size).

    ``spread`` is the standard deviation of the gain between draws, ``changed`` the share of test images that change
    from wrong to right, and as many back, besides.
    """
    measurements, predictions = tables
    rng, rows, told = np.random.default_rng(seed), [], []
    by_key = predictions.set_index("key")
    for row in measurements.to_dict("records"):
        if row["num_synthetic"] or row["draw"] >= draws or row["seed"] or row["num_real"] not in gains:
            continue
        label, predicted = by_key.loc[row["key"], "label"], by_key.loc[row["key"], "predicted"].copy()
        wrong, right = (rng.permutation(np.flatnonzero(w)) for w in (predicted != label, predicted == label))
        net, both = (round(s * len(label)) for s in (gains[row["num_real"]] + spread * rng.standard_normal(), changed))
        down, up = wrong[: max(net, 0) + both], right[: max(-net, 0) + both]
        predicted[down], predicted[up] = label[down], (label[up] + 1) % 10
        error, key = float((predicted != label).mean()), f"longer-{row['key']}"
        rows.append(row | {"key": key, "protocol": TRAINING_CHECK, "nimg": 2 * row["nimg"], "test_error": error})
        told.append({"key": key, "label": label, "predicted": predicted})
    return pd.concat([measurements, pd.DataFrame(rows)], ignore_index=True), pd.concat(
        [predictions, pd.DataFrame(told)]
    )


def words(analysis):
    return {t.num_real: t.ended for t in analysis.training_lengths}


def test_each_size_is_told_by_its_own_planted_difference():
    """delta is 1 point, so half a point is too much."""
    gains = {20: 0.03, 40: 0.0, 80: -0.03}
    found = analyse(*checked(TABLES, gains), replicates=40)
    assert words(found) == {20: Ended.SHORT, 40: Ended.YES, 80: Ended.LONG}
    for length in found.training_lengths:
        assert length.gain.value == pytest.approx(gains[length.num_real])
        assert (length.pairs, length.nimg, length.longer_nimg, length.margin) == (2, 64_000, 128_000, 0.005)
    by_size = {v.num_real: v for v in found.verdicts}
    assert {n: v.training_length for n, v in by_size.items()} == words(found)
    assert "not trained to its end at this size" in by_size[20].sentence and "3.0 points less" in by_size[20].sentence
    assert "past its best length" in by_size[80].sentence and "3.0 points more" in by_size[80].sentence
    assert "trained" not in by_size[40].sentence
    [short] = [w for w in found.warnings if "not trained to its end" in w]
    assert "3.0 points at 20 real images" in short and "128,000 images seen instead of 64,000" in short
    assert sum("past its best length" in w for w in found.warnings) == 1


@pytest.mark.parametrize(
    ("gains", "remedy"),
    [
        ({20: 0.0, 40: 0.0, 80: 0.03}, "raise nimg, or set min_passes to 1,600, which"),  # 128,000 images of 80
        ({20: 0.0, 40: 0.03, 80: 0.03}, "raise nimg, or set min_passes to 3,200, which"),
        ({20: 0.03, 40: 0.0, 80: 0.03}, "raise nimg."),  # the smallest needs it too
    ],
)
def test_where_only_larger_sizes_are_too_short_the_smaller_ones_need_not_be_trained_again(gains, remedy):
    [warned] = [w for w in analyse(*checked(TABLES, gains), replicates=40).warnings if "not trained to its end" in w]
    assert remedy in warned


def test_lengths_that_differ_between_sizes_are_not_told_as_one():
    measurements, predictions = checked(TABLES, dict.fromkeys(GRID.sizes, 0.03))
    measurements.loc[measurements["num_real"] == 80, "nimg"] *= 3
    [warned] = [w for w in analyse(measurements, predictions, replicates=40).warnings if "not trained to its end" in w]
    assert "training on 2 times the images seen lowers" in warned


@pytest.mark.parametrize(
    ("gains", "short", "said"),
    [
        ((0.0, 0.0, 0.0), (), ""),
        ((0.03, 0.03, 0.03), (20, 40, 80), "3.0 points at 20, 3.0 points at 40 and 3.0 points at 80 real images"),
        ((0.0, 0.03, 0.03), (40, 80), "by 3.0 points at 40 and 3.0 points at 80 real images"),
        ((-0.03, 0.0, 0.03), (), ""),  # no change in the mean
    ],
)
def test_one_pair_is_not_enough_to_know_but_the_page_is_not_silent(gains, short, said):
    found = analyse(*checked(TABLES, dict(zip((20, 40, 80), gains, strict=True)), draws=1), replicates=40)
    told = {n: Ended.MAYBE_SHORT if n in short else Ended.UNKNOWN for n in (20, 40, 80)}
    assert words(found) == told and {v.num_real: v.training_length for v in found.verdicts} == told
    warned = [w for w in found.warnings if "may not be trained to its end" in w]
    assert len(warned) == bool(short) and all(said in w for w in warned)
    assert not any("trained" in v.sentence for v in found.verdicts)


def test_the_card_says_so_at_the_sizes_where_it_is_so():
    found = analyse(*checked(TABLES, {20: 0.03, 40: 0.0, 80: 0.0}), replicates=40)
    laws, verdict = found.laws_json(), found.verdict_json()
    told = {r.num_real: r.sure for r in recommendations(laws, verdict["verdicts"])}
    assert "At 20 real images mlp is not trained to its end" in told[20]
    assert "trained" not in told[40] and "trained" not in told[80]


@pytest.mark.parametrize("noise", [{"spread": 0.03}, {"changed": 0.1}])
@pytest.mark.parametrize("gain", [0.0, 0.008])
def test_what_noise_hides_is_not_known(noise, gain):
    found = analyse(*checked(TABLES, dict.fromkeys(GRID.sizes, gain), seed=1, **noise), replicates=40)
    assert set(words(found).values()) == {Ended.UNKNOWN}
    assert not any("trained" in w for w in found.warnings)
    assert {v.training_length for v in found.verdicts} == {"not known"}


def test_the_margin_is_half_that_of_the_verdicts():
    """2 points are too much for a margin of 1 point, and not for one of 6, or of a fifth of 35%."""
    tables = checked(TABLES, dict.fromkeys(GRID.sizes, 0.02))
    assert set(words(analyse(*tables, replicates=40)).values()) == {Ended.SHORT}
    assert set(words(analyse(*tables, replicates=40, delta=0.06)).values()) == {Ended.YES}
    assert words(analyse(*tables, replicates=40, relative_delta=0.2))[20] is Ended.YES


def test_nothing_else_of_the_analysis_changes():
    gains = dict.fromkeys(GRID.sizes, 0.03)
    with_check, without = analyse(*checked(TABLES, gains), replicates=40), analyse(*TABLES, replicates=40)
    assert with_check.training_lengths and not without.training_lengths
    stripped = [dataclasses.replace(v, training_length="", sentence="") for v in with_check.verdicts]
    assert stripped == [dataclasses.replace(v, sentence="") for v in without.verdicts]
    assert (with_check.real, with_check.studies) == (without.real, without.studies)
    assert {v.training_length for v in without.verdicts} == {""}


def test_errors_by_class_do_not_count_the_longer_trials():
    def told(tables):
        probability = [np.full(GRID.images, 0.5)] * len(tables[1])
        return by_class(tables[0], tables[1].assign(probability=probability))

    pd.testing.assert_frame_equal(told(checked(TABLES, {20: 0.03})), told(TABLES))


def test_one_draw_and_a_live_view_have_no_interval():
    one, two = (checked(TABLES, {20: 0.03}, draws=draws) for draws in (1, 2))
    for tables, replicates, state in ((one, 40, Ended.MAYBE_SHORT), (two, 0, Ended.UNKNOWN)):
        [length] = analyse(*tables, replicates=replicates).training_lengths
        assert length.ended is state and length.gain == Estimate(pytest.approx(0.03))


def test_a_trial_without_its_partner_is_no_pair():
    measurements, predictions = checked(TABLES, {20: 0.03, 40: 0.03})
    lost = measurements["key"] == "none-none-40-0-0-0"
    assert lost.sum() == 1
    measurements.loc[lost, "status"] = "failed"
    found = analyse(measurements, predictions, replicates=40).training_lengths
    assert {t.num_real: t.pairs for t in found} == {20: 2, 40: 1}


@pytest.mark.integration  # seconds of a core
def test_at_the_border_one_in_twenty_is_called_short():
    """The planted gain is just the margin: calling it short, or trained to its end, is an error of 5% each."""
    few = simulate(dataclasses.replace(GRID, draws=2, seeds=1, images=500), seed=3)
    cells = pair_cells(*few)
    said = []
    for seed in range(100):
        tables = checked(few, dict.fromkeys(GRID.sizes, 0.01), spread=0.01, seed=seed)
        found = training_lengths(*tables, cells, margin=lambda classifier, n: 0.02, confidence=0.9)
        said += [t.ended for t in found]
    assert len(said) == 300
    assert np.mean([s is Ended.SHORT for s in said]) < 0.09
    assert np.mean([s is Ended.YES for s in said]) < 0.09


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.006, 0.02, Ended.SHORT),
        (-0.02, -0.006, Ended.LONG),
        (-0.004, 0.004, Ended.YES),
        (0.001, 0.004, Ended.YES),  # a difference, and a small one
        (-0.004, 0.006, Ended.UNKNOWN),
        (-0.02, 0.02, Ended.UNKNOWN),
        (None, None, Ended.UNKNOWN),
    ],
)
def test_only_a_whole_interval_on_one_side_says_anything(low, high, word):
    assert ended(Estimate(0.0, low, high), 0.005) is word
