"""How numbers of a comparison are told in its table."""

import pytest

from synaug_ray.laws.results import Estimate
from synaug_ray.report.sections.comparison import _ratio


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Estimate(63.4, 13.9, 3587.0), "63.4 [13.9,\u00a03,587]"),
        (Estimate(17_379_125.0, 5.59, None), "at least 5.59"),  # its value could be any other
        (Estimate(4.2), "4.20"),
    ],
)
def test_a_ratio_that_is_open_above_is_told_by_its_lower_end(found, told):
    assert _ratio(found).text == told and _ratio(found).value == found.value
