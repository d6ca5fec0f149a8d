"""LoRA of an EDM generator for each class: changes of its own, which no other class's images show."""

import json

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from helpers.generator_files import write_files

from synaug_ray.config.generator_recipes import EDMRecipe
from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.config.presets import SAMPLERS
from synaug_ray.data.images import ImageSet
from synaug_ray.engine.counting import of_training
from synaug_ray.generators import edm, registry
from synaug_ray.training import loop

CPU, SEED, CLASSES = torch.device("cpu"), 3, ("dark", "bright", "grey")
SHORT = {"nimg": 16, "batch": 8, "warmup_nimg": 8, "ema_half_life": 8}
SAMPLER = SAMPLERS["dpmpp-8"].model_copy(update={"batch": 6, "steps": 3})


def images(seed, labels=(0, 1, 2)):
    rng = np.random.default_rng(seed)
    return ImageSet(rng.integers(0, 256, (12, 1, 8, 8), dtype=np.uint8), np.resize(labels, 12))


@pytest.fixture(scope="module")
def base():
    recipe = EDMRecipe(name="base", channels=(8,), attention=(False,), **SHORT)
    return edm.train(recipe, images(0), CLASSES, SEED, CPU)[0]


@pytest.fixture(scope="module")
def folder(base, tmp_path_factory):
    return write_files(base.files(), tmp_path_factory.mktemp("base"))


def recipe_of(folder, **more):
    values = {"name": "own", "base": str(folder), "rank": 4, "alpha": 8.0, "class_ids": (0, 1, 2), "per_class": True}
    return LoraRecipe(**values | SHORT | more)


def train(recipe, subset, **more):
    files, nimg = registry.train(recipe, subset, CLASSES, SEED, CPU, **more)
    return registry.from_files(files), files, nimg


@pytest.fixture(scope="module")
def trained(folder):
    return train(recipe_of(folder), images(1))


def sample(generator, index=range(9), real=None, **more):
    return generator.sample(SAMPLER.model_copy(update=more), index, 5, CPU, real)


def test_before_its_first_step_its_images_are_those_of_the_base(base, folder, trained):
    fresh, *_ = train(recipe_of(folder).model_copy(update={"max_passes": 1e-9}), images(1))
    few = {"batch": 4}  # of one class: with another size, the last bits would differ
    assert np.abs(sample(fresh).images.astype(int) - sample(base, **few).images).max() <= 1
    assert not np.array_equal(sample(trained[0]).images, sample(fresh).images)


def test_a_classs_changes_are_trained_by_it_alone_and_change_no_other(folder, trained):
    subset, other = images(1), images(9)
    mixed = ImageSet(np.where((subset.labels == 1)[:, None, None, None], other.images, subset.images), subset.labels)
    one, two = trained[0], train(recipe_of(folder), mixed)[0]
    assert [a == b for a, b in zip(one.adapters, two.adapters, strict=True)] == [True, False, True]
    pools = [sample(g) for g in (one, two)]
    changed = pools[0].labels == 1
    assert np.array_equal(pools[0].images[~changed], pools[1].images[~changed])
    assert not np.array_equal(pools[0].images[changed], pools[1].images[changed])
    assert np.array_equal(sample(one, range(2, 7)).images, pools[0].images[2:7])
    lonely = train(recipe_of(folder), images(1, (1, 2)))[0]
    assert lonely.adapters[0] == {} and lonely.of_class(0) is lonely.base and all(lonely.adapters[1:])


def test_killed_and_resumed_it_ends_with_the_same_bits(folder, trained, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_EVERY", 1)
    states = []
    train(recipe_of(folder), images(1), save=lambda state, at: states.append(state()))
    assert len(states) == 2 and train(recipe_of(folder), images(1), state=states[0])[1] == trained[1]


def test_its_files_are_the_base_and_changes_of_it(folder, trained, base, tmp_path):
    made, files, nimg = trained
    assert nimg == 16 and made.files() == {n: d for n, d in files.items() if n != "README.md"}
    assert "the changes for class 3 alone" in files["README.md"].decode()
    write_files(files, tmp_path)
    stock = DiffusionPipeline.from_pretrained(tmp_path).unet.state_dict()
    assert all(torch.equal(stock[name], weight) for name, weight in base.net.state_dict().items())
    for label in range(3):
        net, names = made.of_class(label).net.state_dict(), made.adapters[label]["adapter_config.json"]
        layers = {f"{name}.weight" for name in json.loads(names)["target_modules"]}
        same = {name for name, weight in base.net.state_dict().items() if torch.equal(net[name], weight)}
        assert same.isdisjoint(layers) and same | layers | {"class_embedding.weight"} == set(net)
        rows = (net["class_embedding.weight"] != base.net.class_embedding.weight).any(1)
        assert set(torch.nonzero(rows).flatten().tolist()) <= {label, 3} and rows[label]
    with pytest.raises(ValueError, match="has changes of its own for each class"):
        recipe_of(tmp_path)


def test_guided_images_and_keys(folder, trained):
    subset = images(1)
    assert np.array_equal(sample(trained[0], real=subset, strength=0.0).images, subset.images[:9])
    plain = recipe_of(folder, per_class=False)
    assert plain.key != recipe_of(folder).key and "per_class" in LoraRecipe.later
    one, each = (of_training(recipe_of(folder, per_class=p), (1, 8, 8), 3) for p in (False, True))
    assert each.flops == 3 * one.flops
    with pytest.raises(ValueError, match="counts passes over all classes"):
        recipe_of(folder, max_passes=2)
