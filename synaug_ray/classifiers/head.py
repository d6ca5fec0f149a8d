"""Linear heads on frozen features: the exact optimum of a convex problem, and the penalty chosen on validation images.

For rows z_i with labels y_i and weights w_i that sum to 1, the head minimises

    sum_i w_i CE(W z_i + b, y_i) + penalty / 2 ||W||^2

with z centred and scaled so that sum_i w_i ||z_i||^2 = 1, which makes a penalty mean the same for every network; b is
free. The weights carry the mixture: of a mixed trial at real share r, r / n for each real image, and (1 - r) / s for
each synthetic one, so that the loss is the one that its batches have on average. L-BFGS (Liu and Nocedal 1989) runs in
the rows' own space, in the coordinates in which their covariance is diagonal, each scaled by its curvature: the optimum
is the same, and is reached in a few dozen steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.optimize import minimize
from scipy.special import logsumexp

Array = NDArray[np.float64]
# From simple heads to ones that fit every row. By whole powers of ten the curve of error by images had steps
PENALTIES = tuple(10.0 ** (-k / 2) for k in range(2, 15))
FLAT = 1e-15  # directions with less than this share of the rows' variance are none
CURVATURE = 0.1  # of the loss along a direction, per unit of variance: a guess that scales coordinates
STEPS, MEMORY = 5_000, 20
EXACT, NEAR = 1e-7, 1e-4  # largest component of the gradient at the head that is kept, and at those it is chosen from


@dataclass(frozen=True)
class Head:
    """A fitted head: logits of features [N, D] are ``z @ weights + bias``."""

    weights: Array  # [D, K]
    bias: Array  # [K]
    penalty: float

    def log_probabilities(self, z: Array) -> Array:
        """Of features [N, D]: [N, K]."""
        logits = z @ self.weights + self.bias
        return logits - logsumexp(logits, axis=1, keepdims=True)


@dataclass(frozen=True)
class Rows:
    """Training rows in coordinates in which their weighted covariance is diagonal."""

    z: Array  # [N, R]
    labels: NDArray[np.int64]  # [N]
    weight: Array  # [N], sums to 1
    variance: Array  # [R], of each coordinate
    axes: Array  # [D, R]: from features, centred, to coordinates
    mean: Array  # [D]
    num_classes: int

    @classmethod
    def of(cls, features: Array, labels: NDArray[np.int64], weight: Array, num_classes: int) -> Rows:
        """Rotate and scale features [N, D]."""
        weight = weight / weight.sum()
        mean = weight @ features
        centred = features - mean
        scale = float(np.sqrt(weight @ (centred**2).sum(1))) or 1.0
        centred /= scale
        half = centred * np.sqrt(weight)[:, None]
        if len(half) <= half.shape[1]:
            variance, vectors = eigh(half @ half.T)
            kept = variance > FLAT
            axes = half.T @ (vectors[:, kept] / np.sqrt(variance[kept]))
        else:
            variance, vectors = eigh(half.T @ half)
            kept = variance > FLAT
            axes = vectors[:, kept]
        return cls(centred @ axes, labels, weight, variance[kept], axes / scale, mean, num_classes)

    def head(self, weights: Array, bias: Array, penalty: float) -> Head:
        """A head in terms of features, from one of coordinates [R, K]."""
        whole = self.axes @ weights
        return Head(whole, bias - self.mean @ whole, penalty)


def fit(
    rows: Rows, penalty: float, start: tuple[Array, Array] | None = None, gradient: float = EXACT
) -> tuple[Array, Array]:
    """The optimum: weights [R, K] in the rows' coordinates, and bias [K]; from ``start`` on, if given."""
    count, k = rows.z.shape[1], rows.num_classes
    stretch = 1 / np.sqrt(CURVATURE * rows.variance + penalty)
    z = rows.z * stretch
    at = np.arange(len(z))

    # one row a class: products of few rows with z take BLAS half the time that those of z with few columns do
    def objective(flat: Array) -> tuple[float, Array]:
        weights, bias = flat[: count * k].reshape(k, count), flat[count * k :]
        logits = weights @ z.T
        logits += bias[:, None]
        logits -= logits.max(0)
        exp = np.exp(logits)
        total = exp.sum(0)
        loss = float(rows.weight @ (np.log(total) - logits[rows.labels, at]))
        exp /= total
        exp[rows.labels, at] -= 1
        exp *= rows.weight
        shrunk = weights * (penalty * stretch**2)
        gradient = np.concatenate([(exp @ z + shrunk).ravel(), exp.sum(1)])
        return loss + 0.5 * float((weights * shrunk).sum()), gradient

    first = np.zeros((count + 1) * k)
    if start is not None:
        first = np.concatenate([(start[0].T / stretch).ravel(), start[1]])
    found = minimize(
        objective,
        first,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": STEPS, "maxfun": 2 * STEPS, "maxcor": MEMORY, "gtol": gradient, "ftol": 0.0},
    )
    return (found.x[: count * k].reshape(k, count) * stretch).T, found.x[count * k :]


def choose(rows: Rows, features: Array, labels: NDArray[np.int64]) -> Head:
    """The head whose penalty gives validation images [V, D] the highest likelihood.

    Tried from the strongest penalty on, each head starting from the one before, until the likelihood falls.
    """
    z, at = (features - rows.mean) @ rows.axes, np.arange(len(labels))
    found, least, chosen = None, np.inf, PENALTIES[0]
    best = None
    for penalty in PENALTIES:
        found = fit(rows, penalty, found, NEAR)
        logits = z @ found[0] + found[1]
        nll = float((np.asarray(logsumexp(logits, axis=1)) - logits[at, labels]).mean())
        if best is not None and nll >= least:
            break
        best, least, chosen = found, nll, penalty
    return rows.head(*fit(rows, chosen, best), chosen)
