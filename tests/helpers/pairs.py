"""Simulated grids with planted noise of pairs, image by image; no code is shared with ``analysis.power``.

At each size, the real-only classifiers are wrong on the same set of hard images. A classifier with synthetic images is
newly right on a share (d/2 + gain) of all images, and newly wrong on d/2. Which images these are is chosen in each
trial for most images, once per draw for a share of them, and once for all draws for another share.
"""

from __future__ import annotations

import numpy as np
import pandas as pd


def planted_shares(
    image: float, draw: float, gain: float = 0.0, discordance: float = 0.1, error: float = 0.3
) -> tuple[float, float]:
    """Shares of the variance of gains that are due to an image, and to an image within a draw, at one true gain.

    In addition to what is planted, hard images can only become right, and the others only wrong, in all draws.
    """
    better, worse = discordance / 2 + gain, discordance / 2
    always = (better**2 / error + worse**2 / (1 - error) - gain**2) / (discordance + gain - gain**2)
    kept = image + (1 - image) * always
    return kept, image + draw + (1 - image - draw) * always - kept


def simulate_pairs(
    rng: np.random.Generator,
    *,
    gain: float,
    error: float = 0.3,
    discordance: float = 0.1,
    image: float = 0.1,
    draw: float = 0.3,
    spread: float = 0.0,
    sizes: tuple[int, ...] = (100,),
    multiples: tuple[int, ...] = (1,),
    generators: tuple[str, ...] = ("edm",),
    draws: int = 6,
    seeds: int = 2,
    images: int = 600,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measurements and predictions; ``gain`` is at the largest amount, true gains vary by ``spread`` x ``error``."""
    rows, predicted = [], []
    labels = (np.arange(images) % 2).astype(np.uint16)

    def add(n: int, s: int, generator: str, d: int, seed: int, wrong: np.ndarray) -> None:
        key = f"{generator}-{n}-{s}-{d}-{seed}"
        rows.append(
            {
                "key": key, "status": "done", "num_real": n, "num_synthetic": n * s, "draw": d, "seed": seed,
                "generator": generator if s else "none", "family": generator if s else "none", "classifier": "mlp",
                "protocol": "mixed" if s else "real-only", "real_share": "0.5" if s else "none",
                "test_error": wrong.mean(), "seconds": 1.0,
            }
        )  # fmt: skip
        predicted.append({"key": key, "label": labels, "predicted": np.where(wrong, 1 - labels, labels)})

    for n in sizes:
        hard = rng.random(images) < error
        for d in range(draws):
            for seed in range(seeds):
                add(n, 0, "none", d, seed, hard)
        for generator in generators:
            luck = spread * error * rng.standard_normal(draws)
            for s in multiples:
                source = rng.random(images)
                fixed = rng.random(images)
                for d in range(draws):
                    g = (gain if s == max(multiples) else 0.0) + luck[d]
                    better = (discordance / 2 + max(g, 0)) / error
                    worse = (discordance / 2 + max(-g, 0)) / (1 - error)
                    of_draw = rng.random(images)
                    for seed in range(seeds):
                        chosen = np.where(source < image + draw, of_draw, rng.random(images))
                        chosen = np.where(source < image, fixed, chosen)
                        flipped = chosen < np.where(hard, better, worse)
                        add(n, s, generator, d, seed, hard ^ flipped)
    return pd.DataFrame(rows), pd.DataFrame(predicted)
