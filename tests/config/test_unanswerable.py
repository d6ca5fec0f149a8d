"""What a grid cannot answer, by its design."""

import pytest

from synaug_ray.config.load import validate_grid
from synaug_ray.config.unanswerable import unanswerable
from synaug_ray.config.warnings import grid_warnings
from synaug_ray.config.yaml_source import Lines

WHOLE = {
    "dataset": "digits",
    "num_real": [20, 40, 80, 160],
    "synthetic_multiples": [0, 1, 4],
    "generators": ["edm-tiny"],
    "classifiers": ["mlp"],
    "draws": 6,
}
OPEN = {"preset": "edm-tiny", "name": "open", "trained_on": 800}


def said(**changes):
    return unanswerable(validate_grid(WHOLE | changes, Lines("g.yaml")))


def test_a_grid_that_can_answer_everything_is_told_nothing():
    assert said() == [] == said(generators=["edm-tiny", "jitter", OPEN])
    assert said(protocols=["synthetic-only"], synthetic_multiples=[1, 2, 4, 8]) == []
    assert said(num_real=[20, 40], blocks=[{"num_real": [80, 160], "synthetic_multiples": [0]}]) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_real": [20]}, "1 size of num_real gives"),
        ({"num_real": [20, 40]}, "no calculator and no prediction (predict). Give 3 sizes"),
        ({"num_real": [20, 40, 80]}, "too few to test a scaling law; give four"),
        ({"synthetic_multiples": [0]}, "there will be no verdict"),
        ({"generators": ["jitter"]}, "cannot say whether to collect or to generate"),
        ({"generators": [OPEN]}, "trained on more real images than their cells have"),
        ({"synthetic_multiples": [0, 4]}, "with one amount"),
        (
            {"protocols": ["mixed", "synthetic-only"], "synthetic_multiples": [1, 2, 4]},
            "with 3 amounts of synthetic images alone and 4 sizes of num_real",
        ),
    ],
)
def test_what_it_cannot_answer_is_said_with_what_it_takes(changes, sentence):
    (found,) = said(**changes)
    assert sentence in found and ("ive " in found or "add one" in found)
    assert found in grid_warnings(validate_grid(WHOLE | changes, Lines("g.yaml")))
