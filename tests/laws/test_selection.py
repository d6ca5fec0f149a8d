"""Joint fits of planted laws: the plant is found again, and held-out cells are never seen."""

import numpy as np
import pytest

from synaug_ray.laws.curves import CURVES
from synaug_ray.laws.equivalence import BY_NAME, FORMS, grow
from synaug_ray.laws.joint import JointData, split
from synaug_ray.laws.selection import akaike_weights, choose, development, fit_curves, fit_forms, judge_forms

CURVE = next(curve for curve in CURVES if curve.name == "power law")
SIZES = np.array([20.0, 40.0, 80.0, 160.0, 320.0])
MULTIPLES = np.array([0.5, 1.0, 2.0, 4.0, 8.0])
N0 = 80.0
PLANTS = {
    "F0": (0.2,),
    "F1": (np.log(2.53), 0.8),
    "F2": (0.4, 0.5, 0.5),
    "F3": (0.8, 0.6, 2.0),
    "F4": (1.2, 0.6, 3.0),
    "F5": (0.3, 0.5, 0.6),
    "F6": (0.8, 0.8, 1.0, 0.03),
    "F3 signed": (0.1, 0.3, 2.0),
    "F4 signed": (0.1, 0.3, 2.0),
}


def planted(name, noise=0.0, seed=0):
    """Cells of a power law b = 0.15, c = 0.55 and the law ``name``."""
    rng = np.random.default_rng(seed)
    real = 0.15 * (SIZES / N0) ** -0.55
    base = np.repeat(np.arange(len(SIZES)), len(MULTIPLES))
    s = np.tile(MULTIPLES, len(SIZES))
    p = tuple(np.array([[value]]) for value in PLANTS[name])
    r = BY_NAME[name].r(p, SIZES[base] / N0, s)[0]
    mixed = 0.15 * (grow(SIZES[base], r) / N0) ** -0.55
    real = real * np.exp(noise * rng.standard_normal(len(real)))
    mixed = mixed * np.exp(noise * rng.standard_normal(len(mixed)))
    level = max(noise, 0.01)
    return JointData(
        sizes=SIZES,
        real=real,
        real_error=level * real,
        base=base,
        s=s,
        gains=real[base] - mixed,
        gain_error=level * mixed,
        chance=0.9,
        n0=N0,
        least_error=1e-4,
    )


@pytest.mark.parametrize("name", PLANTS)
def test_planted_law_is_recovered_from_exact_cells(name):
    data = planted(name)
    start = fit_curves(data)["power law"].fit.theta
    candidate = fit_forms(data, CURVE, start, (BY_NAME[name],))[name]
    curve, law = split(candidate.fit.theta[None], CURVE, BY_NAME[name])
    np.testing.assert_allclose([float(v[0, 0]) for v in curve], [0.15, 0.55], rtol=2e-3)
    np.testing.assert_allclose([float(v[0, 0]) for v in law], PLANTS[name], rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("name", ["F0", "F1", "F3", "F3 signed"])
def test_the_planted_form_or_its_twin_carries_the_weight(name):
    data = planted(name, noise=0.01, seed=3)
    weights = akaike_weights(fit_forms(data, CURVE, fit_curves(data)["power law"].fit.theta))
    twins = {
        "F0": {"F0", "F1", "F5"},
        "F1": {"F1", "F2"},
        "F3": {"F3", "F6"},
        "F3 signed": {"F3 signed", "F4 signed"},
    }[name]
    assert sum(weights.get(twin, 0.0) for twin in twins) > 0.5
    assert sum(weights.values()) == pytest.approx(1.0)


def test_an_exact_power_law_needs_no_floor():
    assert choose(fit_curves(planted("F0"))).name == "power law"


def curve_only(error, noise=0.0, seed=0, count=6):
    """Real-only sizes of E(n), with 2% standard errors."""
    sizes = np.geomspace(20, 20 * 2 ** (count - 1), count)
    real = np.array([error(n) for n in sizes]) * np.exp(noise * np.random.default_rng(seed).standard_normal(count))
    none = np.zeros(0)
    return JointData(
        sizes=sizes,
        real=real,
        real_error=0.02 * real,
        base=np.zeros(0, int),
        s=none,
        gains=none,
        gain_error=none,
        chance=0.9,
        n0=float(np.exp(np.log(sizes).mean())),
        least_error=1e-4,
    )


def m4(n):
    odds = 3.0 * (n / 20) ** -0.8
    return (0.02 + 0.9 * odds) / (1 + odds)


def bent(n):
    """A power law whose exponent falls from 0.8 to 0.2 at n = 400."""
    return 0.4 * (n / 20) ** -0.8 * (1 + (n / 400) ** 5) ** (0.6 / 5)


@pytest.mark.parametrize("seed", range(3))
def test_curves_near_chance_are_m4_and_power_laws_are_power_laws(seed):
    """The default goes by evidence: 0.71 of 0.9 is near chance, where a power law has to bend."""
    assert choose(fit_curves(curve_only(m4, 0.01, seed))).name.startswith("M4")
    straight = fit_curves(curve_only(lambda n: 0.3 * (n / 20) ** -0.6, 0.01, seed))
    assert choose(straight).name == "power law"


def test_a_break_is_offered_from_ten_sizes_and_taken_where_there_is_one():
    ten = fit_curves(curve_only(bent, 0.005, count=11))
    assert choose(ten).name == "broken power law"
    theta = ten["broken power law"].fit.theta
    assert ten["broken power law"].fit.cost < 20 and theta[1] > theta[2]  # c0 > c: it falls more slowly after it
    assert "broken power law" not in fit_curves(curve_only(bent, count=9))
    straight = fit_curves(curve_only(lambda n: 0.4 * (n / 20) ** -0.5, 0.01, count=11))
    assert choose(straight).name == "power law"


def test_held_out_are_mixed_cells_of_the_largest_size_and_of_the_largest_amount():
    data = planted("F3")
    masks = development(data)
    assert masks is not None
    sizes, cells = masks
    assert sizes.all()  # the curve keeps all of its real-only sizes
    assert not (cells & ((data.s == 8) | (data.sizes[data.base] == 320))).any()
    assert (~cells).sum() == 9
    seen = data.subset(sizes, cells)
    # Ruining what is held out changes nothing of what selection sees.
    ruined = planted("F3")
    ruined.gains[~cells] = 0.05
    np.testing.assert_array_equal(seen.target, ruined.subset(sizes, cells).target)


def test_skill_is_one_for_exact_extrapolation_and_zero_for_doing_nothing():
    data = planted("F3")
    masks = development(data)
    assert masks is not None
    seen = data.subset(*masks)
    candidates = fit_forms(seen, CURVE, fit_curves(seen)["power law"].fit.theta, (BY_NAME["F0"], BY_NAME["F3"]))
    judged = judge_forms(data, masks, candidates, CURVE, None, 0.9, "F3")
    assert judged["F3"].skill_no_effect == pytest.approx(1.0, abs=1e-3)
    assert judged["F3"].skill_constant_rate == pytest.approx(1.0, abs=1e-3)
    assert judged["F3"].rmse_log_error < 5e-3
    assert judged["F0"].rmse_log_error > 10 * judged["F3"].rmse_log_error


def test_nothing_is_held_out_of_a_small_grid():
    data = planted("F3")
    few_sizes = data.subset(data.sizes <= 80, data.sizes[data.base] <= 80)
    few_amounts = data.subset(data.sizes > 0, data.s >= 4)
    assert development(few_sizes) is None
    assert development(few_amounts) is None


def test_every_form_has_a_plant():
    assert set(PLANTS) == {form.name for form in FORMS}
