"""Classifiers with weights: what the network sees, what is trained of it, and what is refused before anything starts."""

import shutil

import numpy as np
import pytest
import timm
import torch
import yaml
from helpers.doors import Door
from helpers.grids import small_grid
from helpers.tiny_weights import TINY, weights_file
from safetensors.torch import load_file, save_file

from synaug_ray.classifiers import models
from synaug_ray.classifiers.stages import head_seed
from synaug_ray.classifiers.train import Member, train_only, train_pack
from synaug_ray.common.errors import DataProblem, UsageProblem
from synaug_ray.common.keys import derive_seed
from synaug_ray.config.presets import GENERATORS, REPLAY
from synaug_ray.config.protocols import PROTOCOLS
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.plan.steps import GeneratorStep, Pool, TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return weights_file(tmp_path_factory.mktemp("tiny"))


def recipe_of(weights, **more):
    fields = {"name": "tiny", "family": "timm", "model": TINY, "weights": weights, "size": 32, "batch": 8, "nimg": 64}
    return ClassifierRecipe.model_validate(fields | more)


def images_of(count=24, channels=1, side=8):
    rng = np.random.default_rng(0)
    return ImageSet(
        rng.integers(0, 256, (count, channels, side, side), dtype=np.uint8), np.arange(count, dtype=np.int64) % 3
    )


def trained(recipe, images):
    trial = TrialStep(Subset(DataIdentity("x", ""), len(images), 0), None, 0, "real-only", None, recipe, 0)
    return Member(trial, images)


def test_the_key_is_of_the_content_wherever_it_lies(weights, tmp_path):
    moved = shutil.copy(weights, tmp_path / "other.safetensors")
    assert recipe_of(weights).key == recipe_of(str(moved)).key
    content = recipe_of(weights).content
    assert recipe_of("/gone.safetensors", content=content).key == recipe_of(weights).key  # as `status` reads it
    other = weights_file(tmp_path, "test_resnet")
    assert recipe_of(other).key != recipe_of(weights).key
    plain = ClassifierRecipe(name="x", family="timm", model=TINY, nimg=64, batch=8, pack=1)
    assert plain.key != recipe_of(weights).key


def test_it_sees_what_timm_would_show_it(weights):
    """Of its own size nothing is scaled; pixels get the network's own mean and deviation; grey counts as colour."""
    net = models.build(recipe_of(weights, size=160), (3, 160, 160), 3, 0).eval()
    config = timm.data.resolve_data_config({}, model=net.net)
    x = torch.tensor(images_of(2, 3, 160).images).float()
    mean, std = (torch.tensor(config[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    plain = timm.create_model(TINY, pretrained=False, num_classes=3).eval()
    state = load_file(weights) | {k: v for k, v in net.net.state_dict().items() if k.startswith("classifier.")}
    plain.load_state_dict(state)
    with torch.inference_mode():
        torch.testing.assert_close(net(x / 127.5 - 1), plain((x / 255 - mean) / std), atol=1e-4, rtol=1e-4)
        grey = x[:, :1] / 127.5 - 1
        torch.testing.assert_close(net(grey), net(grey.expand(-1, 3, -1, -1)))


def test_the_head_alone_depends_on_the_seed(weights):
    one, other = (models.build(recipe_of(weights), (1, 8, 8), 3, seed).state_dict() for seed in (0, 1))
    assert {k for k in one if not torch.equal(one[k], other[k])} == {"net.classifier.weight"} | {
        k for k in one if k == "net.classifier.bias" and not torch.equal(one[k], other[k])
    }
    again = models.build(recipe_of(weights), (1, 8, 8), 3, 0).state_dict()
    assert all(torch.equal(one[k], again[k]) for k in one)


@pytest.mark.parametrize("batch_norm", ["frozen", "adapted"])
def test_statistics_of_batch_normalisation_are_kept_or_follow(weights, batch_norm):
    recipe, images = recipe_of(weights, batch_norm=batch_norm), images_of()
    before = models.build(recipe, (1, 8, 8), 3, 0).state_dict()
    after = train_only([trained(recipe, images)], 3, torch.device("cpu")).weights()
    means = [k for k in before if k.endswith("running_mean")]
    assert means and all(torch.equal(before[k], after[k]) == (batch_norm == "frozen") for k in means)
    assert not torch.equal(before["net.conv_stem.weight"], after["net.conv_stem.weight"])


def test_the_parts_have_learning_rates_of_their_own(weights):
    """The first step of AdamW moves every weight by its learning rate, less the decay."""
    recipe = recipe_of(
        weights,
        nimg=8,
        head_learning_rate=1e-2,
        optimiser={"learning_rate": 1e-5, "weight_decay": 0.0, "warmup": 0.0},
    )
    images, model = images_of(), None
    model = train_only([trained(recipe, images)], 3, torch.device("cpu"))
    from synaug_ray.common.keys import derive_seed

    seed = derive_seed("weights", trained(recipe, images).trial.common_seed)
    before, after = models.build(recipe, (1, 8, 8), 3, seed).state_dict(), model.weights()

    def moved(name):
        return float((after[name] - before[name]).abs().max())

    assert moved("net.classifier.weight") == pytest.approx(1e-2, rel=0.01)
    assert moved("net.conv_stem.weight") == pytest.approx(1e-5, rel=0.05)


def test_a_trial_has_the_results_of_any_other(weights):
    images = images_of()
    (outcome,) = train_pack([trained(recipe_of(weights), images)], images, images_of(10), 3, torch.device("cpu"))
    assert outcome.predicted.shape == (10,) and np.isfinite(outcome.probability).all() and outcome.nimg == 64


@pytest.mark.parametrize(
    "model,size,problem,said",
    [
        ("test_efficientnett", 32, UsageProblem, "timm has no 'test_efficientnett'. Did you mean 'test_efficientnet'?"),
        ("test_resnet", 32, DataProblem, "of its weights are not in the file"),
        ("test_vit", 33, DataProblem, "cannot be used as test_vit"),
    ],
)
def test_what_needs_the_network_is_refused_before_anything_starts(weights, model, size, problem, said):
    with pytest.raises(problem) as caught:
        models.check(recipe_of(weights, model=model, size=size), (1, 8, 8))
    assert said in str(caught.value) and "classifiers: tiny" in str(caught.value)


def test_weights_of_a_deeper_network_of_the_kind_are_refused(weights, tmp_path):
    """They have all the tensors of the shallower one, of the same shapes."""
    state = load_file(weights)
    more = {
        f"blocks.9.{k}": v.clone() for k, v in state.items() if k.startswith("blocks.0.") or k.startswith("blocks.1.")
    }
    save_file(state | more, tmp_path / "deep.safetensors")
    with pytest.raises(DataProblem, match="tensors of the file are not among its weights, such as blocks.9."):
        models.check(recipe_of(str(tmp_path / "deep.safetensors")), None)


def test_tensors_of_other_shapes_are_refused(weights, tmp_path):
    state = load_file(weights)
    state["conv_stem.weight"] = state["conv_stem.weight"][:-1]
    save_file(state, tmp_path / "cut.safetensors")
    with pytest.raises(DataProblem, match="cannot be used as test_efficientnet"):
        models.check(recipe_of(str(tmp_path / "cut.safetensors")), None)


def test_a_grid_of_one_says_so_in_its_verdicts(weights, tmp_path, capsys, monkeypatch):
    """From the command to the page, and again from the resolved grid after the file has moved."""
    door = Door(tmp_path, capsys, monkeypatch)
    recipe = {"name": "tiny", "family": "timm", "model": TINY, "weights": weights, "size": 32, "nimg": 64}
    grid = small_grid(classifiers=[recipe], num_real=[20], draws=2, blocks=[])
    code, out, _ = door.run("--local", "--no-timing", text=yaml.safe_dump(grid.resolved()))
    assert code == 0, out
    assert "classifiers: tiny starts from weights that were trained on other images" in out
    verdicts = (door.storage / "g" / "verdict.json").read_text()
    assert "The classifier has seen other images (ImageNet)." in verdicts
    assert "has seen other images (ImageNet)" in (door.storage / "g" / "report.html").read_text()


@pytest.mark.parametrize("tune", ["all", "lora"])
def test_a_network_with_weights_is_trained_in_two_stages(weights, tune):
    """The new head is not the one that the training began with, and frozen batch normalisation stays as it was."""
    images, subset = images_of(), Subset(DataIdentity("x", ""), 12, 0)
    pool = Pool(GeneratorStep(subset, GENERATORS["jitter"]), REPLAY)
    recipe = recipe_of(weights, tune=tune)
    trial = TrialStep(subset, pool, 12, "bridged", None, recipe, 0, stages=PROTOCOLS["bridged"])
    (outcome,) = train_pack([Member(trial, images)], images, images, 3, torch.device("cpu"))
    assert np.isfinite(outcome.probability).all() and np.isfinite(outcome.leep) and outcome.leep < 0
    after, before = train_only([Member(trial, images)], 3, torch.device("cpu")).weights(), load_file(weights)
    assert torch.equal(after["net.bn1.running_mean"], before["bn1.running_mean"])
    first = models.build(recipe, (1, 8, 8), 3, derive_seed("weights", trial.common_seed))
    again = models.build(recipe, (1, 8, 8), 3, head_seed(trial))
    moved = [(after["net.classifier.weight"] - net.net.classifier.weight).norm() for net in (first, again)]
    assert moved[1] < moved[0]  # a short training moves it little
