"""The mean of a Gaussian, weighted between real images and a biased generator's: the law J3 is exact there.

Real images are N(0, S^2 1) in d dimensions, and the error is FLOOR + |estimate|^2. The generator's are N(b, T^2 1) with
|b| = D. At weight w of the generator's, the risk is w^2 D^2 + w^2 T^2 d / m + (1 - w)^2 S^2 d / n (Jain et al.,
arXiv 2402.04376, with exponent 1), and at the best weight m of them are worth S^2 d / (D^2 + T^2 d / m) real ones,
whatever n. Fitted to real images alone and to the generator's alone, J3 must find this, and predict every mixture.
"""

import numpy as np
import pytest

from synaug_ray.laws.alternatives import j3
from synaug_ray.laws.joint import JointData

SIZES, MULTIPLES = np.array([20.0, 40.0, 80.0, 160.0, 320.0]), np.array([0.5, 1.0, 2.0, 4.0])
BASE, S = np.repeat(np.arange(5), 4), np.tile(MULTIPLES, 5)
N0 = 80.0
DIMENSIONS, FLOOR, SD, OTHER_SD, BIAS = 20, 0.03, 0.8, 1.0, 0.3
DRAWS = 4_000


@pytest.fixture(scope="module")
def means():
    """Running means [draws, d] of nested real images by n, and of the generator's by m; each sum is drawn whole."""
    rng = np.random.default_rng(0)

    def running(sd, counts):
        total, last, found = np.zeros((DRAWS, DIMENSIONS)), 0, {}
        for count in counts:
            total += sd * np.sqrt(count - last) * rng.standard_normal(total.shape)
            last, found[count] = count, total / count
        return found

    bias = np.full(DIMENSIONS, BIAS / np.sqrt(DIMENSIONS))
    amounts = sorted({round(n * s) for n in SIZES for s in MULTIPLES})
    return running(SD, SIZES.astype(int).tolist()), {m: x + bias for m, x in running(OTHER_SD, amounts).items()}


def cells(means, weight):
    """The measured cells at a weight of the generator's images (of a cell, by its s), with their standard errors."""
    real, made = means
    alone = {n: FLOOR + (real[int(n)] ** 2).sum(1) for n in SIZES}
    gains = []
    for n, s in zip(SIZES[BASE], S, strict=True):
        w = weight(s)
        error = FLOOR + ((w * made[round(n * s)] + (1 - w) * real[int(n)]) ** 2).sum(1)
        gains.append(alone[n] - error)

    def of(rows):
        return np.array([r.mean() for r in rows]), np.array([r.std() / np.sqrt(DRAWS) for r in rows])

    (errors, noise), (gain, gain_noise) = of(alone.values()), of(gains)
    return JointData(sizes=SIZES, real=errors, real_error=noise, base=BASE, s=S, gains=gain, gain_error=gain_noise,
                     chance=0.99, n0=N0, least_error=1e-9)  # fmt: skip


@pytest.mark.parametrize("real_weight", [None, 0.25, 0.5, 0.8, 0.95])
def test_pure_curves_predict_every_weighted_mixture(means, real_weight):
    pure = cells(means, lambda s: 1.0)
    mixed = cells(means, lambda s: s / (1 + s) if real_weight is None else 1 - real_weight)
    fitted = j3(mixed, pure, real_weight, None, None)
    assert fitted is not None
    found = {name: estimate.value for name, estimate in fitted.parameters.items()}
    truth = {
        "R_inf": FLOOR, "A": SD**2 * DIMENSIONS / N0, "beta": 1.0,
        "F": FLOOR + BIAS**2, "g": 0.0, "B": OTHER_SD**2 * DIMENSIONS / N0, "h": 1.0,
    }  # fmt: skip
    for name, value in truth.items():
        assert found[name] == pytest.approx(value, rel=0.05, abs=0.03 if name == "g" else 0), name
    assert fitted.rmse_log_error < 0.01
    wrong = j3(mixed, pure, 0.6 if real_weight is None else real_weight / 2, None, None)
    assert wrong is not None and wrong.rmse_log_error > 4 * fitted.rmse_log_error


def test_the_best_weight_and_the_worth_are_those_of_the_closed_form(means):
    pure = cells(means, lambda s: 1.0)
    fitted = j3(pure, pure, 0.0, None, None)
    assert fitted is not None and len(fitted.best) == len(S)
    for best, n, s in zip(fitted.best, SIZES[BASE], S, strict=True):
        of_made, of_real = BIAS**2 + OTHER_SD**2 * DIMENSIONS / (n * s), SD**2 * DIMENSIONS / n
        assert (best.num_real, best.num_synthetic) == (n, n * s)
        assert best.real_weight == pytest.approx(of_made / (of_made + of_real), abs=0.02)
        assert best.error == pytest.approx(FLOOR + 1 / (1 / of_made + 1 / of_real), rel=0.02)
        assert best.worth == pytest.approx(SD**2 * DIMENSIONS / of_made, rel=0.08)
