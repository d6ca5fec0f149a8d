"""What ``predict`` says at a measured cell, and where no law holds."""

from synaug_ray.analysis.calculator import Expectation
from synaug_ray.analysis.prediction_text import expectation_sentences
from synaug_ray.laws.results import Estimate

NOTHING = Estimate(None)
AT = Expectation(20, 160, Estimate(0.36, 0.30, 0.42), NOTHING, NOTHING, NOTHING, NOTHING, ())


def said(measured=None, misfit=""):
    return " ".join(expectation_sentences(AT, 0.9, "test_error", measured=measured, misfit=misfit))


def test_a_measured_cell_is_told_and_so_is_a_law_outside_its_interval():
    assert "Measured" not in said()
    assert "do not fit this cell" not in said(Estimate(0.35, 0.30, 0.40))
    assert "Measured there: 35.00%" in said(Estimate(0.35, 0.30, 0.40))
    assert "do not fit this cell" in said(Estimate(0.15, 0.12, 0.18))
    assert "do not fit this cell" not in said(Estimate(0.15))  # without an interval nothing can be told


def test_a_misfit_is_a_caution():
    assert "Caution: no fitted law holds the measurements" in said(misfit="no fitted law holds the measurements")
    assert "Caution" not in said()
