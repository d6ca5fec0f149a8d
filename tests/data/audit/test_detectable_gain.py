"""The smallest gain: against the equation it solves, simulated pairs of classifiers, and a figure of the issue."""

import numpy as np
import pytest

from synaug_ray.data.audit.detectable_gain import smallest_gain


def test_forty_test_images_show_fifteen_points():
    assert smallest_gain(np.array([20, 20]), False) == pytest.approx(0.147, abs=0.001)


@pytest.mark.parametrize(
    "counts,balanced,k",
    [
        ([250, 350], False, 1 / 600),
        ([234, 390], True, (1 / 234 + 1 / 390) / 4),
        ([100, 0, 300], True, (1 / 100 + 1 / 300) / 4),
    ],
)
def test_it_solves_its_equation(counts, balanced, k):
    g = smallest_gain(np.array(counts), balanced, discordance=0.2)
    assert g == pytest.approx(1.959964 * np.sqrt((0.2 + g - g * g) * k), rel=1e-6)


def test_balanced_classes_make_no_difference():
    assert smallest_gain(np.array([50, 50]), True) == pytest.approx(smallest_gain(np.array([50, 50]), False))


@pytest.mark.parametrize("power", [0.5, 0.8])
@pytest.mark.parametrize("counts,balanced", [([300, 300], False), ([600, 150], True)])
def test_a_gain_of_that_size_is_shown_as_often_as_promised(power, counts, balanced):
    """4,000 simulated pairs: 95% intervals of the paired difference stay clear of zero, within 3 points of it."""
    rng, counts, d = np.random.default_rng(0), np.array(counts), 0.1
    g = smallest_gain(counts, balanced, power=power, discordance=d)
    mean, variance = np.zeros(4_000), np.zeros(4_000)
    for n in counts:
        changes = rng.choice([-1, 0, 1], (4_000, n), p=[d / 2, 1 - d - g, d / 2 + g]).astype(np.int8)
        weight = 1 / len(counts) if balanced else n / counts.sum()
        mean += weight * changes.mean(1)
        variance += weight**2 * changes.var(1) / n
    assert (mean > 1.96 * np.sqrt(variance)).mean() == pytest.approx(power, abs=0.03)
