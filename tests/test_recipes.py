"""Recipes: what is part of their identity, what is a label, and which values make no sense."""

import pytest
from pydantic import ValidationError

from synaug_ray.recipes import (
    CLASSIFIERS,
    GENERATORS,
    REPLAY,
    SAMPLERS,
    ClassifierRecipe,
    EDMRecipe,
    Optimiser,
    ReferenceRecipe,
    SamplerRecipe,
)

# A key that changes here makes everything stored under the old one count as missing. Never update one
# of these because a test fails: do it because results have changed.
GOLDEN = {
    ("generator", "edm-tiny"): "6c017041a95352348f8f8ee613d387ef",
    ("generator", "edm-smoke"): "6a1529e31fd08bbc1c8b359debe4feef",
    ("generator", "edm-16px"): "1b8da5d85415c9746b680ca4edf2afa2",
    ("generator", "edm-28px"): "b6912dbc4533411fc352591f24f3114d",
    ("generator", "edm-small"): "9017015628b77cd9e66b7b6edc304b0e",
    ("generator", "real-holdout"): "917730c77f64ed67bfc0cdf9f92af5b5",
    ("generator", "duplicate"): "1ea71a359456425c3bfa0b09661a959c",
    ("generator", "label-shuffle"): "ef13b66382ef4a578470fcae52986a92",
    ("generator", "jitter"): "706edd091f21f62cbbf8d9b72377bed3",
    ("sampler", "dpmpp-8"): "cabeeca9a386ee38df702fe86cad7840",
    ("sampler", "dpmpp-10-bf16"): "e31a1034061b4d0553d2630c9cdd1adc",
    ("sampler", "heun-18"): "6b627db40fdcbaaea057f594ca0f6a79",
    ("sampler", "heun-18-large"): "6632a92e93bdaa10192623aca8072dfb",
    ("classifier", "mlp"): "fa95a39283560a22caba532e7168dfd6",
    ("classifier", "mlp-smoke"): "de34d069ace7a7c38a9c13ad3f1c63d2",
    ("classifier", "cnn"): "7389909efd3b08f9e2de782b4dd3d8ab",
    ("classifier", "resnet18"): "cffd6fcf98443ea45b91b0c993ee9840",
}
PRESETS = {"generator": GENERATORS, "sampler": SAMPLERS, "classifier": CLASSIFIERS}

OTHER = {  # a value for every field that is not its default
    EDMRecipe: dict(channels=(16, 64), attention=(False, True), layers_per_block=2, norm_groups=4, dropout=0.2,
                    label_dropout=0.2, nimg=1, max_passes=3.0, batch=33, learning_rate=1e-3, warmup_nimg=1_601,
                    ema_half_life=1_601, p_mean=-1.1, p_std=1.1, flip=True, precision="bf16"),
    ReferenceRecipe: dict(family="duplicate", noise=0.5),
    SamplerRecipe: dict(family="heun", steps=9, guidance=2.0, sigma_min=0.003, sigma_max=70.0, rho=6.0, batch=128,
                        shard_size=128, precision="bf16"),
    ClassifierRecipe: dict(family="timm", model="resnet18", widths=(128,), small_stem=False,
                           optimiser=Optimiser(momentum=0.8), nimg=1, batch=65, label_smoothing=0.1, flip=True, shift=1,
                           pack=2, precision="bf16"),
    Optimiser: dict(family="sgd", learning_rate=0.1, weight_decay=0.0, momentum=0.5, warmup=0.1),
}
BASE = {
    EDMRecipe: EDMRecipe(name="x"), ReferenceRecipe: ReferenceRecipe(name="x", family="jitter"),
    SamplerRecipe: SamplerRecipe(name="x"), ClassifierRecipe: ClassifierRecipe(name="x"), Optimiser: Optimiser(),
}
FIELDS = [(kind, name) for kind, base in BASE.items() for name in type(base).model_fields
          if name not in ("name", "trained_on") and (kind, name) != (EDMRecipe, "family")]


@pytest.mark.parametrize("kind,name", [(k, n) for k, presets in PRESETS.items() for n in presets])
def test_golden_keys_of_the_presets(kind, name):
    assert PRESETS[kind][name].key == GOLDEN[kind, name]


def test_golden_key_of_replay():
    assert REPLAY.key == "6f5406b79910b2bec912827c9ac1056e"


@pytest.mark.parametrize("kind,field", FIELDS, ids=lambda v: getattr(v, "__name__", v))
def test_every_field_bears_on_the_key(kind, field):
    base = BASE[kind]
    changed = kind.model_validate(base.model_dump() | {field: OTHER[kind][field]})
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


def test_recipes_of_two_families_never_share_a_key():
    keys = [r.key for presets in PRESETS.values() for r in presets.values()]
    assert len(set(keys)) == len(keys)


def test_a_written_out_default_is_the_default():
    for kind, base in BASE.items():
        assert kind.model_validate(base.model_dump(mode="json")).key == base.key
    assert SamplerRecipe.model_validate({"name": "x", "guidance": 3}).key == SamplerRecipe(name="x", guidance=3.0).key


def test_recipes_are_frozen():
    with pytest.raises(ValidationError):
        BASE[EDMRecipe].nimg = 3


@pytest.mark.parametrize("kind,values,said", [
    (EDMRecipe, {"nimg": 0}, "greater than or equal to 1"),
    (EDMRecipe, {"nimg": 1.0}, "valid integer"),
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
    (SamplerRecipe, {"steps": 1}, "greater than or equal to 2"),
    (SamplerRecipe, {"sigma_min": 80.0}, "sigma_min 80 is not below sigma_max 80"),
    (ClassifierRecipe, {"shift": -1}, "greater than or equal to 0"),
    (ReferenceRecipe, {"noise": -0.1}, "greater than or equal to 0"),
])
def test_values_without_sense_are_refused(kind, values, said):
    with pytest.raises(ValidationError, match=said):
        kind.model_validate(BASE[kind].model_dump() | values)
