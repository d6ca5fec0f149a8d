"""How many real images a target needs, against a planted distribution of the curve."""

import numpy as np
import pytest
from helpers.planted_need import LEVELS, SIZES, SPREAD, A, B, planted, truth
from helpers.simulate import Grid, power, simulate
from scipy.stats import norm

from synaug_ray.analysis.advice.real_needed import chance, known, needed, real_needed
from synaug_ray.analysis.analyse import analyse


@pytest.mark.parametrize("target", [0.06, 0.1, 0.2])
@pytest.mark.parametrize("sure", [0.05, 0.3, 0.5, 0.8, 0.95])
def test_the_number_needed_is_that_of_the_planted_curve(target, sure):
    n = (A / target * np.exp(SPREAD * norm.ppf(sure))) ** (1 / B)
    found = needed(planted(), target, sure)
    if n > SIZES[-1]:
        assert found is None
    else:
        assert found is not None and n - 1e-3 <= found <= n + 1 + 1e-3
        at = chance(planted(), target, found)
        assert at is not None and at.low - 0.02 <= truth(target, found) <= at.high + 0.02


@pytest.mark.parametrize("n", [30, 100, 145, 200, 400])
def test_the_chance_is_that_of_the_planted_curve(n):
    found, true = chance(planted(), 0.1, n), truth(0.1, n)
    assert found is not None and found.low - 0.02 <= true <= found.high + 0.02
    assert found.high - found.low <= 0.051 and abs(found.likely - true) <= 0.005


def test_beyond_what_is_predicted_nothing_is_said():
    assert chance(planted(), 0.1, 5) is None and chance(planted(), 0.1, 700) is None
    assert needed(planted(), 0.001, 0.5) is None
    with pytest.raises(ValueError, match="between 0.05 and 0.95"):
        needed(planted(), 0.1, 0.99)
    assert real_needed({"num_real": SIZES}, 0.1) is None and not known({})


def test_an_analysis_keeps_the_quantiles_of_its_bootstrap():
    """The ends of the 90% interval are the 5% level of the same replicates, and the planted number lies inside."""
    curve = power()
    grid = Grid(curve, {("edm", "0.5"): lambda n, s: 0.0 * s}, draws=5, images=800)
    analysis = analyse(*simulate(grid, seed=3), replicates=60)
    surface = analysis.laws_json()["studies"][0]["surface"]
    assert surface["error_levels"] == LEVELS
    low = [row[0] for row in surface["error_low"]]
    assert [row[0] for row in surface["error_quantiles"]] == pytest.approx(low, rel=1e-5)
    for target in (0.12, 0.15, 0.2):
        wide = [n for _, n in (real_needed(surface, target) or [])]
        true = next(n for n in range(10, 2000) if curve(n) <= target)
        assert (wide[0] or 0) <= true <= (wide[-1] or np.inf)
