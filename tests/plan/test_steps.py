"""Steps: pinned keys, what enters them and what must not, and parents."""

from dataclasses import replace

import pytest

from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.generator_recipes import EDMRecipe
from synaug_ray.config.presets import CLASSIFIERS, FILTERS, GENERATORS, SAMPLERS
from synaug_ray.config.protocols import StagedProtocol
from synaug_ray.config.recipes import ClassifierRecipe, Optimiser, SamplerRecipe
from synaug_ray.plan.steps import GeneratorStep, Pool, ShardStep, TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset

DATA = DataIdentity("digits", "fp")
SUBSET = Subset(DATA, 40, 1)
# spelt out: presets may be tuned, and have goldens of their own in test_recipes.py
EDM = EDMRecipe(
    name="edm",
    channels=(16, 32),
    attention=(False, True),
    layers_per_block=1,
    norm_groups=8,
    dropout=0.1,
    label_dropout=0.15,
    nimg=19_200,
    max_passes=None,
    batch=32,
    learning_rate=8e-3,
    warmup_nimg=1_600,
    ema_half_life=1_600,
    p_mean=-1.2,
    p_std=1.2,
    flip=False,
)
SAMPLER = SamplerRecipe(
    name="s",
    family="dpmpp-2m",
    steps=8,
    guidance=1.5,
    sigma_min=0.002,
    sigma_max=80.0,
    rho=7.0,
    batch=256,
    shard_size=256,
)
MLP = ClassifierRecipe(
    name="m",
    family="mlp",
    model="",
    widths=(128, 128),
    small_stem=True,
    nimg=64_000,
    batch=64,
    label_smoothing=0.0,
    flip=False,
    shift=0,
    pack=16,
    optimiser=Optimiser(family="adamw", learning_rate=3e-3, weight_decay=0.01, momentum=0.9, warmup=0.05),
)
GENERATOR = GeneratorStep(SUBSET, EDM)
POOL = Pool(GENERATOR, SAMPLER)
TRIAL = TrialStep(SUBSET, POOL, 80, "mixed", 0.5, MLP, 1)
REAL_ONLY = TrialStep(SUBSET, None, 0, "real-only", None, MLP, 0)


GOLDEN = {  # never to be updated because a test fails: only because results have changed
    "generator": "539286d29e0c2c60144a188735935107",
    "shard": "e535fe6fc56384f8ff2509ed770c972f",
    "pool": "1449fc2386869e0187b7f0c206c1dd9f",
    "trial": "7cfcd6a7aa1b11baabb91a1596779aa3",
    "real-only": "2f86fc0a06c656cf59febaca0e32c7c7",
}


def test_golden_keys():
    """What is stored is found by these: one that changes by accident makes everything run again."""
    assert DATA.key == "016b6c568a5c7e48f0630a84ae06ccec"
    made = {
        "generator": GENERATOR,
        "shard": ShardStep(GENERATOR, SAMPLER, 2),
        "pool": POOL,
        "trial": TRIAL,
        "real-only": REAL_ONLY,
    }
    assert {name: step.key for name, step in made.items()} == GOLDEN


STAGED = {  # recipes are spelt out, because presets may be tuned
    "bridged": StagedProtocol(family="bridged", name="b", first_share=0.5, reset_head=True, mixup=0.2),
    "real-then-real": StagedProtocol(family="real-then-real", name="r", first_share=0.5, reset_head=True, mixup=0.2),
}
GOLDEN_STAGED = {  # as GOLDEN
    "bridged": "6c175260a371c77dacc859b29bdc1daf",
    "real-then-real": "1a6839d00c6acff756813407046bbfb3",
}


def staged(family, **changes):
    stages = STAGED[family].model_copy(update=changes)
    pool, synthetic = (POOL, 80) if stages.synthetic else (None, 0)
    return TrialStep(SUBSET, pool, synthetic, stages.family, None, MLP, 1, stages=stages)


def test_golden_keys_of_trials_in_two_stages():
    assert {name: staged(name).key for name in STAGED} == GOLDEN_STAGED


@pytest.mark.parametrize("change", [{"first_share": 0.25}, {"reset_head": False}, {"mixup": 0.0}])
@pytest.mark.parametrize("family", STAGED)
def test_every_option_of_stages_enters_the_key_and_their_name_does_not(family, change):
    assert staged(family, **change).key != staged(family).key == staged(family, name="other").key
    assert staged(family, **change).common_seed == staged(family).common_seed == TRIAL.common_seed


def test_golden_seeds():
    assert (GENERATOR.seed, TRIAL.common_seed) == (8300909788596083416, 1343155298168222763)


def test_the_path_of_a_source_is_where_and_not_what():
    here, there = (DataIdentity(f"folder:{p}", "fp") for p in ("/a/images", "/b/elsewhere"))
    assert here.key == there.key
    assert DataIdentity("npz:/a/images", "fp").key != here.key


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "fq"},
        {"source": "cifar10"},
        *(
            {"options": DataOptions(**{name: value})}
            for name, value in {
                "size": 16,
                "resize": "pad",
                "mode": "gray",
                "split_seed": 1,
                "holdout": 0.3,
                "group": "a",
                "image": "a",
                "label": "a",
                "duplicates": "warn",
                "on_bad": "drop",
                "ordinal": True,
                "leave_out": ("test",),
            }.items()
        ),
    ],
)
def test_what_the_images_are_enters_every_key(change):
    subset = replace(SUBSET, data=replace(DATA, **change))
    generator = replace(GENERATOR, subset=subset)
    assert generator.key != GENERATOR.key
    assert replace(TRIAL, pool=Pool(generator, SAMPLER)).key != TRIAL.key
    assert replace(REAL_ONLY, subset=subset).key != REAL_ONLY.key


@pytest.mark.parametrize(
    "change",
    [
        {"subset": replace(SUBSET, num_real=41)},
        {"subset": replace(SUBSET, draw=0)},
        {"subset": replace(SUBSET, stratify="balanced")},
        {"pool": None},
        {"num_synthetic": 81},
        {"protocol": "pretrain"},
        {"real_share": None},
        {"real_share": 0.75},
        {"real_weight": 0.9},
        {"classifier": CLASSIFIERS["mlp-smoke"]},
        {"seed": 0},
        {"pool": Pool(GENERATOR, SAMPLERS["heun-18"])},
        {"filter": FILTERS["confident"]},
        {"filter": FILTERS["confident"].model_copy(update={"share": 0.3})},
        {"filter": FILTERS["inliers"]},
        {"pool": Pool(replace(GENERATOR, recipe=GENERATORS["jitter"]), SAMPLER)},
    ],
)
def test_every_field_of_a_trial_enters_its_key(change):
    assert replace(TRIAL, **change).key != TRIAL.key


@pytest.mark.parametrize("name,raw", [("confident", 100), ("no-copies", 160)])
def test_a_filter_asks_for_more_of_the_pool_than_it_keeps(name, raw):
    trial = replace(TRIAL, num_synthetic=80, filter=FILTERS[name])
    assert trial.num_raw == raw and trial.parents() == POOL.shards(raw)


def test_labels_of_recipes_enter_no_key():
    renamed = EDM.model_copy(update={"name": "other", "trained_on": 40})
    assert replace(GENERATOR, recipe=renamed).key == GENERATOR.key
    classifier = MLP.model_copy(update={"name": "other"})
    assert replace(TRIAL, classifier=classifier).key == TRIAL.key


def test_a_version_raised_by_hand_changes_the_key_and_its_descendants(monkeypatch):
    monkeypatch.setattr(GeneratorStep, "version", 2)
    changed = GeneratorStep(SUBSET, EDM)
    assert changed.key != GOLDEN["generator"] and ShardStep(changed, SAMPLER, 2).key != GOLDEN["shard"]


def test_stages_of_the_same_fields_have_different_keys():
    """The stage is part of the key: no shard may ever be taken for a generator."""
    shard = ShardStep(GENERATOR, SAMPLER, 0)
    assert len({GENERATOR.key, shard.key, POOL.key, TRIAL.key}) == 4


@pytest.mark.parametrize("num_synthetic,shards", [(1, 1), (255, 1), (256, 1), (257, 2), (512, 2), (513, 3), (0, 0)])
def test_a_prefix_ends_inside_a_shard(num_synthetic, shards):
    assert SAMPLER.shard_size == 256
    parents = POOL.shards(num_synthetic)
    assert [s.index for s in parents] == list(range(shards))
    assert replace(TRIAL, num_synthetic=num_synthetic).parents() == parents


def test_growing_a_pool_only_adds_shards():
    small, large = POOL.shards(300), POOL.shards(3_000)
    assert [s.key for s in large[: len(small)]] == [s.key for s in small]
    assert Pool(GENERATOR, SAMPLER).shards(300) == small


def test_parents():
    assert GENERATOR.parents() == () and REAL_ONLY.parents() == ()
    assert POOL.shard(3).parents() == (GENERATOR,)


def test_cells_of_a_draw_and_seed_share_their_seed_so_that_they_can_be_paired():
    assert replace(TRIAL, subset=replace(SUBSET, num_real=20), num_synthetic=5).common_seed == TRIAL.common_seed
    real = replace(TRIAL, pool=None, num_synthetic=0, protocol="real-only", real_share=None)
    assert real.common_seed == TRIAL.common_seed
    assert replace(TRIAL, seed=2).common_seed != TRIAL.common_seed
    assert replace(TRIAL, subset=replace(SUBSET, draw=2)).common_seed != TRIAL.common_seed


def test_generators_of_a_draw_share_their_seed_over_sizes():
    assert replace(GENERATOR, subset=replace(SUBSET, num_real=80)).seed == GENERATOR.seed
    assert replace(GENERATOR, subset=replace(SUBSET, draw=2)).seed != GENERATOR.seed


def test_only_a_search_for_copies_among_mirrored_images_has_a_new_key():
    """Where the generator was trained with flips and the filter looks for copies: elsewhere results are what they were."""

    def keys(filter_name, flip, **fields):
        generator = GeneratorStep(SUBSET, EDM.model_copy(update={"flip": flip, **fields}))
        trial = TrialStep(SUBSET, Pool(generator, SAMPLER), 80, "mixed", 0.5, MLP, 1, FILTERS[filter_name])
        return trial.mirrors, "mirrors" in trial.fields()

    assert keys("no-copies", True) == keys("no-copies", False, augment=0.1) == (True, True)
    for name, flip in (("no-copies", False), ("confident", True), ("inliers", True)):
        assert keys(name, flip) == (False, False)
