"""Recipes: what is part of their identity, what is a label, and which values make no sense."""

from typing import ClassVar

import pytest
from pydantic import ValidationError

from synaug_ray.config.generator_recipes import (
    DDPMRecipe,
    EDMRecipe,
    GANRecipe,
    LatentRecipe,
    PretrainedRecipe,
    ReferenceRecipe,
)
from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.config.presets import CLASSIFIERS, GENERATORS, REPLAY, SAMPLERS, sampler_of
from synaug_ray.config.protocols import PROTOCOLS
from synaug_ray.config.recipes import ClassifierRecipe, Optimiser, Recipe, SamplerRecipe
from synaug_ray.config.text_recipes import InversionRecipe, TextLoraRecipe
from synaug_ray.config.vit_gan_recipe import ViTGANRecipe

# A key that changes here makes everything stored under the old one count as missing. Never update one
# of these because a test fails: do it because results have changed.
GOLDEN = {
    ("generator", "edm-tiny"): "6c017041a95352348f8f8ee613d387ef",
    ("generator", "edm-smoke"): "6a1529e31fd08bbc1c8b359debe4feef",
    ("generator", "edm-8px"): "b532dbcbbbdf57a8f4da4155ce085db0",
    ("generator", "edm-16px"): "376e2fbdaed6f495e5e5f2bcc7b4786a",
    ("generator", "edm-16px-2"): "1822cd19ceca71e7d483cb9f1e50ce8e",
    ("generator", "edm-16px-3"): "e853150df8e06bbe2c813e6f0b133955",
    ("generator", "edm-28px"): "e63a460db221cf5d74da1d7291b1ae9f",
    ("generator", "edm-28px-2"): "55290a75044c1cd698d0f7434ac7bcd4",
    ("generator", "edm-28px-shapes"): "4b0907bad510bd0f60b4c6721cbe2b03",
    ("generator", "edm-32px"): "fae145a009a214ebb36b444511fd7e51",
    ("generator", "edm-64px"): "93c95441d2aeb47485e08194d7b4447c",
    ("generator", "edm-small"): "9017015628b77cd9e66b7b6edc304b0e",
    ("generator", "latent-64px"): "239f858bd2c61c1e3c22741719b1517d",
    ("generator", "real-holdout"): "917730c77f64ed67bfc0cdf9f92af5b5",
    ("generator", "duplicate"): "1ea71a359456425c3bfa0b09661a959c",
    ("generator", "label-shuffle"): "ef13b66382ef4a578470fcae52986a92",
    ("generator", "jitter"): "706edd091f21f62cbbf8d9b72377bed3",
    ("generator", "mixup"): "6fba29cf6f0d3398e51f23f4e8a14a55",
    ("generator", "augment"): "37dd7433fa91085a068ef5f943c3868c",
    ("generator", "ddpm-tiny"): "d3fed247d3e4a9ce68b237e80ea82c6a",
    ("generator", "gan-tiny"): "751e545e650e85faa6dd7f8a294f1bac",
    ("generator", "vit-gan-tiny"): "521c9315ad6c94a48708a8c1b573b15f",
    ("sampler", "dpmpp-8"): "cabeeca9a386ee38df702fe86cad7840",
    ("sampler", "dpmpp-10"): "8767d911dc33b9e13dd95ba2b8e1dae1",
    ("sampler", "dpmpp-8-narrow"): "c372cc390ab3290b719b627fcdd89671",
    ("sampler", "heun-18"): "6b627db40fdcbaaea057f594ca0f6a79",
    ("sampler", "heun-18-large"): "6632a92e93bdaa10192623aca8072dfb",
    ("sampler", "dpmpp-14-large"): "97b6bb6419e4cb295ad6f132c81b8c95",
    ("sampler", "ddim-50"): "05aba08eb4cd0bca071ba447cd3473c4",
    ("classifier", "mlp"): "fa95a39283560a22caba532e7168dfd6",
    ("classifier", "mlp-smoke"): "de34d069ace7a7c38a9c13ad3f1c63d2",
    ("classifier", "cnn"): "9c20e58e05a00dc6dae0a4f05d254d03",
    ("classifier", "resnet18"): "cffd6fcf98443ea45b91b0c993ee9840",
}
PRESETS = {"generator": GENERATORS, "sampler": SAMPLERS, "classifier": CLASSIFIERS}

UNET = dict(
    channels=(16, 64),
    attention=(False, True),
    layers_per_block=2,
    norm_groups=4,
    dropout=0.2,
    label_dropout=0.2,
    nimg=1,
    max_passes=3.0,
    batch=33,
    learning_rate=1e-3,
    adam_beta2=0.95,
    warmup_nimg=1_601,
    conditioning="scale-shift",
    schedule="constant",
    ema_half_life=1_601,
    flip=True,
    precision="bf16",
)
TEXT = dict(
    base_content="1" * 64,
    prompt="{label} {token}",
    words=("a", "b"),
    prompts_content="0" * 64,
    size=64,
    nimg=1,
    max_passes=3.0,
    batch=9,
    learning_rate=1e-3,
    weight_decay=0.1,
    warmup_nimg=1,
    ema_half_life=1,
    flip=True,
    precision="bf16",
    schedule="constant",
)
OTHER = {  # a value for every field that is not its default
    EDMRecipe: UNET | dict(p_mean=-1.1, p_std=1.1, noise_frequencies="rising", augment=0.12, micro_batch=16),
    LatentRecipe: UNET
    | dict(
        conditioning="add",
        p_mean=-1.2,
        p_std=1.2,
        noise_frequencies="rising",
        micro_batch=16,
        autoencoder_share=0.5,
        autoencoder_channels=(8, 16),
        autoencoder_learning_rate=1e-3,
        latent_channels=8,
        autoencoder_content="0" * 128,
        kl_weight=1e-5,
    ),
    LoraRecipe: UNET
    | dict(
        nimg=1_600,
        p_mean=-1.1,
        p_std=1.1,
        noise_frequencies="rising",
        micro_batch=16,
        base_content="1" * 192,
        rank=8,
        alpha=8.0,
        adapts="attention",
        class_ids=(1, 0),
        per_class=True,
        validation_share=0.2,
    ),
    TextLoraRecipe: TEXT | dict(rank=8, alpha=8.0, text_encoder=False, per_class=True),
    InversionRecipe: TEXT | dict(token="<s>", initial="photo"),
    DDPMRecipe: UNET | dict(betas="linear", levels=100),
    GANRecipe: dict(
        channels=(16, 64),
        norm_groups=4,
        nimg=1,
        max_passes=3.0,
        batch=33,
        learning_rate=2e-3,
        latent=8,
        ema_half_life=1_601,
        flip=True,
        precision="bf16",
        schedule="constant",
        augment=("cutout",),
    ),
    ViTGANRecipe: dict(
        patch=2,
        width=24,
        depth=2,
        heads=2,
        latent=8,
        nimg=1,
        max_passes=3.0,
        batch=33,
        learning_rate=2e-3,
        ema_half_life=1_601,
        flip=True,
        precision="bf16",
        schedule="constant",
        augment=("cutout",),
        r1_weight=0.0,
        selection="none",
        threshold=0.9,
        adversarial=False,
    ),
    PretrainedRecipe: dict(
        prompts_content="0" * 64,
        content="owner/other@" + 40 * "0",
        class_ids=(1, 0),
        prompt="{label}",
        words=("a", "b"),
        size=64,
    ),
    ReferenceRecipe: dict(
        family="duplicate", noise=0.5, alpha=0.4, flip=True, shift=0.1, rotate=5.0, scale=0.1, of="held-out", share=0.5
    ),
    SamplerRecipe: dict(
        family="heun",
        steps=9,
        guidance=2.0,
        guidance_interval=(0.2, 2.0),
        strength=0.5,
        start="held-out",
        sigma_min=0.003,
        sigma_max=70.0,
        rho=6.0,
        batch=128,
        shard_size=128,
        precision="bf16",
    ),
    ClassifierRecipe: dict(
        family="timm",
        model="resnet18",
        widths=(128,),
        small_stem=False,
        optimiser=Optimiser(momentum=0.8),
        nimg=1,
        min_passes=3.0,
        batch=65,
        label_smoothing=0.1,
        flip=True,
        shift=1,
        pack=2,
        precision="bf16",
        content=64 * "0",
        tune="head",
        size=224,
        head_learning_rate=1e-2,
        batch_norm="adapted",
        layer_decay=0.8,
        decay_to="weights",
        lora_rank=4,
        lora_alpha=8,
        head="knn",
    ),
    Optimiser: dict(family="sgd", learning_rate=0.1, weight_decay=0.0, momentum=0.5, warmup=0.1),
}
BASE = {
    EDMRecipe: EDMRecipe(name="x"),
    ReferenceRecipe: ReferenceRecipe(name="x", family="jitter"),
    LatentRecipe: LatentRecipe(name="x"),
    LoraRecipe: LoraRecipe(name="x", base="/elsewhere", base_content="0" * 192),
    TextLoraRecipe: TextLoraRecipe(name="x", base="/elsewhere", base_content="0" * 64),
    InversionRecipe: InversionRecipe(name="x", base="/elsewhere", base_content="0" * 64),
    DDPMRecipe: DDPMRecipe(name="x"),
    GANRecipe: GANRecipe(name="x"),
    ViTGANRecipe: ViTGANRecipe(name="x"),
    PretrainedRecipe: PretrainedRecipe(name="x", pipeline="owner/one@" + 40 * "0"),
    SamplerRecipe: SamplerRecipe(name="x"),
    ClassifierRecipe: ClassifierRecipe(name="x"),
    Optimiser: Optimiser(),
}
FIXED = ((LatentRecipe, "augment"), (LatentRecipe, "schedule"), (LoraRecipe, "augment"))  # only the default is allowed
FIELDS = [
    (kind, name)
    for kind, base in BASE.items()
    for name in type(base).model_fields
    if (kind, name) not in FIXED
    and name not in kind.labels | {"family"}
    or (kind in (ReferenceRecipe, SamplerRecipe, ClassifierRecipe) and name == "family")
]


@pytest.mark.parametrize("kind,name", [(k, n) for k, presets in PRESETS.items() for n in presets])
def test_golden_keys_of_the_presets(kind, name):
    assert PRESETS[kind][name].key == GOLDEN[kind, name]


def test_golden_key_of_a_low_rank_change_whose_base_is_elsewhere():
    assert BASE[LoraRecipe].key == "a33473ce5fe9940720ecd1c9211eeaa4"


def test_golden_keys_of_what_is_trained_of_a_text_to_image_pipeline():
    found = [BASE[kind].key for kind in (TextLoraRecipe, InversionRecipe)]
    assert found == ["a06e8ae2f7ef15e6e5b419a31406044f", "6ae3cac84410d6748e9cd05ce3a8e631"]


def test_golden_key_of_replay():
    assert REPLAY.key == "6f5406b79910b2bec912827c9ac1056e"


@pytest.mark.parametrize("kind,field", FIELDS, ids=lambda v: getattr(v, "__name__", v))
def test_every_field_bears_on_the_key(kind, field):
    base = BASE[kind]
    values = base.model_dump() | {field: OTHER[kind][field]}
    where = {"pipeline": values["content"]} if kind is PretrainedRecipe else {}
    where |= {"autoencoder": "/elsewhere"} if field == "autoencoder_content" else {}
    changed = kind.model_validate(values | where)
    assert changed != base and changed.key != base.key


def test_optimiser_bears_on_the_classifier():
    for field, value in OTHER[Optimiser].items():
        changed = ClassifierRecipe(name="x", optimiser=Optimiser(**{field: value}))
        assert changed.key != BASE[ClassifierRecipe].key


def test_labels_do_not_bear_on_the_key():
    assert EDMRecipe(name="y", trained_on=800).key == BASE[EDMRecipe].key
    assert ReferenceRecipe(name="y", family="jitter").key == BASE[ReferenceRecipe].key
    assert SamplerRecipe(name="y").key == BASE[SamplerRecipe].key
    assert ClassifierRecipe(name="y").key == BASE[ClassifierRecipe].key


class _First(Recipe):
    a: int = 1


class _Second(Recipe):
    """The same recipe after a release that added a field."""

    later: ClassVar[frozenset[str]] = frozenset({"b"})
    a: int = 1
    b: float = 0.5


def test_a_later_field_leaves_old_keys_as_they_were_and_bears_on_new_ones():
    assert _Second().key == _First().key and _Second(a=2).key == _First(a=2).key
    assert _Second(b=0.6).key != _First().key
    assert len({_Second(a=a, b=b).key for a in (1, 2) for b in (0.5, 0.6, 0.7)}) == 6


@pytest.mark.parametrize("kind", [k for k in BASE if k.later])
def test_later_fields_exist_and_have_defaults(kind):
    assert all(not kind.model_fields[name].is_required() for name in kind.later)


def test_recipes_of_two_families_never_share_a_key():
    keys = [r.key for presets in PRESETS.values() for r in presets.values()]
    assert len(set(keys)) == len(keys)


def test_a_written_out_default_is_the_default():
    for kind, base in BASE.items():
        assert kind.model_validate(base.model_dump(mode="json")).key == base.key
    assert SamplerRecipe.model_validate({"name": "x", "guidance": 3}).key == SamplerRecipe(name="x", guidance=3.0).key


def test_a_generator_gets_the_sampler_asked_for_or_that_of_its_family():
    for recipe in (*GENERATORS.values(), BASE[PretrainedRecipe]):
        for wanted in SAMPLERS.values():
            got = sampler_of(recipe, wanted.model_copy(update={"shard_size": 77}))
            assert got.family in recipe.samplers and got.shard_size == 77
            assert (got.steps, got.guidance) == (wanted.steps, wanted.guidance) or wanted.family not in recipe.samplers


@pytest.mark.parametrize(
    "recipe,length",
    [
        (EDMRecipe(name="x"), 16_000),
        (EDMRecipe(name="x", max_passes=10.0), 200),
        (GANRecipe(name="x", nimg=50), 50),
        (BASE[ReferenceRecipe], 0),
        (BASE[PretrainedRecipe], 0),
    ],
)
def test_images_seen_on_twenty_images(recipe, length):
    assert recipe.length(20) == length


def test_recipes_are_frozen():
    with pytest.raises(ValidationError):
        BASE[EDMRecipe].nimg = 3


@pytest.mark.parametrize(
    "kind,values,said",
    [
        (EDMRecipe, {"nimg": 0}, "greater than or equal to 1"),
        (EDMRecipe, {"nimg": 1.0}, "whole number"),
        (EDMRecipe, {"nimg": 10**13}, "less than or equal to"),
        (EDMRecipe, {"dropout": 1.0}, "less than 1"),
        (EDMRecipe, {"learning_rate": float("nan")}, "finite"),
        (EDMRecipe, {"learning_rate": True}, "should be a number"),
        (EDMRecipe, {"p_mean": float("inf")}, "finite"),
        (EDMRecipe, {"flip": 1}, "valid boolean"),
        (EDMRecipe, {"channels": (), "attention": ()}, "at least 1 item"),
        (EDMRecipe, {"channels": (16, 32, 64)}, "3 channels and 2 attention entries"),
        (EDMRecipe, {"channels": (16, 20)}, r"channels \[20\] do not divide into norm_groups: 8"),
        (EDMRecipe, {"name": "a b"}, "pattern"),
        (EDMRecipe, {"epochs": 3}, "Extra inputs"),
        (EDMRecipe, {"micro_batch": 5}, "batch 32 does not divide into micro_batch: 5"),
        (GANRecipe, {"channels": (16, 20)}, r"channels \[20\] do not divide into norm_groups: 8"),
        (GANRecipe, {"augment": ("blur",)}, "translate"),
        (ViTGANRecipe, {"heads": 5}, "width 48 does not divide into heads: 5; give a multiple of it"),
        (ViTGANRecipe, {"threshold": 1.0}, "less than 1"),
        (ViTGANRecipe, {"channels": (8,)}, "Extra inputs"),
        (DDPMRecipe, {"levels": 1}, "greater than or equal to 2"),
        (ReferenceRecipe, {"alpha": 0.0}, "greater than 0"),
        (ReferenceRecipe, {"rotate": 181.0}, "less than or equal to 180"),
        (SamplerRecipe, {"steps": 1}, "greater than or equal to 2"),
        (SamplerRecipe, {"sigma_min": 80.0}, "sigma_min 80 is not below sigma_max 80"),
        (SamplerRecipe, {"guidance_interval": (2.0, 2.0)}, r"guidance_interval \[2, 2\] is empty"),
        (ClassifierRecipe, {"shift": -1}, "greater than or equal to 0"),
        (ReferenceRecipe, {"noise": -0.1}, "greater than or equal to 0"),
    ],
)
def test_values_without_sense_are_refused(kind, values, said):
    with pytest.raises(ValidationError, match=said):
        kind.model_validate(BASE[kind].model_dump() | values)


def test_a_changed_copy_has_a_key_of_its_own():
    recipe = SAMPLERS["dpmpp-8"].model_copy(update={"steps": 7})
    before = recipe.key
    assert recipe.model_copy(update={"steps": 9}).key != before == recipe.model_copy().key


def test_a_changed_copy_has_none_of_the_computed_keys_of_its_original():
    stages = PROTOCOLS["bridged"]
    network = ClassifierRecipe(name="h", family="timm", model="resnet18")
    before = stages.options_key, network.network_key, network.any_length_key
    changed, other = stages.model_copy(update={"mixup": 0.0}), network.model_copy(update={"model": "resnet34"})
    after = changed.options_key, other.network_key, other.any_length_key
    assert all(a != b for a, b in zip(before, after, strict=True))
