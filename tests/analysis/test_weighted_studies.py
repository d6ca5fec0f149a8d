"""Each weight is a study of its own, and J3 takes its weight from the name: planted mixtures through an analysis."""

import pytest
from helpers.simulate import Grid, simulate

from synaug_ray.analysis.cells.cell_noise import measure
from synaug_ray.analysis.cells.paired_cells import pair_cells
from synaug_ray.analysis.study import StudyFitter
from synaug_ray.analysis.study_key import StudyKey
from synaug_ray.laws.simultaneous import single_look

FLOOR, REAL, BIAS, MADE = 0.02, 4.0, 0.1, 6.0  # of a Gaussian's mean: see tests/laws/test_weighted_mean.py
WEIGHTS = {"none": 0.0, "0.5": 0.5, "0.5@0.9": 0.9, "proportional@0.75": 0.75}


def curve(n):
    return FLOOR + REAL / n


def weighted(real_weight):
    """r(n, s) with E_real(n (1 + r)) = E at this weight of the real images."""

    def law(n, s):
        w = 1 - real_weight
        excess = w**2 * (BIAS + MADE / (n * s)) + (1 - w) ** 2 * REAL / n
        return REAL / excess / n - 1

    return law


@pytest.fixture(scope="module")
def fitter():
    grid = Grid(
        curve=curve,
        laws={("made", name): weighted(weight) for name, weight in WEIGHTS.items()},
        multiples=(1, 4),
        draws=4,
        seeds=1,
        images=4_000,
        draw_effect=0.0,
        size_effect=0.0,
        generator_effect=0.0,
        seed_effect=0.0,
    )
    measurements, predictions = simulate(grid)
    pure = (measurements["generator"] == "made") & (measurements["real_share"] == "none")
    measurements.loc[pure, "protocol"] = "synthetic-only"
    cells = pair_cells(measurements, predictions, balanced=False)
    look = single_look(4)
    noise = measure(cells, confidence=0.9, simultaneous_confidence=0.95, replicates=0, rng=None, looks=look)  # type: ignore[arg-type]
    return StudyFitter(cells, noise, 0.9)


@pytest.mark.parametrize("name", [name for name in WEIGHTS if name != "none"])
def test_mixtures_are_predicted_at_the_weight_that_their_name_says(fitter, name):
    assert {cell.study.real_share for cell in fitter.cells.mixed} == set(WEIGHTS)

    def j3_rmse(called):
        key = StudyKey("mlp", "made", "mixed", name)
        data = fitter._data("mlp", key)[0]
        fitted = fitter._alternatives(key._replace(real_share=called), data, None, None)
        return next(fit for fit in fitted if fit.form == "J3").rmse_log_error

    own = j3_rmse(name)
    assert own < 0.05
    for other in set(WEIGHTS) - {name, "none"}:
        assert j3_rmse(other) > 2 * own
