"""How often the intervals of a meta-analysis contain the mean and the true effect of a new study, on planted studies.

``python tests/benchmarks/laws/meta_coverage.py``: a minute of a core. Standard errors differ by up to a factor of
four and are estimated from six draws each, as those of runs are, and read from intervals as ``comparison`` does.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import stats

from synaug_ray.laws.meta_analysis import pool

CONFIDENCE, DRAWS = 0.9, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=2000)
    times = parser.parse_args().times
    rng = np.random.default_rng(0)
    # an interval from few draws has Student's t; its standard error is read as if it were normal
    read_as = stats.t.ppf(0.5 + CONFIDENCE / 2, DRAWS - 1) / stats.norm.ppf(0.5 + CONFIDENCE / 2)
    print(
        f"{'studies':>8}{'tau/error':>10}{'mean':>8}{'new':>8}{'usual new':>11}   of {times}, {CONFIDENCE:.0%} intervals"
    )
    for k in (3, 5, 10):
        for tau in (0.0, 0.5, 1.0, 3.0):
            mean = new = usual = 0
            for _ in range(times):
                error = rng.uniform(0.5, 2, k)
                found = pool(
                    rng.normal(0, tau, k) + rng.normal(0, error),
                    error * np.sqrt(rng.chisquare(DRAWS - 1, k) / (DRAWS - 1)) * read_as,
                    CONFIDENCE,
                )
                assert found is not None
                study = rng.normal(0, tau)
                mean += found.mean.low <= 0 <= found.mean.high
                new += found.prediction.low <= study <= found.prediction.high
                se = (found.mean.high - found.mean.value) / stats.t.ppf(0.5 + CONFIDENCE / 2, k - 1)
                half = stats.t.ppf(0.5 + CONFIDENCE / 2, k - 2) * np.hypot(found.tau.value, se)
                usual += abs(study - found.mean.value) <= half
            print(f"{k:>8}{tau:>10}{mean / times:>8.1%}{new / times:>8.1%}{usual / times:>11.1%}", flush=True)


if __name__ == "__main__":
    main()
