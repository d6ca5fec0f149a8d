"""How small a gain a test set can show: the paired binomial noise of two classifiers on the same images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

DISCORDANCE = 0.1  # share of test images on which two equally good classifiers differ in being right; see below


def smallest_gain(
    counts: NDArray[np.int64],
    balanced: bool,
    *,
    discordance: float = DISCORDANCE,
    confidence: float = 0.95,
    power: float = 0.5,
) -> float:
    """The smallest gain, as a fraction of test error, that one pair of classifiers can show.

    Each test image adds -1, 0 or 1 to the gain g, as it is newly wrong, unchanged or newly right. With the share
    d of images that change under equally good classifiers, d + g change, and the variance of the gain is
    (d + g - g^2) k, where k is 1/n, or of the balanced error of K classes the sum of 1/(K^2 n_c). The smallest
    gain solves g = z sqrt((d + g - g^2) k): z is 1.96 where its 95% interval just stays clear of zero, which a
    gain of that size does every other time, and 1.96 + 0.84 where it does so 4 times in 5 (the paired test of
    McNemar, Psychometrika 12, 1947; its sample size: Miettinen, Biometrics 24, 1968, and Connor, Biometrics 43, 1987).

    d = 0.1 is an assumption: classifiers of 10% to 20% error that share about half of their mistakes. Several draws
    and seeds average a part of this noise away, so a run may show somewhat less than this: its intervals say.

    Args:
        counts: test images of each class, int64 [K]; classes without any are left out.
        balanced: whether the balanced error is judged.
        discordance: d.
        confidence: two-sided.
        power: how often a gain of that size is shown.
    """
    present = counts[counts > 0]
    k = float((1 / (len(present) ** 2 * present)).sum()) if balanced else 1 / float(present.sum())
    a = float(norm.isf((1 - confidence) / 2) + norm.isf(1 - power)) ** 2 * k
    return (a + np.sqrt(a * a + 4 * a * (1 + a) * discordance)) / (2 * (1 + a))
