"""The covariance of a study's cells, for the weights of fits.

Cells share test images, draws and, through pairing, their real-only baseline: three amounts at one size are not
three independent measurements. The covariance due to test images is well measured. For draws, variances are pooled over
cells, and correlations over pairs of cells with the same relation (same size or not, error or gain): a few draws cannot
show more.
"""

from __future__ import annotations

import numpy as np

from synaug_ray.laws.bootstrap import Components, positive_part

PRIOR_FREEDOM = 2.0  # correlations are shrunk towards zero, as if so many further draws had shown none
HIGHEST_CORRELATION = 0.95


def relations(base: np.ndarray, sizes: int) -> np.ndarray:
    """The relation of each pair of cells, int [k + C, k + C]; ``base`` [C] is the size index of each mixed cell."""
    size = np.concatenate([np.arange(sizes), base])
    mixed = np.arange(len(size)) >= sizes
    same = size[:, None] == size
    return 2 * (mixed[:, None].astype(int) + mixed) + same


def cell_covariance(parts: Components, draw_variance: np.ndarray, base: np.ndarray, sizes: int) -> np.ndarray | None:
    """Covariance [k + C, k + C] of errors [k] and gains [C]; None if some have no between-draw variance.

    Args:
        parts: of the same cells, in the same order.
        draw_variance: pooled, [k + C].
        base: int [C], the index of each mixed cell's size among the ``sizes`` k sizes.
    """
    if not np.isfinite(draw_variance).all():
        return None
    freedom = float(np.median(parts.draws) - 1)
    length = np.maximum(np.sqrt(parts.draw_variance), 1e-30)
    unit = parts.draw_deviations / length[:, None]
    cosine = unit @ unit.T
    kind = relations(base, sizes)
    correlation = np.eye(len(cosine))
    apart = ~np.eye(len(cosine), dtype=bool)
    for k in np.unique(kind):
        pairs = (kind == k) & apart
        if pairs.any():
            correlation[pairs] = np.mean(cosine[pairs]) * freedom / (freedom + PRIOR_FREEDOM)
    correlation = np.where(apart, np.clip(correlation, -HIGHEST_CORRELATION, HIGHEST_CORRELATION), 1.0)
    correlation = positive_part(correlation, 1e-3)
    scale = np.sqrt(np.diag(correlation))
    spread = np.sqrt(draw_variance)
    images = positive_part(parts.image_covariance - parts.interaction)
    return correlation / np.outer(scale, scale) * np.outer(spread, spread) + images
