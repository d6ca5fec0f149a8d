"""Pools of several generators: the turns are exact, prefixes stay prefixes, and nothing is made twice."""

import pytest

from synaug_ray.config.load import validate_grid
from synaug_ray.config.yaml_source import Lines
from synaug_ray.plan.hybrid import HybridPool, in_turn
from synaug_ray.plan.order import early_answers_first
from synaug_ray.plan.plan import make_plan, pending
from synaug_ray.plan.subset import DataIdentity

DATA = DataIdentity("digits", "fp")
OPEN = {"preset": "edm-tiny", "name": "open", "trained_on": 400}
BASE = {
    "dataset": "digits",
    "num_real": [20, 40],
    "synthetic_multiples": [0, 1, 2],
    "classifiers": ["mlp"],
    "draws": 2,
    "seeds": 1,
    "sampler": {"shard_size": 16},
    "training_check": {"draws": 0},
}


def plan(*generators, **values):
    return make_plan(validate_grid(BASE | {"generators": list(generators)} | values, Lines("g.yaml")), DATA)


def hybrid(**parts):
    return {
        "family": "hybrid",
        "name": "both",
        "parts": {name.replace("_", "-"): share for name, share in parts.items()},
    }


@pytest.mark.parametrize("weights", [(1, 1), (1, 3), (1, 1, 1), (333, 333, 334), (999, 1), (7, 5, 3), (1, 2, 3, 4)])
def test_every_prefix_holds_each_part_within_one_image_of_its_share(weights):
    order, total = in_turn(weights), sum(weights)
    assert [order.count(i) for i in range(len(weights))] == list(weights)
    for end in range(1, min(total, 400) + 1):
        assert all(abs(order[:end].count(i) - w * end / total) < 1 for i, w in enumerate(weights))


def test_halves_alternate():
    assert in_turn((1, 1)) == (0, 1) and in_turn((1,)) == (0,) and in_turn((1, 3)) == (1, 0, 1, 1)


def test_a_hybrid_adds_trials_and_checks_and_makes_nothing():
    parts = plan("edm-tiny", OPEN)
    made = plan("edm-tiny", OPEN, hybrid(edm_tiny=0.5, open=0.5))
    assert made.generators.keys() == parts.generators.keys() and made.shards.keys() == parts.shards.keys()
    assert len(made.trials) == len(parts.trials) + 2 * 2 * 2 and len(made.qualities) == len(parts.qualities) + 2 * 2
    assert parts.trials.keys() < made.trials.keys()
    assert all(
        p.key in made.steps(p.stage) for stage in made.stages for s in made.steps(stage).values() for p in s.parents()
    )
    assert early_answers_first(made).shards.keys() == made.shards.keys()


def test_alone_it_makes_no_more_of_its_parts_than_its_share():
    made = plan(hybrid(edm_tiny=0.75, jitter=0.25), num_real=[64], synthetic_multiples=[0, 1])
    counts = {
        name: sum(s.generator.recipe.name == name for s in made.shards.values()) for name in ("edm-tiny", "jitter")
    }
    assert counts == {"edm-tiny": 2 * 3, "jitter": 2 * 1}  # 48 and 16 of 64, in shards of 16
    assert {g.recipe.name for g in made.generators.values()} == {"edm-tiny", "jitter"}
    assert {g.recipe.name for g in plan(hybrid(edm_tiny=0, jitter=1)).generators.values()} == {"jitter"}


def test_it_has_seen_what_the_part_that_saw_most_has_seen():
    made = plan("edm-tiny", OPEN, hybrid(edm_tiny=0.5, open=0.5))
    pools = {row.trial.pool.key: row.trial.pool for row in made.rows if row.cell.generator and row.cell.arm == "both"}
    assert len(pools) == 2 * 2  # sizes and draws
    for pool in pools.values():
        assert isinstance(pool, HybridPool) and pool.generator.subset.num_real == 400
        assert sorted(g.subset.num_real for g in pool.generators)[1] == 400
        for end in (1, 2, 7, 40):
            turns = pool.turns(end)
            assert pool.turns(40)[:end] == turns and [turns.count(0), turns.count(1)] == [n for _, n in pool.taken(end)]
    names = [made.names[g.key] for g in made.generators.values()]
    assert set(names) == {"edm-tiny", "open"}
    assert "of both at 400 real images" in next(r.trial for r in made.rows if r.cell.arm == "both").describe(made.names)


def test_what_is_left_of_it_is_what_is_left_of_its_parts():
    made = plan("edm-tiny", OPEN, hybrid(edm_tiny=0.5, open=0.5))

    class Done:
        def keys(self, stage):
            done = made.steps(stage)
            own = {t.key for t in made.trials.values() if isinstance(t.pool, HybridPool)}
            return set(done) - own - {s.key for s in made.shards.values() if s.generator.recipe.name == "open"}

    left = pending(made, Done())
    assert left.trials and all(isinstance(t.pool, HybridPool) for t in left.trials.values())
    assert {s.generator.recipe.name for s in left.shards.values()} == {"open"} and not left.generators


def test_golden_key():
    """Never to be updated because a test fails: only because results have changed."""
    made = plan(hybrid(edm_tiny=0.5, jitter=0.5), num_real=[20], draws=1)
    pool = next(row.trial.pool for row in made.rows if row.trial.pool)
    assert pool.key == pool.__class__(pool.generator, pool.sampler, pool.parts).key
    by_hand = [[part.key, weight] for part, weight in pool.parts]
    from synaug_ray.common.keys import content_key

    assert pool.key == content_key({"hybrid": by_hand})
