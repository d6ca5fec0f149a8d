"""What ``predict`` says at a measured cell, and where no law holds."""

from synaug_ray.analysis.advice.calculator import Expectation
from synaug_ray.analysis.advice.prediction_text import expectation_sentences, why_unknown
from synaug_ray.analysis.exchange import NOT_ESTIMABLE, OPPOSED
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
    assert "Caution: no fitted law describes the measurements" in said(
        misfit="no fitted law describes the measurements"
    )
    assert "Caution" not in said()


def test_no_rate_for_the_next_image_is_told_where_no_law_holds():
    """The next one's rate is unknown then: 'not reachable' would be an answer that no law gives."""
    worth = Estimate(35.0, 20.0, 50.0)
    at = Expectation(20, 160, Estimate(0.36, 0.30, 0.42), NOTHING, worth, Estimate(160 / 35, 3.2, 8.0), NOTHING, ())
    refused = " ".join(expectation_sentences(at, 0.9, "test_error", misfit="no fitted law holds"))
    assert "4.6 (3.2 to 8.0) synthetic images for one real image on average; for the next one not" in refused
    assert "not reachable" not in refused
    assert "not reachable" in " ".join(expectation_sentences(at, 0.9, "test_error"))


def test_a_flat_curve_is_the_reason_why_nothing_is_estimable():
    why = why_unknown({"exchange": [{"note": NOT_ESTIMABLE}] * 2})
    told = " ".join(expectation_sentences(AT, 0.9, "test_error", unknown=why))
    reason = "not estimable: more real images are not shown to help."
    assert f"Worth in real images: {reason}" in told and f"Exchange rate: {reason}" in told
    for notes in ([NOT_ESTIMABLE, ""], [OPPOSED, OPPOSED], []):
        assert why_unknown({"exchange": [{"note": note} for note in notes]}) == ""
    assert why_unknown({}) == ""  # of an older version


def test_each_worth_says_what_it_is_of():
    """Of a verdict's cell and of the law: two numbers for one cell."""
    by_law = Estimate(-68.0, -74.0, -55.0)
    at = Expectation(120, 480, Estimate(0.5, 0.4, 0.6), Estimate(0.4), by_law, NOTHING, NOTHING, ())
    lines = expectation_sentences(
        at, 0.9, "test_error", measured=Estimate(0.5, 0.4, 0.6), worth=Estimate(None, None, -38.0)
    )
    assert "Worth as measured: at most -38 real images; interval for all cells at once, as in verdicts." in lines
    assert any(
        line.startswith("By the fitted law, the synthetic images are as harmful as removing 68 (55 to 74)")
        for line in lines
    )
