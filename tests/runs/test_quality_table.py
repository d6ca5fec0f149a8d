"""What the table of quality checks says of single classes."""

import pandas as pd
import pytest

from synaug_ray.runs.quality_table import shown_by_class, worst_class


def shown(label, share):
    return {"label": label, "agreement": None if share is None else {"value": share, "low": 0.0, "high": 1.0}}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"by_class": [shown(0, 0.9), shown(3, 0.2), shown(4, None)]}, (3, 0.2)),
        ({"by_class": [shown(0, None)]}, (None, None)),
        (None, (None, None)),
    ],
)
def test_the_worst_class_is_among_those_with_enough_images(labels, expected):
    assert tuple(worst_class(labels).values()) == expected


def test_how_often_each_class_is_shown_is_a_mean_over_draws_of_those_judged():
    rows = [("edm", 40, '{"0": 0.8, "1": 0.5}'), ("edm", 40, '{"0": 0.6}'), ("edm", 80, "{}")]
    table = pd.DataFrame(rows, columns=["generator", "num_real", "class_agreement"])
    assert shown_by_class(table) == {("edm", 40): {0: pytest.approx(0.7), 1: 0.5}, ("edm", 80): {}}
