"""J2 and J3 on exact cells of their own making, and what they may not do: see held-out cells or be chosen."""

import numpy as np
import pytest

from synaug_ray.laws.alternatives import j2, j3
from synaug_ray.laws.catalogue import FORM_TABLE, PUBLISHED
from synaug_ray.laws.joint import JointData
from synaug_ray.laws.selection import development, fit_forms, held_out_cells
from tests.laws.test_selection import CURVE, MULTIPLES, N0, SIZES

BASE = np.repeat(np.arange(len(SIZES)), len(MULTIPLES))
S = np.tile(MULTIPLES, len(SIZES))


def joint(real, gains, gain_error):
    return JointData(
        sizes=SIZES,
        real=real,
        real_error=0.01 * real,
        base=BASE,
        s=S,
        gains=gains,
        gain_error=gain_error,
        chance=0.9,
        n0=N0,
        least_error=1e-5,
    )


def data_of(error):
    """Exact cells of E(x, s), with 1% errors."""
    real = error(SIZES / N0, np.zeros(len(SIZES)))
    mixed = error(SIZES[BASE] / N0, S)
    return joint(real, real[BASE] - mixed, 0.01 * mixed)


def references(data):
    masks = development(data)
    assert masks is not None
    seen = data.subset(*masks)
    return masks, seen, held_out_cells(data, masks, fit_forms(seen, CURVE, np.log([0.15, 0.55])), CURVE)


def hashimoto(x, s):
    q = s / (1 + s)
    return 0.02 + 0.15 * np.exp(0.3 * q + 0.1 * q**2) * (x * (1 + s)) ** -0.6


def jain(x, s):
    w = s / (1 + s)
    beta = 0.5
    synthetic, real = 0.2 * np.maximum(s * x, 1e-12) ** -0.4, 0.15 * x**-beta
    drawn = w**2 * synthetic ** (1 / beta) + (1 - w) ** 2 * real ** (1 / beta)
    return 0.01 + w**2 * (0.1 * x**-0.2 - 0.01) + drawn**beta


def test_j2_finds_its_own_plant_and_predicts_what_was_held_out():
    data = data_of(hashimoto)
    _, seen, cells = references(data)
    fitted = j2(data, seen, cells)
    found = {name: estimate.value for name, estimate in fitted.parameters.items()}
    assert found["alpha"] == pytest.approx(0.6, rel=0.02) and found["C0"] == pytest.approx(0.15, rel=0.02)
    assert fitted.held_out is not None and fitted.held_out.skill_no_effect > 0.99


def test_j3_predicts_mixtures_from_pure_curves_alone():
    data = data_of(jain)
    masks, _, cells = references(data)
    pure = 0.1 * (SIZES[BASE] / N0) ** -0.2 + 0.2 * (S * SIZES[BASE] / N0) ** -0.4
    real = data.real
    synthetic = joint(real, real[BASE] - pure, 0.01 * pure)
    fitted = j3(data, synthetic, None, masks, cells)
    assert fitted is not None and fitted.held_out is not None
    assert fitted.rmse_log_error < 0.02 and fitted.held_out.skill_no_effect > 0.97
    # Ruining every mixture changes nothing of the fit: it never saw one.
    ruined = data_of(lambda x, s: jain(x, s) * (1 + (s > 0)))
    assert j3(ruined, synthetic, None, masks, cells).parameters == fitted.parameters
    few = synthetic.subset(SIZES > 0, S < 1)
    assert j3(data, few, None, None, None) is None


def test_a_real_share_sets_the_weight():
    """Half of each batch real, whatever the counts: w = 1/2 for every amount."""

    def half(x, s):
        w, beta = np.where(s > 0, 0.5, 0.0), 0.5
        drawn = w**2 * (0.2 * np.maximum(s * x, 1e-12) ** -0.4) ** 2 + (1 - w) ** 2 * (0.15 * x**-beta) ** 2
        return 0.01 + w**2 * (0.1 * x**-0.2 - 0.01) + drawn**beta

    data = data_of(half)
    pure = 0.1 * (SIZES[BASE] / N0) ** -0.2 + 0.2 * (S * SIZES[BASE] / N0) ** -0.4
    real, gains = data.real, data.real[BASE] - pure
    synthetic = joint(real, gains, 0.01 * pure)
    assert j3(data, synthetic, 0.5, None, None).rmse_log_error < 0.02
    assert j3(data, synthetic, None, None, None).rmse_log_error > 0.05


def test_the_table_of_forms_says_everything_about_each():
    assert {form.kind for form in FORM_TABLE} == {"real-only curve", "equivalence law", "joint law"}
    assert len({form.name for form in FORM_TABLE}) == len(FORM_TABLE)
    for form in FORM_TABLE:
        assert form.formula and form.source
        assert all(p.unit and p.low < p.high for p in form.parameters)
    assert next(f for f in FORM_TABLE if f.name == "broken power law").least_sizes == 10
    assert {(p.dataset, p.c2) for p in PUBLISHED} >= {("CIFAR-10", 2.53), ("BloodMNIST", 3.88), ("ImageNet-100", 37.84)}
