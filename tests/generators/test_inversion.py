"""Dataset style inversion: one word is learnt, all else stays, and stock diffusers reads it."""

import json

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from helpers.devices import DEVICE
from helpers.tiny_pipelines import stable_diffusion
from safetensors.torch import load as load_safetensors

from synaug_ray.common.errors import DataProblem
from synaug_ray.config.presets import PIPELINE
from synaug_ray.config.text_recipes import InversionRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators import inversion, registry, text_training
from synaug_ray.generators.pipelines import open_pipeline
from synaug_ray.generators.samplers import image_streams
from synaug_ray.training import loop

SEED, CLASSES = 3, ("dark", "bright")
SHORT = {"nimg": 24, "batch": 8, "warmup_nimg": 8, "ema_half_life": 8, "learning_rate": 0.05}
SAMPLER = PIPELINE.model_copy(update={"steps": 3, "batch": 4, "guidance": 3.0})


def images(seed):
    rng = np.random.default_rng(seed)
    return ImageSet(rng.integers(0, 256, (12, 1, 8, 8), dtype=np.uint8), np.arange(12) % 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    at = tmp_path_factory.mktemp("base")
    stable_diffusion().save_pretrained(at, safe_serialization=True)
    return at


def recipe_of(folder, **more):
    return InversionRecipe(**{"name": "style", "base": str(folder), **SHORT} | more)


def train(recipe, subset, **more):
    return inversion.train(recipe, subset, CLASSES, SEED, DEVICE, **more)[0]


@pytest.fixture(scope="module")
def subset():
    return images(1)


@pytest.fixture(scope="module")
def trained(folder, subset):
    return train(recipe_of(folder), subset)


def test_one_row_is_learnt_and_all_else_stays(folder, trained):
    plain, ours = open_pipeline(str(folder), recipe_of(folder).base_content), trained._loaded
    for part in ("unet", "vae", "text_encoder"):
        then, now = (getattr(p, part).state_dict() for p in (plain, ours))
        assert then.keys() == now.keys()
        for name, tensor in then.items():
            assert torch.equal(now[name][: len(tensor)], tensor) if tensor.ndim else torch.equal(now[name], tensor)
    before, after = (p.text_encoder.get_input_embeddings().weight for p in (plain, ours))
    assert len(after) == len(before) + 1 and len(ours.tokenizer) == len(plain.tokenizer) + 1
    (vector,) = load_safetensors(trained.embedding).values()
    first = before[plain.tokenizer("style", add_special_tokens=False).input_ids].mean(0)
    assert torch.equal(after[-1], vector) and not torch.allclose(vector, first)
    assert trained.conditions == tuple(f"a photo of a {c} in the style of <style>" for c in CLASSES)


def test_the_loss_of_the_noise_falls_on_the_subset(folder, subset):
    recipe = recipe_of(folder, nimg=320)
    made = train(recipe, subset)
    lesson = inversion._with_token(text_training.lesson_of(recipe, subset, CLASSES, SEED, DEVICE), "<style>")
    first = inversion._installed(recipe, lesson)
    use = inversion._hooked(lesson.pipeline, "<style>")
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn((60, *lesson.task.shape), generator=rng)
    level, x = torch.randint(1_000, (60,), generator=rng), lesson.task.images.repeat(5, 1, 1, 1)
    prompts = lesson.prompts(lesson.task.labels.repeat(5).tolist(), 0)

    def loss(vector):
        use(inversion.Word(vector))
        with torch.no_grad():
            return float(text_training.noise_loss(lesson, x, noise, level, prompts))

    assert loss(load_safetensors(made.embedding)["<style>"]) < loss(first)


def test_killed_and_resumed_it_ends_with_the_same_bits(folder, subset, trained, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_EVERY", 1)
    states = []
    whole = train(recipe_of(folder), subset, save=lambda state, at: states.append(state()))
    assert len(states) == 3 and max(map(len, states)) < 2_000  # the word alone, and what its training needs
    assert train(recipe_of(folder), subset, state=states[0]).files() == whole.files() == trained.files()
    assert train(recipe_of(folder), images(2)).embedding != trained.embedding


def test_stock_diffusers_makes_the_same_images_of_its_file(folder, subset, trained, tmp_path):
    files, nimg = registry.train(recipe_of(folder), subset, CLASSES, SEED, DEVICE)
    again = registry.from_files(files)
    assert nimg == 24 and again.files() == trained.files()
    assert "load_textual_inversion" in files["README.md"].decode()
    (tmp_path / inversion.FILE).write_bytes(files[inversion.FILE])
    stock = StableDiffusionPipeline.from_pretrained(folder, requires_safety_checker=False)
    stock.load_textual_inversion(str(tmp_path))
    stock.set_progress_bar_config(disable=True)
    asked = {"num_inference_steps": 3, "guidance_scale": 3.0, "output_type": "np"}
    asked |= {"prompt": [str(said) for said in again.conditions]}
    theirs, ours = (p(**asked, generator=image_streams(5, [0, 1])).images for p in (stock, again._loaded))
    assert np.array_equal(theirs, ours)
    pool = again.sample(SAMPLER, range(6), 5, DEVICE)
    assert np.array_equal(again.sample(SAMPLER, range(2, 6), 5, DEVICE).images, pool.images[2:])
    guided = again.sample(SAMPLER.model_copy(update={"strength": 0.0}), range(6), 5, DEVICE, subset)
    assert np.array_equal(guided.images, subset.images[:6])


def test_what_cannot_be_learnt_is_refused(folder, subset, tmp_path):
    (tmp_path / "p.json").write_text(json.dumps({"dark": ["a {token} b"], "bright": ["c"]}))
    for said, make in {
        "'a {label}' does not contain the word": lambda: recipe_of(folder, prompt="a {label}"),
        "does not contain {label}": lambda: recipe_of(folder, prompt="in <style>"),
        "'c' does not contain the word": lambda: recipe_of(folder, prompts=str(tmp_path / "p.json")),
        "is not a word of letters": lambda: recipe_of(folder, token="style"),
    }.items():
        with pytest.raises(ValueError, match=said):
            make()
    for said, recipe in {
        "has the token <|endoftext|> already": recipe_of(folder).model_copy(update={"token": "<|endoftext|>"}),
        "longer than the 32 tokens": recipe_of(folder, prompt=f"{'a ' * 40} {{label}} {{token}}"),
        "has no word of initial": recipe_of(folder, initial=" "),
    }.items():
        with pytest.raises(DataProblem, match=said.replace("|", "[|]")):
            train(recipe, subset)
    (tmp_path / "p.json").write_text(json.dumps({"dark": ["a {token} b"], "bright": ["c <style>"]}))
    recipe = recipe_of(folder, prompts=str(tmp_path / "p.json"))
    assert InversionRecipe.model_validate(recipe.model_dump(mode="json")) == recipe != recipe_of(folder)
    assert train(recipe, subset).conditions == ("a <style> b", "c <style>")
