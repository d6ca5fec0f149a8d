"""A prediction grid whose distribution of the real images needed is planted: a log-normal one."""

import numpy as np
from scipy.stats import norm

LEVELS = tuple(k / 20 for k in range(1, 20))
SIZES = tuple(float(n) for n in np.geomspace(10, 640, 25))
A, B, SPREAD = 1.2, 0.5, 0.1  # ln error = ln(A n^-B) + SPREAD z


def planted(spread=SPREAD):
    """The grid as ``laws.json`` holds it, with quantiles of the planted error."""
    z = norm.ppf(LEVELS)
    rows = [[float(A * n**-B * np.exp(spread * v)) for v in z] for n in SIZES]
    return {"num_real": SIZES, "error_levels": LEVELS, "error_quantiles": rows, "measured_real_only": (20, 320)}


def truth(target, n, spread=SPREAD):
    """P(the error at n is at most the target)."""
    return norm.cdf((np.log(target) - np.log(A * n**-B)) / spread)


def draw_needed(rng, target, size, spread=SPREAD):
    """Real images that the target needs, in ``size`` planted worlds."""
    return (A / target * np.exp(spread * rng.standard_normal(size))) ** (1 / B)
