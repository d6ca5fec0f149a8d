"""How a pretrained network is tuned: low-rank changes, learning rates by layer, decay to its own weights, its source."""

from typing import Any

import pytest
import timm
import torch
from helpers.tiny_weights import TINY, weights_file
from safetensors.torch import load_file
from timm.optim import param_groups_layer_decay
from torch import nn

from synaug_ray.classifiers import models
from synaug_ray.classifiers.networks import Single
from synaug_ray.classifiers.optimising import optimiser_of
from synaug_ray.classifiers.train import Member, train_only
from synaug_ray.common.errors import DataProblem
from synaug_ray.config.recipes import ClassifierRecipe, Optimiser
from synaug_ray.data.images import ImageSet
from synaug_ray.plan.steps import TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset
from synaug_ray.training.pretrained import open_network

SHAPE, CPU = (1, 8, 8), torch.device("cpu")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return weights_file(tmp_path_factory.mktemp("tiny"))


def recipe_of(weights, **more):
    fields = {"name": "tiny", "family": "timm", "model": TINY, "weights": weights, "size": 32, "batch": 8, "nimg": 64}
    return ClassifierRecipe.model_validate(fields | more)


def train(recipe):
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (24, *SHAPE), generator=rng, dtype=torch.uint8).numpy()
    images = ImageSet(pixels, torch.arange(24).remainder(3).numpy())
    trial = TrialStep(Subset(DataIdentity("x", ""), 24, 0), None, 0, "real-only", None, recipe, 0)
    return train_only([Member(trial, images)], 3, CPU)


def test_a_low_rank_change_starts_from_nothing_and_is_all_that_is_trained(weights):
    recipe = recipe_of(weights, tune="lora", lora_rank=2, optimiser={"learning_rate": 1e-2})
    fresh: Any = models.build(recipe, SHAPE, 3, 5).eval()
    plain: Any = models.build(recipe_of(weights), SHAPE, 3, 5).eval()
    x = torch.rand(4, *SHAPE)
    with torch.no_grad():
        assert torch.equal(fresh(x), plain(x))
    layers = [m for m in plain.net.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    head = plain.head_parameters()
    of_head = sum(p.numel() for p in head)
    shapes = [(len(m.weight), m.weight[0].numel()) for m in layers if m.weight is not head[0]]
    expected = sum(min(2, *shape) * sum(shape) for shape in shapes) + of_head
    assert sum(p.numel() for p in fresh.parameters() if p.requires_grad) == expected
    tuned, start = train(recipe).weights(), load_file(weights)
    for name, weight in tuned.items():
        name = name.removeprefix("net.")
        if name.startswith("classifier."):
            continue
        change = (weight - start[name]).float()
        if f"net.{name}" in {f"net.{n}.weight" for n, m in plain.net.named_modules() if m in layers}:
            assert 1 <= int(torch.linalg.matrix_rank(change.flatten(1), atol=1e-6)) <= 2, name
        else:
            assert not change.any(), name


def test_merged_weights_are_those_of_a_plain_network(weights):
    model = train(recipe_of(weights, tune="lora"))
    plain = models.build(recipe_of(weights), SHAPE, 3, 5)
    plain.load_state_dict(model.weights())
    x = torch.rand(1, 4, *SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(plain.eval()(x[0]), model.logits(x, train=False)[0], atol=1e-5, rtol=1e-4)


def test_learning_rates_fall_from_the_head_to_the_first_layer_as_timm_has_them(weights):
    recipe = recipe_of(
        weights,
        nimg=8,
        layer_decay=0.5,
        head_learning_rate=1e-2,
        optimiser={"learning_rate": 1e-3, "weight_decay": 0.0, "warmup": 0.0},
    )
    after, before = train(recipe).weights(), load_file(weights)
    net = timm.create_model(TINY, num_classes=3)
    names = {id(p): name for name, p in net.named_parameters()}
    scales = {names[id(p)]: g["lr_scale"] for g in param_groups_layer_decay(net, layer_decay=0.5) for p in g["params"]}
    assert len(set(scales.values())) > 3
    for name, scale in scales.items():
        if name.endswith("weight") and not name.startswith("classifier."):  # AdamW's first step is the learning rate
            moved = float((after[f"net.{name}"] - before[name]).abs().max())
            assert moved == pytest.approx(1e-3 * scale, rel=0.05), name


@pytest.mark.parametrize("family", ["adamw", "sgd"])
def test_weights_decay_to_where_they_started(weights, family):
    recipe = recipe_of(
        weights, decay_to="weights", optimiser=Optimiser(family=family, learning_rate=0.1, weight_decay=0.5)
    )
    model = Single(models.build(recipe, SHAPE, 3, 0))
    groups = model.groups(recipe)
    start = [p.detach().clone() for p in groups[0]["params"]]
    with torch.no_grad():
        for p in groups[0]["params"]:
            p.add_(1.0)
    again = model.groups(recipe)  # as a second stage has them
    assert all(torch.equal(a, b) for a, b in zip(again[0]["start"], start, strict=True))
    optimiser = optimiser_of(recipe, again)
    for p in model.net.parameters():
        p.grad = torch.zeros_like(p)
    optimiser.step()
    for p, origin in zip(again[0]["params"], start, strict=True):
        torch.testing.assert_close(p, origin + (1 - 0.1 * 0.5))


def test_the_default_groups_are_those_of_before(weights):
    (group,) = Single(models.build(recipe_of(weights, head_learning_rate=None), SHAPE, 3, 0)).groups(
        recipe_of(weights, head_learning_rate=None)
    )
    assert group.keys() == {"params", "peak"}


def test_weights_of_the_hub_are_found_in_its_cache(weights, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    name = f"timm/{TINY}@{COMMIT}"
    recipe = recipe_of(name)
    assert recipe.pretrained and recipe.content == name and recipe.key != recipe_of(weights).key
    with pytest.raises(DataProblem, match="not in this machine's cache"):
        models.build(recipe, SHAPE, 3, 0)
    folder = tmp_path / f"models--timm--{TINY}" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    (folder / "model.safetensors").symlink_to(weights)
    hub, file = (models.build(r, SHAPE, 3, 0).state_dict() for r in (recipe, recipe_of(weights)))
    assert all(torch.equal(hub[k], file[k]) for k in file)
    with torch.device("meta"):  # counting downloads nothing
        assert open_network("x", TINY, f"{name[:-1]}0", f"{name[:-1]}0", 32, "meta").num_features > 0
