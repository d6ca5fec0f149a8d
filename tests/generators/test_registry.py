"""Every learnt family: what it makes is of the class asked for, resumed is unkilled, image i is image i, files load."""

import json

import numpy as np
import pytest
import torch
from helpers.devices import DEVICE
from helpers.generator_files import write_files
from helpers.simulated_gpu import simulated_gpu
from sklearn.svm import SVC

from synaug_ray.common.errors import Diverged
from synaug_ray.config.generator_recipes import GENERATOR_FAMILIES, DDPMRecipe, EDMRecipe, GANRecipe, ViTGANRecipe
from synaug_ray.config.presets import GENERATORS, SAMPLERS, sampler_of
from synaug_ray.data.subsets import Draws
from synaug_ray.generators import edm, registry
from synaug_ray.generators.diffusion import network, to_device
from synaug_ray.plan.subset import Subset
from synaug_ray.training import loop
from synaug_ray.training.checkpoint import restore, snapshot

CLASSES = tuple("0123456789")
SMALL = {
    "edm": EDMRecipe(name="small", channels=(8, 16), nimg=8 * 80, batch=8, warmup_nimg=64),
    "ddpm": DDPMRecipe(name="small", channels=(8, 16), nimg=8 * 80, batch=8, warmup_nimg=64),
    "gan": GANRecipe(name="small", channels=(8, 16), nimg=8 * 80, batch=8),
    "vit-gan": ViTGANRecipe(name="small", width=16, depth=1, nimg=8 * 80, batch=8),
}
LEARNS = {  # shortened presets; at full length all are above 0.9, chance is 0.1
    "ddpm": GENERATORS["ddpm-tiny"].model_copy(update={"nimg": 4_800, "name": "short"}),
    "gan": GENERATORS["gan-tiny"].model_copy(
        update={"nimg": 8_000, "batch": 16, "learning_rate": 2e-3, "name": "short"}
    ),
    "vit-gan": GENERATORS["vit-gan-tiny"].model_copy(update={"nimg": 8_000, "batch": 16, "name": "short"}),
}


def subset_of(digits, identity, num_real):
    return digits.train.take(Draws(digits.train, 10).index(Subset(identity, num_real, 0)))


@pytest.fixture(scope="module")
def subset(digits, digits_identity):
    return subset_of(digits, digits_identity, 30)


@pytest.fixture(scope="module", params=SMALL)
def trained(request, subset):
    recipe = SMALL[request.param]
    return recipe, registry.family(recipe.family).train(recipe, subset, CLASSES, 1, DEVICE)[0]


def sampler(recipe, **changes):
    return sampler_of(recipe, SAMPLERS["dpmpp-8"]).model_copy(update={"batch": 8, "steps": 4} | changes)


@pytest.mark.integration
@pytest.mark.parametrize("name", LEARNS)
def test_makes_the_class_that_is_asked_for(digits, digits_identity, name):
    """Judged by a support vector machine that has seen all training digits and knows 99% of the test digits."""
    recipe = LEARNS[name]
    judge = SVC(C=10, gamma=0.256).fit(digits.train.images.reshape(-1, 64) / 255, digits.train.labels)
    generator, nimg = registry.family(recipe.family).train(
        recipe, subset_of(digits, digits_identity, 160), CLASSES, 1, DEVICE
    )
    assert nimg == recipe.nimg
    pool = generator.sample(sampler(recipe, batch=100, steps=10), range(200), 7, DEVICE)
    right = np.mean(judge.predict(pool.images.reshape(-1, 64) / 255) == pool.labels)
    assert right > 0.5
    assert len(np.unique(pool.images.reshape(200, -1), axis=0)) == 200  # and it has not collapsed


def test_killed_and_resumed_equals_unkilled(trained, subset):
    """A training stopped after 64 batches and taken up again ends with the same bytes."""
    recipe, generator = trained
    kept = []

    class Killed(Exception):
        pass

    def kill(state, nimg):
        kept.append(state())
        raise Killed

    family = registry.family(recipe.family)
    with pytest.raises(Killed):
        family.train(recipe, subset, CLASSES, 1, DEVICE, save=kill)
    resumed, nimg = family.train(recipe, subset, CLASSES, 1, DEVICE, state=kept[0])
    assert nimg == recipe.nimg
    assert resumed.files() == generator.files()


def test_image_is_the_same_in_any_shard(trained):
    recipe, generator = trained
    whole = generator.sample(sampler(recipe), range(0, 24), 3, DEVICE)
    later = generator.sample(sampler(recipe), range(8, 16), 3, DEVICE)
    assert np.array_equal(whole.images[8:16], later.images) and np.array_equal(whole.labels[8:16], later.labels)
    short = generator.sample(sampler(recipe), range(0, 3), 3, DEVICE)  # a short last batch is padded
    assert np.array_equal(whole.images[:3], short.images)
    assert not np.array_equal(generator.sample(sampler(recipe), range(0, 24), 4, DEVICE).images, whole.images)


def test_ancestral_noise_is_a_stream_of_the_image(subset):
    recipe = SMALL["ddpm"].model_copy(update={"nimg": 64})
    generator, _ = registry.family("ddpm").train(recipe, subset, CLASSES, 1, DEVICE)
    ancestral = sampler(recipe, family="ddpm", steps=5)
    whole = generator.sample(ancestral, range(0, 16), 3, DEVICE)
    assert np.array_equal(whole.images[8:], generator.sample(ancestral, range(8, 16), 3, DEVICE).images)
    once = generator.sample(ancestral.model_copy(update={"batch": 1}), range(3, 4), 3, DEVICE)
    assert np.abs(whole.images[3].astype(int) - once.images[0]).max() <= 1  # up to the network's last bit


def test_files_say_their_family_and_load_again(trained, subset):
    recipe, generator = trained
    files, _ = registry.train(recipe, subset, CLASSES, 1, DEVICE)
    assert json.loads(files["synaug.json"])["family"] == recipe.family
    assert all(name.endswith((".json", ".md", ".safetensors")) for name in files)
    again = registry.load(recipe, files, subset, np.arange(30), 30)
    assert np.array_equal(
        again.sample(sampler(recipe), range(8), 0, DEVICE).images,
        generator.sample(sampler(recipe), range(8), 0, DEVICE).images,
    )


def test_files_that_name_no_family_are_edm(trained):
    recipe, generator = trained
    if recipe.family != "edm":
        pytest.skip("the first generators were all EDM")
    files = generator.files()
    extra = json.loads(files["synaug.json"])
    del extra["family"]
    again = registry.from_files(files | {"synaug.json": json.dumps(extra).encode()})
    assert type(again) is type(generator)


def test_a_ddpm_loads_in_plain_diffusers(subset, tmp_path):  # an EDM: test_edm.py
    from diffusers import DiffusionPipeline

    files, _ = registry.train(SMALL["ddpm"].model_copy(update={"nimg": 16}), subset, CLASSES, 1, DEVICE)
    write_files(files, tmp_path)
    pipeline = DiffusionPipeline.from_pretrained(tmp_path)
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(batch_size=2, class_labels=[3, 4], num_inference_steps=2, output_type="np").images
    assert images.shape[:3] == (2, 8, 8) and np.isfinite(images).all()


def test_model_card_counts_and_warns(subset):
    card = registry.train(SMALL["gan"].model_copy(update={"nimg": 8}), subset, ("a|b", "<i>", *"cdefghij"), 1, DEVICE)[
        0
    ]["README.md"].decode()
    assert card.startswith("---\nlicense:") and "Memorisation" in card and "30 images" in card
    assert "a|b" not in card and "<i>" not in card  # a class name stays plain text in its cell
    for k, count in enumerate(np.bincount(subset.labels, minlength=10)):
        assert f"| {k} | " in card and f" | {count} |" in card


def test_reference_generators_are_no_files_and_need_none(digits, digits_identity):
    recipe, subset = GENERATORS["duplicate"], subset_of(digits, digits_identity, 30)
    assert registry.train(recipe, subset, CLASSES, 1, DEVICE) == ({}, 0)
    order = Draws(digits.train, 10).order(Subset(digits_identity, 30, 0))
    pool = registry.load(recipe, {}, digits.train, order, 30).sample(SAMPLERS["dpmpp-8"], range(60), 0, DEVICE)
    assert np.array_equal(pool.images, np.concatenate([subset.images, subset.images]))


def test_every_learnt_family_has_its_module():
    learnt = {name for name, kind in GENERATOR_FAMILIES.items() if "replay" not in kind.samplers}
    for name in learnt:
        module = registry.family(name)
        assert callable(module.train) and callable(module.from_files)
    with pytest.raises(KeyError, match="no trained family 'jitter'"):
        registry.family("jitter")


@pytest.mark.parametrize("name", ["ddpm", "gan", "vit-gan"])
def test_a_loss_that_is_no_number_is_said(name, subset):
    with pytest.raises(Diverged, match="generator small: the loss"):
        registry.family(name).train(SMALL[name].model_copy(update={"learning_rate": 1e30}), subset, CLASSES, 1, DEVICE)


def test_on_a_gpu_a_killed_and_resumed_training_equals_an_unkilled_one(subset, monkeypatch):
    """Weights lie channels-last there, and so must the optimiser's averages that come back: torch refuses others."""
    recipe, kept = SMALL["edm"].model_copy(update={"nimg": 24}), []
    monkeypatch.setattr(loop, "SAVE_EVERY", 1)
    with simulated_gpu():
        whole, _ = edm.train(recipe, subset, CLASSES, 1, torch.device("cuda"), save=lambda s, n: kept.append(s()))
        resumed, _ = edm.train(recipe, subset, CLASSES, 1, torch.device("cuda"), state=kept[0])
        assert resumed.files() == whole.files()


def test_a_snapshot_restores_modules_and_optimisers():
    def parts():
        net = torch.nn.Linear(2, 2)
        return net, torch.optim.Adam(net.parameters())

    (net, adam), (other, other_adam) = parts(), parts()
    net(torch.ones(1, 2)).sum().backward()
    adam.step()
    assert restore(snapshot({"net": net}, {"adam": adam}, 7), {"net": other}, {"adam": other_adam}) == 7
    assert torch.equal(net.weight, other.weight)
    assert torch.equal(adam.state_dict()["state"][0]["exp_avg"], other_adam.state_dict()["state"][0]["exp_avg"])


def test_a_network_is_laid_out_for_its_device():
    """Channels last on a GPU alone: on a CPU the bits of old keys stand."""
    net = network(SMALL["edm"], (1, 8, 8), 10)
    wide = next(name for name, p in net.named_parameters() if p.ndim == 4 and min(p.shape[1:3]) > 1)
    assert to_device(net, torch.device("cpu")).get_parameter(wide).is_contiguous()
    with simulated_gpu():
        moved = to_device(net, torch.device("cuda")).get_parameter(wide)
        assert moved.is_contiguous(memory_format=torch.channels_last) and not moved.is_contiguous()
