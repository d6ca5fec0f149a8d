"""Plans: each step once, what is missing in a Store, and trials grouped for joint training."""

import resource
import subprocess
import sys

import pytest
from helpers.paths import DESIGNS, REPOSITORY, overrides_of

from synaug_ray.config.load import load_grid, validate_grid
from synaug_ray.config.yaml_source import Lines
from synaug_ray.plan.plan import Plan, make_plan, packs, pending
from synaug_ray.plan.step import STAGES as ALL_STAGES
from synaug_ray.plan.subset import DataIdentity

DATA = DataIdentity("digits", "fp")
STAGES = tuple(stage for stage in ALL_STAGES if stage != "features")  # none of these grids has any


def plan(**values) -> Plan:
    base = {
        "dataset": "digits",
        "num_real": [20, 40],
        "synthetic_multiples": [0, 1, 2],
        "generators": ["edm-tiny"],
        "classifiers": ["mlp"],
        "draws": 2,
        "seeds": 2,
        "sampler": {"shard_size": 32},
        "training_check": {"draws": 0},
    }
    return make_plan(validate_grid(base | values, Lines("g.yaml")), DATA)


class RunStatus:
    """A Store that says of some keys that they stand."""

    def __init__(self, *steps):
        self.standing = {stage: {s.key for s in steps if s.stage == stage} for stage in ALL_STAGES}

    def keys(self, stage):
        return self.standing[stage]


def keys(made: Plan):
    return {stage: set(made.steps(stage)) for stage in STAGES}


def counts(made: Plan):
    return tuple(len(made.steps(stage)) for stage in STAGES)


def test_counts_by_hand():
    """2 sizes x 2 draws generators; shards of 32: 20 -> 40 images, 2 each; 40 -> 80 images, 3 each; a look at each."""
    made = plan()
    assert counts(made) == (4, 2 * 2 + 2 * 3, 4, 2 * 2 * 2 * 3)
    assert len(made.rows) == 24


def test_keys_are_those_of_the_steps_and_parents_come_along():
    made = plan(generators=["edm-tiny", "jitter"])
    for stage in STAGES:
        assert all(key == step.key for key, step in made.steps(stage).items())
        assert all(p.key in made.steps(p.stage) for s in made.steps(stage).values() for p in s.parents())


def test_real_only_trials_exist_once():
    one = plan()
    made = plan(
        generators=["edm-tiny", "jitter", "duplicate"],
        real_share=["proportional", 0.5, 0.75],
        protocols=["mixed", "pretrain"],
    )
    real = [t for t in made.trials.values() if t.pool is None]
    assert len(real) == 2 * 2 * 2
    assert {t.key for t in real} == {t.key for t in one.trials.values() if t.pool is None}
    assert sum(r.cell.generator is None for r in made.rows) == len(real)


def test_what_two_products_share_is_planned_once():
    """A block that repeats the grid adds nothing."""
    assert keys(plan(blocks=[{}])) == keys(plan()) and len(plan(blocks=[{}]).rows) == 24
    more = plan(blocks=[{"num_real": [40, 80]}])
    assert counts(more) == counts(plan(num_real=[20, 40, 80]))


def test_amounts_that_round_to_the_same_are_one_trial():
    made = plan(num_real=[3], synthetic_multiples=[0.9, 1.1])
    assert {t.num_synthetic for t in made.trials.values()} == {0, 3} and len(made.trials) == 2 * 2 * 2


def test_a_share_that_the_counts_give_anyway_is_run_once_for_both_studies():
    """Half real at one synthetic image per real one, and a quarter at three, are mixtures in proportion."""
    shares = ["proportional", 0.5, 0.25, 0.75]
    for order in (shares, shares[::-1]):
        made = plan(num_real=[20, 40], synthetic_multiples=[0, 1, 3], real_share=order)
        assert len(made.trials) == 2 * 2 * 2 * (1 + 2 * 4 - 2) and len(made.rows) == 2 * 2 * 2 * (1 + 2 * 4)
        twice = [r for r in made.rows if r.cell.real_share is not None and r.trial.real_share is None]
        assert {(r.cell.real_share, r.cell.num_synthetic // r.cell.num_real) for r in twice} == {(0.5, 1), (0.25, 3)}


def test_a_share_alone_keeps_its_trials():
    """What was done before stays done: only a grid that has the mixture in proportion too shares its trials."""
    made = plan(synthetic_multiples=[0, 1], real_share=[0.5])
    assert {t.real_share for t in made.trials.values() if t.pool} == {0.5}


def test_the_same_mixture_of_two_blocks_is_run_once():
    made = plan(synthetic_multiples=[0, 1], real_share=[0.5], blocks=[{"real_share": ["proportional"]}])
    assert {t.real_share for t in made.trials.values() if t.pool} == {None}


def test_a_weight_equal_to_the_share_is_the_trial_of_before():
    """Half at weight 0.5, and in proportion at the weight that the counts have anyway: keys as without weights."""
    before = plan(synthetic_multiples=[0, 1, 3], real_share=["proportional", 0.5])
    made = plan(synthetic_multiples=[0, 1, 3], real_share=["proportional", 0.5], real_weight=["share", 0.5])
    added = {key: trial for key, trial in made.trials.items() if key not in before.trials}
    assert set(before.trials) <= set(made.trials)
    assert {(t.real_share, t.real_weight, t.num_synthetic // t.subset.num_real) for t in added.values()} == {
        (None, 0.5, 3)
    }
    labels = {(r.cell.real_share, r.cell.real_weight) for r in made.rows if r.cell.generator}
    assert labels == {(None, None), (0.5, None), (None, 0.5)}
    alone = plan(synthetic_multiples=[0, 1], real_share=[0.5], real_weight=[0.5])
    assert set(alone.trials) == set(plan(synthetic_multiples=[0, 1], real_share=[0.5]).trials)


def test_a_share_that_the_counts_give_anyway_is_run_once_at_each_weight():
    made = plan(synthetic_multiples=[0, 1], real_share=["proportional", 0.5], real_weight=[0.8, 0.9])
    assert {(t.real_share, t.real_weight) for t in made.trials.values() if t.pool} == {(None, 0.8), (None, 0.9)}
    assert len([r for r in made.rows if r.cell.generator]) == 2 * len([t for t in made.trials.values() if t.pool])


def test_generators_trained_on_more_are_shared_over_num_real():
    made = plan(generators=[{"preset": "edm-tiny", "trained_on": 800}])
    assert {g.subset.num_real for g in made.generators.values()} == {800}
    assert counts(made)[0] == 2  # one a draw
    assert counts(made)[1] == 2 * 3  # the longest prefix, 80 images, for both sizes


def test_a_generator_trained_on_the_cells_own_images_is_the_closed_set_one():
    made = plan(num_real=[40], generators=["edm-tiny", {"preset": "edm-tiny", "name": "open", "trained_on": 40}])
    assert counts(made) == counts(plan(num_real=[40]))
    # both names keep their rows in the table
    assert sorted({r.cell.generator.name for r in made.rows if r.cell.generator}) == ["edm-tiny", "open"]
    assert len(made.rows) == 2 * 2 * (1 + 2 * 2)


def test_reference_generators_are_replayed_whatever_the_sampler():
    first = plan(generators=["duplicate"], sampler={"preset": "heun-18", "shard_size": 32})
    assert keys(first) == keys(plan(generators=["duplicate"]))
    assert {s.sampler.shard_size for s in first.shards.values()} == {32}


def test_nothing_is_pending_when_all_stands_and_all_when_nothing_does():
    made = plan()
    assert keys(pending(made, RunStatus())) == keys(made)
    every = [s for stage in STAGES for s in made.steps(stage).values()]
    assert counts(pending(made, RunStatus(*every))) == (0, 0, 0, 0) and pending(made, RunStatus(*every)).complete


def test_a_generator_is_not_needed_when_its_shards_stand():
    made = plan()
    left = pending(made, RunStatus(*made.shards.values()))
    assert counts(left) == (0, 0, len(made.qualities), len(made.trials))


def test_shards_are_not_needed_when_their_trials_stand():
    made = plan()
    left = pending(made, RunStatus(*made.trials.values(), *made.qualities.values()))
    assert counts(left) == (0, 0, 0, 0) and left.complete


def test_pending_in_part():
    """The trial with 80 images needs shard 2 again; its generator stands."""
    made = plan(num_real=[40], draws=1, seeds=1, quality_draws=0)
    (generator,) = made.generators.values()
    by_amount = {t.num_synthetic: t for t in made.trials.values()}
    shards = sorted(made.shards.values(), key=lambda s: s.index)
    left = pending(made, RunStatus(generator, *shards[:2], by_amount[0], by_amount[40]))
    assert keys(left) == {"generator": set(), "shard": {shards[2].key}, "quality": set(), "trial": {by_amount[80].key}}
    # without its generator the shard cannot be made
    left = pending(made, RunStatus(*shards[:2], by_amount[0], by_amount[40]))
    assert set(left.generators) == {generator.key}


@pytest.mark.parametrize(
    "change",
    [
        {"num_real": [20, 30, 40]},
        {"synthetic_multiples": [0, 1, 2, 3]},
        {"draws": 3},
        {"seeds": 3},
        {"generators": ["edm-tiny", "jitter"]},
        {"real_share": ["proportional", 0.5]},
        {"protocols": ["mixed", "pretrain"]},
        {"classifiers": ["mlp", "mlp-smoke"]},
        {"blocks": [{"num_real": [60]}]},
    ],
)
def test_enlarging_a_grid_adds_keys_and_keeps_all(change):
    """Except the quality check of a pool, which is repeated when the pool has grown."""
    before, after = keys(plan()), keys(plan(**change))
    assert all(before[stage] <= after[stage] for stage in STAGES if stage != "quality")
    assert before["quality"] <= after["quality"] or "synthetic_multiples" in change
    assert before["trial"] < after["trial"]


@pytest.mark.parametrize("change", [{"delta": 2.0}, {"confidence": 0.8}, {"replicates": 7}])
def test_how_the_answer_is_told_changes_no_step(change):
    assert keys(plan(**change)) == keys(plan())


def test_a_pool_is_looked_at_once_and_its_first_thousand_images_at_most():
    """An open-set generator serves several sizes with one pool."""
    made = plan(generators=[{"preset": "edm-tiny", "trained_on": 800}], draws=1, num_real=[40, 900])
    (look,) = made.qualities.values()
    assert look.num_images == 1_000 and look.parents() == look.pool.shards(1_000)
    assert [q.num_images for q in plan(draws=1).qualities.values()] == [40, 80]
    assert {q.pool.generator.subset.draw for q in plan(draws=4).qualities.values()} == {0, 1}
    assert not plan(quality_draws=0).qualities and keys(plan(quality_draws=0))["trial"] == keys(plan())["trial"]


def test_packs_hold_every_trial_once_of_one_recipe_and_within_their_width():
    made = plan(generators=["edm-tiny", "jitter"], classifiers=[{"preset": "mlp", "pack": 5}, "mlp-smoke", "resnet18"])
    grouped = packs(made.trials.values())
    assert sorted(t.key for p in grouped for t in p) == sorted(made.trials)
    for pack in grouped:
        assert len({t.classifier.key for t in pack}) == 1 and 1 <= len(pack) <= pack[0].classifier.pack
    for name, total in (("mlp", 40), ("mlp-smoke", 40), ("resnet18", 40)):
        widths = [len(p) for p in grouped if p[0].classifier.name == name]
        width = {"mlp": 5, "mlp-smoke": 16, "resnet18": 1}[name]
        assert sum(widths) == total and len(widths) == -(-total // width)


def test_members_of_a_pack_share_their_images_where_they_can():
    """Seeds of one cell differ by nothing but their seed: they stand together."""
    made = plan(classifiers=[{"preset": "mlp", "pack": 6}])  # 2 seeds x 3 amounts a subset
    for pack in packs(reversed(list(made.trials.values()))):
        assert len({(t.subset, t.pool.key if t.pool else "") for t in pack}) <= 3


def test_no_trials_no_packs():
    assert packs([]) == []


@pytest.mark.parametrize("path", DESIGNS, ids=lambda p: p.stem)
def test_every_shipped_grid_plans(path, tmp_path):
    made = make_plan(load_grid(path, overrides_of(path, tmp_path)), DATA)
    assert all(counts(made))


TEN_THOUSAND = """dataset: digits
num_real: [20, 30, 40, 50, 60, 80, 100, 120, 160, 200]
synthetic_multiples: [0, 1, 2, 4, 8, 16]
real_share: [proportional, 0.5]
generators: [edm-tiny, jitter]
classifiers: [mlp]
draws: 12
seeds: 4
"""


def test_a_dry_run_of_ten_thousand_cells_is_fast_and_loads_neither_torch_nor_ray(tmp_path):
    (tmp_path / "g.yaml").write_text(TEN_THOUSAND)
    code = (
        "import sys; from synaug_ray import grid; "
        f"code = grid.main([{str(tmp_path / 'g.yaml')!r}, '--storage', {str(tmp_path / 's')!r}, '--dry-run']); "
        "print(sorted({'torch', 'ray', 'torchvision', 'timm', 'diffusers'} & set(sys.modules))); sys.exit(code)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "[]"
    assert [line.split()[1] for line in lines if line.startswith("trials")] == [
        f"{10 * 12 * 4 * (1 + 2 * (5 * 2 - 1)) + 10 * 2:,}"
    ]  # half real at 1x is in proportion; the training check takes one seed of two draws
    assert not (tmp_path / "s").exists()
    assert seconds < 6  # of a core, whatever else the machine does; about 2 on a server of 2020
