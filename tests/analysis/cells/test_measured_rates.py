"""Rates from the cells themselves: slopes of measured m, averages s / m, and the shape of the curve they rest on."""

import numpy as np
import pytest

from synaug_ray.analysis.cells.measured_rates import slopes
from synaug_ray.analysis.exchange import as_measured
from synaug_ray.analysis.real_only import shape_warnings
from synaug_ray.analysis.results import Cell, Censoring, Exchange
from synaug_ray.laws.results import Estimate


def test_a_slope_lies_between_its_pieces_for_any_concave_curve():
    amounts = np.array([20.0, 80.0, 160.0])
    for m, slope in ((np.log1p, lambda s: 1 / (1 + s)), (np.sqrt, lambda s: 0.5 / np.sqrt(s))):
        found = slopes(np.full(3, 20.0), amounts, m(amounts), np.tile(m(amounts), (5, 1)))
        assert set(found) == {(20.0, 20.0), (20.0, 80.0)}  # the largest amount has a piece on one side only
        for (_, amount), one in found.items():
            assert one.low is not None and one.high is not None
            assert one.low[0] <= slope(amount) <= one.high[0]
            assert one.low[0] <= one.value <= one.high[0]


def test_a_parabola_is_met_exactly_and_what_is_unknown_gives_no_slope():
    amounts = np.array([10.0, 30.0, 40.0])
    m = 3 * amounts - 0.02 * amounts**2
    found = slopes(np.full(3, 20.0), amounts, m, None)
    assert found[20.0, 10.0].value == pytest.approx(3 - 0.4) and found[20.0, 30.0].value == pytest.approx(3 - 1.2)
    assert slopes(np.full(3, 20.0), amounts, np.array([1.0, 2.0, np.inf]), None).keys() == {(20.0, 10.0)}
    often = np.where(np.arange(10)[:, None] < 5, np.inf, m)
    assert not slopes(np.full(3, 20.0), amounts, m, often)


def cell(m):
    nothing = Estimate(None)
    return Cell(20, 60, 3.0, 4, nothing, nothing, nothing, m, Censoring.NONE, held_out=False)


LAW = Exchange(20, 60, Estimate(4.0), Estimate(3.0, 2.0, 5.0), reachable=True, limit=None, tradeoff=Estimate(2.0))


@pytest.mark.parametrize(
    ("m", "average"),
    [
        (Estimate(15.0, 10.0, 30.0), Estimate(4.0, 2.0, 6.0)),
        (Estimate(15.0, -1.0, None), Estimate(4.0, 0.0, None)),
        (Estimate(-5.0, -9.0, 3.0), Estimate(None, 20.0, None)),
        (Estimate(-5.0, -9.0, -3.0), Estimate(None, None, None)),
        (Estimate(15.0), Estimate(4.0)),
        (Estimate(None, 40.0, None), Estimate(3.0, 2.0, 5.0)),  # beyond the measured curve: the law's
    ],
)
def test_the_average_is_that_of_the_cell_itself(m, average):
    assert as_measured(LAW, cell(m)).average == average
    assert as_measured(LAW, cell(m)).marginal == Estimate(4.0)


def test_laws_that_do_not_hold_leave_only_what_was_measured():
    found = as_measured(LAW, cell(Estimate(15.0, 10.0, 30.0)), "no fitted law describes the measurements")
    assert found.average == Estimate(4.0, 2.0, 6.0)
    assert found.marginal == Estimate(None) and found.tradeoff == Estimate(None)
    assert found.note == "not estimable: no fitted law describes the measurements"
    assert as_measured(LAW, cell(Estimate(None, 40.0, None)), "so").average == Estimate(None)


def test_a_curve_that_rises_or_falls_ever_faster_is_said_and_a_usual_one_is_not():
    sizes = np.array([20.0, 40.0, 80.0, 160.0])
    noise = 0.002 * np.random.default_rng(0).standard_normal((400, 4))
    assert shape_warnings("mlp", sizes, 0.3 * (sizes / 20) ** -0.5 + noise, 0.9) == []
    (rises,) = [w for w in shape_warnings("mlp", sizes, [0.3, 0.2, 0.25, 0.1] + noise, 0.9) if "rises" in w]
    assert "from 40 to 80 real images" in rises
    (bends,) = shape_warnings("mlp", sizes, [0.3, 0.29, 0.28, 0.02] + noise, 0.9)
    assert "not convex" in bends and "from 80 to 160" in bends
    assert shape_warnings("mlp", sizes, None, 0.9) == []
