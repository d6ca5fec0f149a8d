"""Synthetic scaling: planted floors are found, and where the amounts do not determine one, that is said."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers.planted_scaling import planted_cells, power

from synaug_ray.analysis.questions.controls import controls
from synaug_ray.analysis.questions.scaling import synthetic_scaling
from synaug_ray.analysis.questions.scaling_results import Ever, SyntheticScaling
from synaug_ray.laws.results import Estimate
from synaug_ray.laws.simultaneous import single_look

REAL = power(0.02, 0.16, 0.6)  # ends at 2%
HOLDOUT = (40, 80, 160, 320, 640, 1000)


def scaling(cells, quality=None, replicates=300):
    return synthetic_scaling(
        cells,
        {"mlp": 0.01},
        quality,
        confidence=0.9,
        replicates=replicates,
        rng=np.random.default_rng(0),
        looks=single_look(len(cells.draws)),
    )


def contains(estimate, value):
    return estimate.low <= value <= estimate.high


def test_a_worse_floor_is_told_with_its_distance_from_that_of_real_images():
    found = scaling(planted_cells(REAL, {"edm": power(0.12, 0.25, 0.7)}))[0]
    assert found.ever is Ever.NO and not found.why_not
    assert contains(found.floor, 0.12) and contains(found.above_real, 0.10) and contains(found.exponent, 0.7)
    assert found.above_real.low > 0.05 and found.misfit < 2
    assert contains(found.near_floor, 100 * (0.25 / 0.01) ** (1 / 0.7))  # above the floor by a point
    assert contains(found.doubling, 0.25 * 25.6**-0.7 * (1 - 2**-0.7))
    assert len(found.points) == 6 and found.line[-1].num_synthetic == pytest.approx(4 * 2560)
    assert "More of the same would not do" in found.sentence and "edm at 80 real images" in found.sentence


@pytest.mark.parametrize("num_real", [80, 0])
def test_held_out_images_end_where_real_ones_do(num_real):
    cells = planted_cells(REAL, {"real-holdout": REAL}, amounts=HOLDOUT, num_real=num_real)
    found = scaling(cells)[0]
    assert found.num_real == num_real and contains(found.above_real, 0.0) and found.ever is not Ever.NO


def test_images_that_end_where_real_ones_do_are_told_where_the_noise_is_small():
    cells = planted_cells(power(0.05, 0.05, 1.0), {"edm": power(0.05, 0.1, 1.0)}, noise=0.1, images=4_000)
    assert scaling(cells)[0].ever is Ever.YES


def test_a_curve_without_a_floor_has_a_bound_alone():
    found = scaling(planted_cells(REAL, {"edm": power(0.0, 0.3, 0.5)}, amounts=(40, 80, 160, 320, 640)))[0]
    assert found.floor.value is None and found.floor.low is None and 0 < found.floor.high < 0.14
    assert "without a floor describes these amounts as well" in found.why_not and found.near_floor == Estimate(None)
    assert found.ever is not Ever.NO and found.above_real.value is None


def bump(s):
    return 0.3 if s == 320 else power(0.1, 0.25, 0.7)(s)


REFUSED = {
    "flat": (dict(synthetic={"edm": lambda s: 0.2}), "not shown to fall"),
    "misfit": (dict(synthetic={"edm": bump}), "no curve with a floor describes the errors"),
    "too few": (dict(synthetic={"edm": power(0.1, 0.2, 0.7)}, amounts=(80, 160, 320)), "needs 4 amounts"),
    "one draw": (dict(synthetic={"edm": power(0.1, 0.2, 0.7)}, draws=1), "one draw"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_no_floor_is_given_where_it_is_not_determined(case):
    changes, why = REFUSED[case]
    found = scaling(planted_cells(REAL, **changes))[0]
    assert why in found.why_not and why in found.sentence
    assert found.floor == found.above_real == Estimate(None) and found.ever is Ever.NOT_KNOWN and not found.line


def test_a_floor_without_that_of_real_images_is_not_compared():
    found = scaling(planted_cells(REAL, {"edm": power(0.12, 0.25, 0.7)}, sizes=(20, 80)))[0]
    assert contains(found.floor, 0.12) and found.above_real == Estimate(None)
    assert "of real images alone, a floor needs 4 sizes" in found.why_not and found.ever is Ever.NOT_KNOWN


def test_nothing_is_told_of_two_amounts_or_without_replicates():
    assert scaling(planted_cells(REAL, {"edm": REAL}, amounts=(80, 160))) == ()
    assert scaling(planted_cells(REAL, {"edm": REAL}), replicates=0) == ()


def test_quality_is_the_mean_over_checks_of_the_images_that_the_generator_saw():
    rows = [("edm", 80, 0.9, 0.5), ("edm", 80, 0.8, np.nan), ("edm", 40, 0.1, 0.1), ("gan", 80, 0.2, 0.2)]
    table = pd.DataFrame(rows, columns=["generator", "num_real", "label_agreement", "coverage"])
    amounts = (80, 160, 320)
    found = scaling(planted_cells(REAL, {"edm": REAL, "none": REAL}, amounts=amounts), table)
    seen, unseen = (next(f for f in found if f.generator == name).quality for name in ("edm", "none"))
    assert (seen.recognised, seen.coverage, seen.recall, seen.draws) == (pytest.approx(0.85), 0.5, None, 2)
    assert unseen is None


@pytest.mark.slow
@pytest.mark.parametrize("floor", [0.12, 0.02])
def test_intervals_contain_the_planted_floor_as_often_as_they_say(floor):
    curve, hits, told = power(floor, 0.25, 0.7), [], []
    for seed in range(60):
        found = scaling(planted_cells(REAL, {"edm": curve}, seed=seed))[0]
        if found.above_real.low is not None and found.above_real.high is not None:
            hits.append(contains(found.above_real, floor - 0.02))
        told.append(found.ever is Ever.NO)
    assert len(hits) >= 50 and np.mean(hits) >= 0.8  # 0.9 as planned, less two standard errors
    assert np.mean(told) > 0.9 if floor > 0.1 else np.mean(told) <= 0.1


@pytest.mark.parametrize("low,high,passed", [(-0.018, 0.004, True), (0.02, 0.04, False), (-0.05, 0.04, None)])
def test_the_control_says_whether_held_out_images_end_where_real_ones_do(low, high, passed):
    found = SyntheticScaling(
        classifier="mlp",
        generator="holdout",
        protocol="synthetic-only",
        real_share="none",
        num_real=80,
        points=(),
        margin=0.01,
        family="real-holdout",
        above_real=Estimate(None, low, high),
    )
    others = (replace(found, family="edm"), replace(found, above_real=Estimate(None)))
    (entry,) = controls(SimpleNamespace(studies=(), staged=(), scaling=(found, *others)))
    assert entry["passed"] is passed and entry["control"] == "holdout"
