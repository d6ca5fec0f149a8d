"""Real-only draws without synthetic images: what they do to gains and to what gains vary by."""

import numpy as np
import pytest
from helpers.simulate import Grid, nothing, power, simulate

from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.cells.extra_draws import Pairs, Slope, corrected, fixed_share, slope_of
from synaug_ray.analysis.comparison.comparison_check import gain_of_trials
from synaug_ray.analysis.comparison.comparison_results import Row

ONE = np.ones(1)  # a test "image" whose answer is the error itself


def world(rng, slope, draws=6, every=24, sizes=3, noise=0.5):
    """Cells of one study: gains that follow the real-only error by ``slope``, and noise of their own; truth 0."""
    cells = []
    for n in range(sizes):
        real = rng.standard_normal((every, 1))
        gains = slope * real + noise * rng.standard_normal((every, 1))
        gains[draws:] = np.nan
        cells.append(Pairs(n + 1, gains, real))
    return cells


@pytest.mark.parametrize("slope", [0.0, 0.4, 1.0])
def test_the_variance_told_is_that_of_the_corrected_mean(slope):
    """Over 1,500 worlds; with a slope of 1 it is some third of the variance without correction, with 0 the same."""
    rng = np.random.default_rng(0)
    means, told, before = [], [], []
    for _ in range(1_500):
        cells = world(rng, slope)
        values = corrected(cells[0], ONE, slope_of(cells, ONE))[:6, 0]
        means.append(values.mean())
        told.append(values.var(ddof=1) / 6)
        before.append(cells[0].gains[:6, 0].mean())
    assert abs(np.mean(means)) < 4 * np.std(means) / np.sqrt(len(means))
    assert 0.95 < np.mean(told) / np.var(means) < 1.25  # 4% of noise, and a little on the safe side
    assert np.var(means) / np.var(before) < {0.0: 1.1, 0.4: 0.95, 1.0: 0.5}[slope]


def test_a_slope_that_differs_between_sizes_is_told_in_the_variance():
    """The common slope is too large for one cell and too small for another: at worst the width is told 10% too small."""
    rng = np.random.default_rng(1)
    means, told = [], []
    for _ in range(1_500):
        cells = [world(rng, slope, sizes=1)[0]._replace(num_real=n) for n, slope in ((1, 0.1), (2, 0.9))]
        values = [corrected(cell, ONE, slope_of(cells, ONE))[:6, 0] for cell in cells]
        means.append([v.mean() for v in values])
        told.append([v.var(ddof=1) / 6 for v in values])
    assert (np.mean(told, axis=0) / np.var(means, axis=0) > 0.8).all()


def test_sizes_that_have_them_are_corrected_beside_one_that_has_not():
    rng = np.random.default_rng(3)
    held, open_size = world(rng, 1.0, sizes=1)[0], world(rng, 1.0, draws=24, sizes=1)[0]._replace(num_real=2)
    slope = slope_of([held, open_size], ONE)
    assert slope.value > 0.5 and corrected(open_size, ONE, slope) is open_size.gains
    own = held.real[:6].mean() - held.real.mean()
    assert np.nanmean(corrected(held, ONE, slope)) == pytest.approx(held.gains[:6].mean() - slope.value * own)
    assert 0 < fixed_share(held, ONE, slope) < 0.9


def test_the_spread_of_images_within_draws_stays_what_it_is():
    """Images that only noise tells apart: the correction adds nothing to what they vary by."""
    rng = np.random.default_rng(4)
    shape, images = (24, 400), np.full(400, 1 / 400)
    real = rng.standard_normal((24, 1)) + rng.standard_normal(shape)
    gains = real + 0.3 * rng.standard_normal((24, 1)) + rng.standard_normal(shape)
    gains[6:] = np.nan
    cell = Pairs(1, gains, real)
    values = corrected(cell, images, slope_of([cell], images))[:6]
    within = (values - (values @ images)[:, None]).var()
    assert within < 1.05 * (gains[:6] - (gains[:6] @ images)[:, None]).var()


def test_without_further_draws_nothing_changes():
    rng = np.random.default_rng(2)
    cells = world(rng, 1.0, draws=6, every=6)
    slope = slope_of(cells, ONE)
    assert slope == Slope()
    assert corrected(cells[0], ONE, Slope(1.0)) is cells[0].gains
    assert slope_of(world(rng, 1.0, draws=1), ONE) == Slope()
    alike = [cell._replace(real=np.zeros_like(cell.real)) for cell in world(rng, 1.0)]
    assert slope_of(alike, ONE) == Slope()


def tables(seed, real_draws, law=nothing):
    """Six draws with synthetic images, which decide what classifiers learn, and ``real_draws`` without."""
    grid = Grid(
        power(),
        {("edm", "0.5"): law},
        sizes=(40, 80, 160),
        multiples=(4,),
        draws=real_draws,
        draw_effect=0.15,
        apart=True,
    )
    told, predicted = simulate(grid, seed=seed)
    told = told[(told["num_synthetic"] == 0) | (told["draw"] < 6)].reset_index(drop=True)
    return told, predicted[predicted["key"].isin(told["key"])]


def test_a_run_counts_the_draws_that_have_synthetic_images_and_tells_whose_gains_the_others_correct():
    told, predicted = tables(0, 24)
    found = analyse(told, predicted, replicates=50)
    few = told[told["draw"] < 6].reset_index(drop=True)
    before = analyse(few, predicted[predicted["key"].isin(few["key"])], replicates=50)
    assert found.draws == before.draws == 6 and found.looks == before.looks
    # the curve of real images rests on all draws
    width = [e.high - e.low for r in (found, before) for e in [r.real[0].points[1].error]]
    assert width[0] < 0.9 * width[1]
    study = found.studies[0]
    assert study.real_only_slope > 0.5 and before.studies[0].real_only_slope == 0
    assert np.mean([c.gain.high - c.gain.low for c in study.cells]) < np.mean(
        [c.gain.high - c.gain.low for c in before.studies[0].cells]
    )
    assert (found.real_draws, before.real_draws) == (24, 6)
    assert [note for note in found.warnings if "further draws, 24 in all" in note and "edm" in note]
    assert not [note for note in before.warnings if "correct the gains" in note]


def test_the_table_of_trials_gives_the_corrected_gain_again():
    told, predicted = tables(1, 24)
    found = analyse(told, predicted, replicates=0)
    study = found.studies[0]
    for cell in study.cells:
        row = Row(
            run="", dataset="", unit="", generator="edm", classifier="mlp", protocol="mixed", real_share="0.5",
            num_real=cell.num_real, num_synthetic=cell.num_synthetic,
        )  # fmt: skip
        again = gain_of_trials(told, row, cell.trials, study.real_only_slope)
        assert again == pytest.approx(cell.gain.value, abs=1e-6)
        assert gain_of_trials(told, row, cell.trials) != pytest.approx(cell.gain.value, abs=1e-6)
