"""What the table of quality checks says of single classes."""

import pytest

from synaug_ray.runs.quality_table import worst_class


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
