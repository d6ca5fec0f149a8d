"""LoRA: a generator of other images, of which only low-rank changes and the classes' embeddings are trained."""

import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from helpers.generator_files import write_files
from helpers.simulated_gpu import simulated_gpu
from safetensors.torch import load as load_safetensors
from safetensors.torch import load_file, save_file
from torch import nn

from synaug_ray.common.errors import DataProblem
from synaug_ray.config.generator_recipes import DDPMRecipe, EDMRecipe
from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.config.presets import SAMPLERS
from synaug_ray.data.images import ImageSet
from synaug_ray.generators import edm, lora, registry
from synaug_ray.training import loop
from synaug_ray.training.checkpoint import unet_from_files

CPU, SEED = torch.device("cpu"), 3
SHORT = {"nimg": 32, "batch": 8, "warmup_nimg": 8, "ema_half_life": 8}
NET = {"channels": (8,), "attention": (False,)}
BASE = EDMRecipe(name="base", conditioning="scale-shift", noise_frequencies="rising", **NET, **SHORT)
SAMPLER = SAMPLERS["dpmpp-8"].model_copy(update={"batch": 4, "steps": 3})
OTHERS, OWN = ("a", "b", "c"), ("dark", "bright")


def images(seed, classes):
    rng = np.random.default_rng(seed)
    return ImageSet(rng.integers(0, 256, (16, 1, 8, 8), dtype=np.uint8), np.arange(16) % classes)


@pytest.fixture(scope="module")
def base():
    """A generator of three classes of noise."""
    return edm.train(BASE, images(0, 3), OTHERS, SEED, CPU)[0]


@pytest.fixture(scope="module")
def folder(base, tmp_path_factory):
    return write_files(base.files(), tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def subset():
    return images(1, 2)


def recipe_of(folder, **more):
    return LoraRecipe(**{"name": "own", "base": str(folder), "rank": 4, "alpha": 8.0, **SHORT} | more)


def train(recipe, subset, **more):
    return lora.train(recipe, subset, OWN, SEED, CPU, **more)[0]


@pytest.fixture(scope="module")
def trained(folder, subset):
    return train(recipe_of(folder), subset)


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_before_its_first_step_its_images_are_those_of_the_base(base, folder, subset):
    fresh = train(recipe_of(folder, class_ids=(2, 0), max_passes=1e-9), subset)
    assert recipe_of(folder, max_passes=1e-9).length(16) == 0
    ours = fresh.sample(SAMPLER, range(6), 5, CPU)
    sampled = base.maker(SAMPLER, 5, CPU, None)
    with torch.inference_mode():
        x = sampled(list(range(4)), torch.tensor([2, 0])[torch.from_numpy(ours.labels[:4])])
        mine = fresh.maker(SAMPLER, 5, CPU, None)(list(range(4)), torch.from_numpy(ours.labels[:4]))
    assert fresh.num_classes == 2 and base.num_classes == 3  # their null classes have other numbers
    assert torch.equal(x, mine)
    new = train(recipe_of(folder, max_passes=1e-9), subset)  # without class_ids, all but the null class are new
    *rows, null = new.net.class_embedding.weight
    assert torch.equal(null, base.net.class_embedding.weight[3]) and not torch.equal(*rows) and 0.5 < rows[0].std() < 2
    kept = ((k, v) for k, v in base.net.state_dict().items() if k != lora.CLASSES)
    assert all(torch.equal(new.net.state_dict()[name], weight) for name, weight in kept)


@pytest.mark.parametrize("adapts", ["all", "attention"])
def test_only_low_rank_changes_and_the_embeddings_are_trained(folder, subset, adapts, base):
    seen = []

    def spy(recipe, net, *rest):
        seen.append(sum(p.numel() for p in net.parameters() if p.requires_grad))
        return fit(recipe, net, *rest)

    fit = lora.fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lora, "fit", spy)
        made = train(recipe_of(folder, adapts=adapts), subset)
    before = dict(base.net.named_modules())
    layers = {
        name: module.weight
        for name, module in before.items()
        if isinstance(module, (nn.Linear, nn.Conv2d)) and (adapts == "all" or ".attentions." in name)
    }
    assert any("attentions" in name for name in layers) and (adapts == "all") == ("conv_in" in layers)
    shapes = [(len(w), w[0].numel()) for w in layers.values()]
    embeddings = 3 * base.net.class_embedding.weight.shape[1]
    assert seen == [sum(min(4, *shape) * sum(shape) for shape in shapes) + embeddings]
    adapter = load_safetensors(made.adapter["adapter_model.safetensors"])
    config = json.loads(made.adapter["adapter_config.json"])
    assert sum(t.numel() for t in adapter.values()) == seen[0] and config["target_modules"] == sorted(layers)
    for name, weight in base.net.state_dict().items():
        now = made.net.state_dict()[name]
        module, _, kind = name.rpartition(".")
        if kind == "weight" and module in layers:
            a, b = (adapter[f"base_model.model.{module}.lora_{x}.weight"].flatten(1) for x in "AB")
            scale = config["lora_alpha"] / config["rank_pattern"].get(module, config["r"])
            assert torch.allclose(now, weight + (scale * b @ a).view_as(weight), atol=1e-7) and b.any()
        elif name != lora.CLASSES:
            assert torch.equal(now, weight), name
    assert torch.equal(made.net.class_embedding.weight, adapter[f"base_model.model.{lora.CLASSES}"])


def test_killed_and_resumed_it_ends_with_the_same_bits(folder, subset, trained, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_EVERY", 2)
    states = []
    train(recipe_of(folder), subset, save=lambda state, at: states.append(state()))
    again = train(recipe_of(folder), subset, state=states[0])
    assert len(states) == 2 and again.files() == trained.files()
    assert not same(train(recipe_of(folder), images(2, 2)).net, trained.net)


def test_its_files_load_here_and_in_diffusers_and_are_a_base_again(folder, subset, trained, tmp_path):
    recipe = recipe_of(folder)
    files = registry.train(recipe, subset, OWN, SEED, CPU)[0]
    again = registry.from_files(files)
    pool, other = (g.sample(SAMPLER, range(5), 5, CPU) for g in (trained, again))
    assert np.array_equal(pool.images, other.images) and again.files() == trained.files()
    card = files["README.md"].decode()
    assert "started from a generator of other images" in card and "nothing else" not in card
    about = json.loads(files["synaug.json"])
    assert about["base_content"] == recipe.base_content and about["family"] == "lora"
    assert about["sigma_data"] == json.loads((folder / "synaug.json").read_text())["sigma_data"]
    stored = write_files(files, tmp_path / "generator")
    theirs = DiffusionPipeline.from_pretrained(stored).unet
    assert same(theirs, trained.net) and same(unet_from_files(files), trained.net)
    second = train(recipe_of(tmp_path, class_ids=(1, 0), max_passes=1e-9), subset)  # of an export
    assert torch.equal(second.net.class_embedding.weight, trained.net.class_embedding.weight[[1, 0, 2]])


def test_a_base_is_known_by_its_content(folder, tmp_path):
    recipe = recipe_of(folder)
    assert (recipe.channels, recipe.conditioning, recipe.noise_frequencies) == ((8,), "scale-shift", "rising")
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert recipe_of(copy).key == recipe.key != recipe_of(folder, rank=5).key
    assert LoraRecipe.model_validate(recipe.model_dump(mode="json")) == recipe  # as a run's grid.yaml has it
    moved = LoraRecipe.model_validate(recipe.model_dump(mode="json") | {"base": "/elsewhere"})
    assert moved.key == recipe.key and moved.of_base is None  # the machine that trains it must have it
    with pytest.raises(DataProblem, match="missing or has changed"):
        train(moved, images(1, 2))
    about = json.loads((copy / "synaug.json").read_text())
    (copy / "synaug.json").write_text(json.dumps(about | {"sigma_data": 0.25}))
    assert recipe_of(copy).key != recipe.key


def test_what_is_wrong_with_a_base_is_said_at_once(folder, subset, tmp_path):
    other = tmp_path / "ddpm"
    short = DDPMRecipe(name="d", **NET, **SHORT)
    write_files(registry.train(short, subset, OWN, SEED, CPU)[0], other)
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "unet" / "config.json").write_text("{}")
    content = recipe_of(folder).base_content
    for said, make in {
        "lacks unet/diffusion_pytorch_model.safetensors, unet/config.json, synaug.json": lambda: recipe_of(tmp_path),
        "family 'ddpm'; allowed are edm and lora": lambda: recipe_of(other),
        "not that of an EDM generator": lambda: recipe_of(copy),
        "other files": lambda: recipe_of(copy, base_content=content),
        "channels .16. is not that of the base": lambda: recipe_of(folder, channels=(16,)),
        "class_ids 3: the base has 3 classes": lambda: recipe_of(folder, class_ids=(0, 3)),
        "augment conditions a network": lambda: recipe_of(folder, augment=0.1),
        "cannot be read": lambda: recipe_of("~no-such-user/x"),
    }.items():
        with pytest.raises(ValueError, match=said):
            make()
    with pytest.raises(ValueError, match="3 validation errors") as caught:
        recipe_of(folder, class_ids=(7,), dropout=0.5, rank=0)
    assert {e["loc"][0] for e in caught.value.errors()} == {"class_ids", "dropout", "rank"}


def test_images_that_do_not_fit_the_base_are_refused(folder, subset):
    recipe = recipe_of(folder, class_ids=(0, 1))
    large = ImageSet(np.repeat(np.repeat(subset.images, 2, 2), 2, 3), subset.labels)
    colour = ImageSet(np.repeat(subset.images, 3, 1), subset.labels)
    for said, wrong, classes in (
        ("8 x 8 pixels, and these have 16 x 16; set data.size: 8", large, OWN),
        ("1 channels, and these have 3; set data.mode: gray", colour, OWN),
        ("2 class_ids for 3 classes", subset, OTHERS),
    ):
        with pytest.raises(DataProblem, match=said):
            lora.train(recipe, wrong, classes, SEED, CPU)


@pytest.mark.integration
def test_it_trains_on_a_simulated_gpu(folder, subset):
    with simulated_gpu():
        made, nimg = lora.train(recipe_of(folder, precision="bf16"), subset, OWN, SEED, torch.device("cuda"))
        assert nimg == 32 and made.sample(SAMPLER, range(4), 5, torch.device("cuda")).images.shape == (4, 1, 8, 8)


def test_weights_of_another_network_are_a_sentence(folder, subset, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    weights = load_file(copy / "unet" / "diffusion_pytorch_model.safetensors")
    weights.pop("conv_in.bias")
    save_file(weights, copy / "unet" / "diffusion_pytorch_model.safetensors")
    with pytest.raises(DataProblem, match="cannot be used"):
        train(recipe_of(copy), subset)
