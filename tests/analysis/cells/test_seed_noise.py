"""The part that seeds have in the noise of gains, against planted parts."""

import numpy as np
import pandas as pd
import pytest

from synaug_ray.analysis.cells.seed_noise import seed_share


def planted(of_draw, of_seed, draws=1_500, seeds=3, family="edm"):
    """A table of trials whose gains vary between draws and seeds with these standard deviations."""
    rng = np.random.default_rng(5)
    own = of_draw * rng.standard_normal((draws, 1)) + of_seed * rng.standard_normal((draws, seeds))
    where = {"classifier": "mlp", "num_real": 40, "status": "done"}
    alone = where | {"generator": "none", "family": "none", "protocol": "real-only", "real_share": "none"}
    made = where | {"generator": family, "family": family, "protocol": "mixed", "real_share": "0.5"}
    rows = []
    for (d, s), gain in np.ndenumerate(own):
        level = rng.standard_normal()  # of the pair: no part of its gain
        rows.append(alone | {"draw": d, "seed": s, "num_synthetic": 0, "test_error": level})
        rows.append(made | {"draw": d, "seed": s, "num_synthetic": 160, "test_error": level - gain})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("of_draw,of_seed", [(1.0, 2.0), (1.0, 0.5), (0.0, 1.0)])
def test_planted_parts_come_back(of_draw, of_seed):
    right = of_seed**2 / 3 / (of_draw**2 + of_seed**2 / 3)
    assert seed_share(planted(of_draw, of_seed)) == pytest.approx(right, abs=0.06)


def test_only_gains_of_generators_that_learn_are_seen_and_only_done_trials():
    both = pd.concat([planted(1.0, 2.0), planted(9.0, 0.0, family="duplicate")[lambda t: t["num_synthetic"] > 0]])
    assert seed_share(both) == seed_share(planted(1.0, 2.0))
    failed = planted(1.0, 2.0).assign(status="failed")
    assert seed_share(failed) is None


def test_it_is_not_known_of_one_seed_or_one_draw():
    assert seed_share(planted(1.0, 2.0, seeds=1)) is None and seed_share(planted(1.0, 2.0, draws=1)) is None
    assert seed_share(None) is None and seed_share(planted(1.0, 1.0).drop(columns="test_error")) is None
