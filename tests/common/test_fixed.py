"""No number reads minus zero, and no loss reads as a gain."""

import re

import pytest

from synaug_ray.analysis.advice.recommendation_text import gain_clause, surety
from synaug_ray.analysis.verdict_text import points, span
from synaug_ray.common.text import fixed
from synaug_ray.laws.results import Estimate
from synaug_ray.report import text
from synaug_ray.report.sections import costs


@pytest.mark.parametrize(
    "value,form,said", [(-0.04, ".1f", "0.0"), (-0.0, "+.1f", "+0.0"), (-0.4, ",.0f", "0"), (-1234.5, ",.1f", "-1,234.5"),
                        (0.04, "+.1f", "+0.0"), (-0.05001, ".1f", "-0.1"), (-0.0, ".4g", "0"), (12.0, " .2f", " 12.00")]
)  # fmt: skip
def test_rounded_to_zero_there_is_no_minus(value, form, said):
    assert fixed(value, form) == said


@pytest.mark.parametrize("tiny", [-1e-6, -0.0])
def test_nowhere_where_a_gain_or_an_end_is_shown(tiny):
    gain = Estimate(tiny, -0.184, 1e-6)
    shown = [points(tiny), span(gain), span(Estimate(0.1, tiny, 0.2)), gain_clause(gain), gain_clause(gain, -1)]
    shown += [form(tiny) for form in (text.percent, text.points, text.images, text.more_images, text.rate, text.plain)]
    for said in shown:
        assert not re.search(r"[-\u2212]0(\.0*)?(?![.\d])", said), said


def test_from_two_draws_nothing_could_be_seen():
    verdicts = [{"smallest_detectable_gain": 2.275, "num_real": 20, "classifier": "mlp"}]
    assert surety({"draws": 2, "test_images": 600}, verdicts).endswith("A change of any size could not be seen.")
    verdicts[0]["smallest_detectable_gain"] = 0.0512
    assert "A change below about 5.1 points could not be seen." in surety({"draws": 2, "test_images": 600}, verdicts)


def test_an_interval_wider_than_any_difference_of_errors_says_so():
    assert gain_clause(Estimate(-0.012, -6.3, 6.3), -1) == "1.2 points (an interval that says nothing)"
    assert gain_clause(Estimate(0.012, -0.9, 6.3)) == "1.2 points (-90.0 to 630.0)"


@pytest.mark.parametrize("value,said", [(-0.092, "a loss of 9.20 [0.00, 18.40] points"), (0.01, "a gain of +1.00 [")])
def test_a_negative_gain_is_called_a_loss(value, said):
    gain = {"value": value, "low": -0.184, "high": 1e-6}
    assert costs._brought(gain).startswith(said)
