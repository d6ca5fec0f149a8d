"""Equivalence laws: how many extra real images (r per real image) s synthetic images per real image are worth.

Symbols as in the papers: n real images; s = synthetic images / n; r = extra real images / n, negative if synthetic
images hurt; x = n / n0, with n0 the geometric mean of the measured sizes.
The joint fit (J1) evaluates the real-only curve at n (1 + r).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from synaug_ray.laws.fitting import Parameter

Natural = tuple[np.ndarray, ...]
SMALLEST_SHARE = 0.02  # n (1 + r) is at least this share of n: more harm has never been measured


@dataclass(frozen=True)
class EquivalenceForm:
    """A parametric form of r(n, s).

    ``r(p, x, s)`` takes natural parameters, each broadcastable to x and s; x or s may be complex.
    ``limit(p, x)`` is the largest r at any s (inf if it is unbounded, 0 if no amount helps).
    """

    name: str
    formula: str
    source: str
    parameters: tuple[Parameter, ...]
    r: Callable[[Natural, np.ndarray, np.ndarray], np.ndarray]
    limit: Callable[[Natural, np.ndarray], np.ndarray]

    def slope(self, parameters: Natural, x: np.ndarray, s: np.ndarray) -> np.ndarray:
        """dr/ds by the complex-step method, exact up to rounding (Martins et al. 2003)."""
        return np.imag(self.r(parameters, x, np.asarray(s, dtype=complex) + 1e-30j)) / 1e-30

    def slope_in_x(self, parameters: Natural, x: np.ndarray, s: np.ndarray) -> np.ndarray:
        """dr/dx at constant s, by the same method."""
        return np.imag(self.r(parameters, np.asarray(x, dtype=complex) + 1e-30j, s)) / 1e-30


def grow(n: np.ndarray, r: np.ndarray) -> np.ndarray:
    """n (1 + r), kept positive."""
    return n * np.maximum(1 + r, SMALLEST_SHARE)


def _unbounded(p: Natural, x: np.ndarray) -> np.ndarray:
    return np.full(np.broadcast(p[0], x).shape, np.inf)


def _primary(p: Natural, x: np.ndarray, s: np.ndarray) -> np.ndarray:
    return np.log1p(s * np.exp(-np.clip(p[1] * x, -60, 60))) / p[0]


def _saturation(s: np.ndarray, s0: np.ndarray) -> np.ndarray:
    return -np.expm1(-s / s0)


def _rational(s: np.ndarray, s0: np.ndarray) -> np.ndarray:
    return s / (s + s0)


def _decline_limit(p: Natural, x: np.ndarray) -> np.ndarray:
    """The largest value of R (1 - e^(-s/s0)) - d s, which is at s = s0 ln(R / (d s0)) if that is positive; else 0."""
    bound, s0, d = p[0] * x ** -p[1], p[2], p[3]
    peak = s0 * np.log(np.maximum(bound / (d * s0), 1.0))
    return np.maximum(bound * _saturation(peak, s0) - d * peak, 0.0)


def _signed(p: Natural, x: np.ndarray) -> np.ndarray:
    return p[0] - p[1] * np.log(x)


_BASE = Parameter("b", "dimensionless: falls as n^-b", -2.0, 4.0, (0.0, 1.0))
_BOUND = Parameter("R0", "extra real images per real image at n0, at most", 1e-4, 100.0, (0.05, 0.5, 3.0), log=True)
_SCALE = Parameter("s0", "synthetic images per real image", 0.02, 200.0, (0.3, 2.0, 10.0), log=True)
_SIGNED_BOUND = Parameter(
    "R0", "extra real images per real image at n0, at most; negative is harm", -0.98, 100.0, (-0.3, 0.05, 1.0)
)
_SIGNED_FALL = Parameter("R1", "fall of the bound per e-fold of n", -5.0, 50.0, (0.0, 0.3))
_OURS = "this project, after prototype runs in which gains change sign with n"

FORMS: tuple[EquivalenceForm, ...] = (
    EquivalenceForm(
        "F0",
        "r = s / rho",
        "constant-rate null",
        (Parameter("1/rho", "real images per synthetic image", -0.9, 20.0, (-0.05, 0.01, 0.1, 1.0, 3.0)),),
        lambda p, x, s: p[0] * s,
        lambda p, x: np.where(p[0] > 0, np.inf, 0.0) * np.ones_like(x),
    ),
    EquivalenceForm(
        "F1",
        "s = e^(lambda n) (c2^r - 1)",
        "arXiv 2508.09550, c1^(n/k) written e^(lambda n), lambda = ln c1 / k",
        (
            Parameter("ln c2", "dimensionless", 1e-2, 20.0, (0.3, 1.0, 4.0), log=True),
            Parameter("lambda n0", "dimensionless", -5.0, 10.0, (-1.0, 0.0, 1.0, 3.0)),
        ),
        _primary,
        _unbounded,
    ),
    EquivalenceForm(
        "F2",
        "r = a (n/n0)^-b ln(1 + s/s0)",
        "log growth with a power of n",
        (
            Parameter("a", "extra real images per real image at n0", 1e-4, 50.0, (0.05, 0.5, 3.0), log=True),
            _BASE,
            _SCALE,
        ),
        lambda p, x, s: p[0] * x ** -p[1] * np.log1p(s / p[2]),
        _unbounded,
    ),
    EquivalenceForm(
        "F3",
        "r = R0 (n/n0)^-b (1 - e^(-s/s0))",
        "bounded, after Muennighoff et al. 2023 (arXiv 2305.16264)",
        (_BOUND, _BASE, _SCALE),
        lambda p, x, s: p[0] * x ** -p[1] * _saturation(s, p[2]),
        lambda p, x: p[0] * x ** -p[1],
    ),
    EquivalenceForm(
        "F4",
        "r = R0 (n/n0)^-b s / (s + s0)",
        "bounded, slower than F3",
        (_BOUND, _BASE, _SCALE),
        lambda p, x, s: p[0] * x ** -p[1] * _rational(s, p[2]),
        lambda p, x: p[0] * x ** -p[1],
    ),
    EquivalenceForm(
        "F5",
        "r = kappa (n/n0)^-b s^beta",
        "power law, after Hernandez et al. 2021 (arXiv 2102.01293)",
        (
            Parameter(
                "kappa",
                "extra real images per real image at n0 and s = 1",
                1e-4,
                50.0,
                (0.05, 0.5, 3.0),
                log=True,
            ),
            _BASE,
            Parameter("beta", "dimensionless", 0.05, 3.0, (0.3, 1.0), log=True),
        ),
        lambda p, x, s: p[0] * x ** -p[1] * s ** p[2],
        _unbounded,
    ),
    EquivalenceForm(
        "F6",
        "r = R0 (n/n0)^-b (1 - e^(-s/s0)) - d s",
        "F3 with a decline; the U shape of arXiv 2510.08095",
        (
            _BOUND,
            _BASE,
            _SCALE,
            Parameter("d", "real images lost per synthetic image", 1e-6, 2.0, (1e-3, 0.03), log=True),
        ),
        lambda p, x, s: p[0] * x ** -p[1] * _saturation(s, p[2]) - p[3] * s,
        _decline_limit,
    ),
    EquivalenceForm(
        "F3 signed",
        "r = (R0 - R1 ln(n/n0)) (1 - e^(-s/s0))",
        _OURS,
        (_SIGNED_BOUND, _SIGNED_FALL, _SCALE),
        lambda p, x, s: _signed(p, x) * _saturation(s, p[2]),
        lambda p, x: np.maximum(_signed(p, x), 0.0),
    ),
    EquivalenceForm(
        "F4 signed",
        "r = (R0 - R1 ln(n/n0)) s / (s + s0)",
        _OURS,
        (_SIGNED_BOUND, _SIGNED_FALL, _SCALE),
        lambda p, x, s: _signed(p, x) * _rational(s, p[2]),
        lambda p, x: np.maximum(_signed(p, x), 0.0),
    ),
)
BY_NAME = {form.name: form for form in FORMS}


def reported(form: EquivalenceForm, parameters: Natural, n0: float) -> dict[str, tuple[np.ndarray, str]]:
    """Parameters with the papers' names and units: 1/rho of F0, lambda and c2 of F1."""
    if form.name == "F1":
        return {
            "c2": (np.exp(parameters[0]), "dimensionless"),
            "lambda": (parameters[1] / n0, "per real image (ln c1 / k)"),
        }
    return {p.name: (value, p.unit) for p, value in zip(form.parameters, parameters, strict=True)}
