"""Real-only scaling laws: a classifier's error as a function of num_real alone.

n0 is the geometric mean of the measured sizes; it keeps prefactor and exponent from being collinear.
E0 = 1 - 1/K is the error of guessing among K classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from synaug_ray.laws.fitting import Parameter

SMALLEST_ERROR = 1e-9  # keeps logarithms finite; far below one test image in a million


@dataclass(frozen=True)
class CurveForm:
    """A parametric form of E(n).

    ``error(p, x, E0)`` takes natural parameters p, each broadcastable to x = n / n0, and returns errors.
    """

    name: str
    formula: str
    source: str
    parameters: tuple[Parameter, ...]
    error: Callable[[tuple[np.ndarray, ...], np.ndarray, float], np.ndarray]
    least_sizes: int = 0  # measured sizes that it needs, besides more sizes than parameters

    def log_error(self, parameters: tuple[np.ndarray, ...], x: np.ndarray, chance: float) -> np.ndarray:
        """log E at x = n / n0, finite everywhere."""
        return np.log(np.maximum(self.error(parameters, x, chance), SMALLEST_ERROR))


_EXPONENT = Parameter("c", "dimensionless", 0.01, 3.0, (0.2, 0.5, 1.0), log=True)
_FLOOR = Parameter("E_inf", "error fraction", 1e-6, 0.9, (1e-3, 1e-2, 0.1), log=True)
_ERROR_AT_N0 = Parameter("b", "error fraction at n0", 1e-6, 2.0, (0.01, 0.1, 0.4), log=True)
_ODDS_AT_N0 = Parameter("b", "(E - E_inf) / (E0 - E) at n0", 1e-6, 1e3, (0.01, 0.1, 1.0), log=True)


def _odds(floor: np.ndarray | float, b: np.ndarray, c: np.ndarray, x: np.ndarray, chance: float) -> np.ndarray:
    odds = b * x**-c
    return (floor + chance * odds) / (1 + odds)


def _broken(p: tuple[np.ndarray, ...], x: np.ndarray, chance: float) -> np.ndarray:
    """A broken power law by its two exponents (c1 in the source's formula is c - c0), so that both sides must fall."""
    b, c0, c, floor, d, f = p
    return floor + b * x**-c0 * (1 + (x / d) ** (1 / f)) ** ((c0 - c) * f)


_M4_SOURCE = (
    "Alabdulmohsin, Neyshabur and Zhai 2022 (arXiv 2209.06640), M4 with its second exponent at 1 and E0 fixed at chance"
)

CURVES: tuple[CurveForm, ...] = (
    CurveForm(
        "M4",
        "(E - E_inf) / (E0 - E) = b (n/n0)^-c",
        _M4_SOURCE,
        (_ODDS_AT_N0, _EXPONENT, _FLOOR),
        lambda p, x, chance: _odds(p[2], p[0], p[1], x, chance),
    ),
    CurveForm(
        "M4 without floor",
        "E / (E0 - E) = b (n/n0)^-c",
        _M4_SOURCE + ", E_inf = 0",
        (_ODDS_AT_N0, _EXPONENT),
        lambda p, x, chance: _odds(0.0, p[0], p[1], x, chance),
    ),
    CurveForm(
        "power law",
        "E = b (n/n0)^-c",
        "Hestness et al. 2017 (arXiv 1712.00409)",
        (_ERROR_AT_N0, _EXPONENT),
        lambda p, x, chance: p[0] * x ** -p[1],
    ),
    CurveForm(
        "power law with floor",
        "E = E_inf + b (n/n0)^-c",
        "Rosenfeld et al. 2020 (arXiv 1909.12673)",
        (_ERROR_AT_N0, _EXPONENT, _FLOOR),
        lambda p, x, chance: p[2] + p[0] * x ** -p[1],
    ),
    CurveForm(
        "broken power law",
        "E = E_inf + b (n/n0)^-c0 (1 + (n/(d n0))^(1/f))^(-(c - c0) f)",
        "Caballero et al. 2022 (arXiv 2210.14891), one break; c0 before it, c after it",
        (
            _ERROR_AT_N0,
            dataclasses.replace(_EXPONENT, name="c0", high=12.0),
            dataclasses.replace(_EXPONENT, high=12.0, starts=(0.2, 0.5, 2.0)),  # a sharp fall may follow a break
            _FLOOR,
            Parameter("d", "n/n0 at the break", 0.02, 50.0, (0.3, 1.0, 3.0), log=True),
            Parameter("f", "dimensionless: width of the break in e-folds of n", 0.05, 2.0, (0.1, 0.5), log=True),
        ),
        _broken,
        least_sizes=10,
    ),
)
CURVES_BY_NAME = {curve.name: curve for curve in CURVES}
