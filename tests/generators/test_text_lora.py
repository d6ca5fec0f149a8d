"""LoRA of text-to-image pipelines: what changes, what stays, and that stock diffusers reads it."""

import copy
import json
import shutil

import numpy as np
import pytest
import torch
from helpers.devices import DEVICE
from helpers.generator_files import write_files
from helpers.tiny_pipelines import conditioned, dit, stable_diffusion
from pydantic import TypeAdapter
from safetensors.torch import load as load_safetensors

from synaug_ray.common.errors import DataProblem
from synaug_ray.config.generator_recipes import GeneratorRecipe, PretrainedRecipe
from synaug_ray.config.lora_recipe import LoraRecipe
from synaug_ray.config.presets import PIPELINE
from synaug_ray.config.text_recipes import TextLoraRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators import pipelines, pretrained, registry, text_lora, text_training
from synaug_ray.generators.samplers import image_streams
from synaug_ray.training import loop

SEED, CLASSES = 3, ("dark", "bright")
SHORT = {"nimg": 16, "batch": 8, "warmup_nimg": 8, "ema_half_life": 8, "rank": 4, "learning_rate": 0.05}
SAMPLER = PIPELINE.model_copy(update={"steps": 3, "batch": 4, "guidance": 3.0})


def images(seed, labels=(0, 1)):
    rng = np.random.default_rng(seed)
    labels = np.resize(labels, 12)
    return ImageSet(rng.integers(0, 256, (12, 1, 8, 8), dtype=np.uint8), labels)


@pytest.fixture(scope="module")
def subset():
    return images(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    at = tmp_path_factory.mktemp("base")
    stable_diffusion().save_pretrained(at, safe_serialization=True)
    return at


@pytest.fixture(scope="module", autouse=True)
def opened_once():
    """Opening a pipeline takes as long as training this one."""
    kept, really = {}, pipelines.open_pipeline

    def opened(where, content):
        if (where, content) not in kept:
            kept[where, content] = really(where, content)
        return copy.deepcopy(kept[where, content])

    with pytest.MonkeyPatch.context() as patch:
        for module in (text_training, pretrained):
            patch.setattr(module, "open_pipeline", opened)
        yield


def recipe_of(folder, **more):
    return TextLoraRecipe(**{"name": "own", "base": str(folder), **SHORT} | more)


def train(recipe, subset, **more):
    return text_lora.train(recipe, subset, CLASSES, SEED, DEVICE, **more)[0]


@pytest.fixture(scope="module")
def trained(folder, subset):
    return train(recipe_of(folder), subset)


def sample(generator, **more):
    return generator.sample(SAMPLER.model_copy(update=more), range(6), 5, DEVICE).images


@pytest.fixture(scope="module")
def untouched(folder, subset):
    """The base's own images."""
    plain = PretrainedRecipe(name="p", pipeline=str(folder))
    return sample(pretrained.train(plain, subset, CLASSES, 0, DEVICE)[0])


@pytest.mark.parametrize("per_class", [False, True])
def test_before_its_first_step_its_images_are_those_of_the_base(folder, subset, untouched, trained, per_class):
    never = recipe_of(folder, per_class=per_class).model_copy(update={"max_passes": 1e-9})
    fresh = train(never, subset)
    batch = {"batch": 2} if per_class else {}  # of one class: with another size, the last bits would differ
    assert np.abs(sample(fresh, **batch).astype(int) - untouched).max() <= per_class
    assert not np.array_equal(sample(trained), untouched)


@pytest.mark.parametrize("text_encoder", [False, True])
def test_only_low_rank_changes_of_attention_are_trained(folder, subset, text_encoder, monkeypatch):
    seen, opened = [], []

    def spy(recipe, lessons, learnt, *rest):
        opened.append(lessons[0][0].pipeline)
        seen.append(sum(p.numel() for p in learnt.parameters() if p.requires_grad))
        return fit(recipe, lessons, learnt, *rest)

    fit = text_lora.fit
    monkeypatch.setattr(text_lora, "fit", spy)
    made = train(recipe_of(folder, text_encoder=text_encoder), subset)
    base = pretrained.open_pipeline(str(folder), recipe_of(folder).base_content)
    layers = text_lora.layers_of(base, text_encoder)
    assert seen == [sum(min(4, *m.weight.shape) * sum(m.weight.shape) for m in layers.values())]
    ends = {name.rpartition("attn")[2].partition(".")[2] for name in layers}
    assert ends == set(text_lora.OF_UNET[:4]) | (set(text_lora.OF_TEXT) if text_encoder else set())
    tensors = load_safetensors(made.adapters[0])
    assert {n.partition(".")[0] for n in tensors} == {"unet", *["text_encoder"] * text_encoder}
    assert all(tensors[f"{name}.lora_B.weight"].any() for name in layers)
    for part in ("unet", "text_encoder", "vae"):
        now, then = (getattr(p, part).state_dict() for p in (opened[0], base))
        assert now.keys() == then.keys() and all(torch.equal(now[name], then[name]) for name in then)


def test_killed_and_resumed_it_ends_with_the_same_bits(folder, subset, trained, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_EVERY", 1)
    for per_class, whole in ((False, trained), (True, None)):
        recipe, states = recipe_of(folder, per_class=per_class), []
        saved = train(recipe, subset, save=lambda state, at, kept=states: kept.append(state()))
        again = train(recipe, subset, state=states[0])
        assert len(states) == 2 and again.files() == saved.files() == (whole or saved).files()
    assert train(recipe_of(folder), images(2)).files() != trained.files()


def test_its_files_load_here_with_their_card(folder, subset, trained):
    for per_class in (False, True):
        files, nimg = registry.train(recipe_of(folder, per_class=per_class), subset, CLASSES, SEED, DEVICE)
        again = registry.from_files(files)
        assert nimg == 16 and "started from a generator of other images" in files["README.md"].decode()
        assert again.files() == {n: d for n, d in files.items() if n != "README.md"}
        assert per_class or np.array_equal(sample(again), sample(trained))
    part = trained.sample(SAMPLER, range(2, 6), 5, DEVICE).images
    assert np.array_equal(part, sample(trained)[2:])


def test_stock_diffusers_makes_the_same_images_of_its_file(folder, subset, tmp_path):
    pytest.importorskip("peft", reason="load_lora_weights of diffusers needs peft")
    from diffusers import StableDiffusionPipeline

    made = train(recipe_of(folder, alpha=6.0), subset)
    write_files(made.files(), tmp_path)
    stock = StableDiffusionPipeline.from_pretrained(folder, requires_safety_checker=False)
    stock.set_progress_bar_config(disable=True)

    def ask(pipeline):
        return pipeline(
            prompt=["a photo of a dark", "a photo of a bright"],
            num_inference_steps=3,
            guidance_scale=3.0,
            generator=image_streams(5, [0, 1]),
            output_type="np",
        ).images

    plain = ask(stock)
    stock.load_lora_weights(tmp_path)
    assert np.array_equal(ask(stock), ask(made._loaded)) and not np.array_equal(ask(stock), plain)


def test_a_classs_changes_are_trained_by_it_alone_and_change_no_other(folder, subset):
    recipe, other = recipe_of(folder, per_class=True), images(9)
    mixed = ImageSet(np.where((subset.labels == 1)[:, None, None, None], other.images, subset.images), subset.labels)
    one, two = train(recipe, subset), train(recipe, mixed)
    assert one.adapters[0] == two.adapters[0] and one.adapters[1] != two.adapters[1]
    pools = [g.sample(SAMPLER, range(6), 5, DEVICE) for g in (one, two)]
    dark = pools[0].labels == 0
    assert np.array_equal(pools[0].images[dark], pools[1].images[dark])
    assert not np.array_equal(pools[0].images[~dark], pools[1].images[~dark])
    part = one.sample(SAMPLER, range(2, 5), 5, DEVICE)
    assert np.array_equal(part.images, pools[0].images[2:5])
    lonely = train(recipe, images(1, (1,)))  # no image of the first class: that of the base is left as it is
    assert lonely.adapters[0] == b"" and lonely.adapters[1] and len(sample(lonely)) == 6


def test_the_loss_of_the_noise_falls_on_the_subset(folder, subset):
    recipe = recipe_of(folder, nimg=64)
    lesson = text_training.lesson_of(recipe, subset, CLASSES, SEED, DEVICE)
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(lesson.task.images.shape, generator=rng)
    level = torch.randint(1_000, (12,), generator=rng)
    prompts = lesson.prompts(lesson.task.labels.tolist(), 0)

    def loss():
        with torch.no_grad():
            return float(text_training.noise_loss(lesson, lesson.task.images, noise, level, prompts))

    before, made = loss(), train(recipe, subset)
    adapter = text_lora.Adapter(text_lora.layers_of(lesson.pipeline, True))
    adapter.use_tensors(load_safetensors(made.adapters[0]), DEVICE)
    assert loss() < before


def test_flips_and_bf16_and_sentences_are_of_the_key_and_train(folder, subset, tmp_path):
    at = tmp_path / "p.json"
    at.write_text(json.dumps({"dark": ["a b", "c d"], "bright": ["e"]}))
    recipe = recipe_of(folder, prompts=str(at), flip=True, precision="bf16", guide={"strength": 0.5})
    assert recipe.key != recipe_of(folder, flip=True, precision="bf16").key and recipe.mirrors
    made = train(recipe, subset)
    assert made.conditions == (("a b", "c d"), "e")
    half = made.sample(SAMPLER.model_copy(update={"strength": 0.0}), range(4), 5, DEVICE, subset)
    assert np.array_equal(half.labels, subset.labels[:4]) or np.isin(half.labels, [0, 1]).all()


def test_a_base_says_which_lora_it_is(folder, tmp_path):
    def read(**values):
        return TypeAdapter(GeneratorRecipe).validate_python({"family": "lora", "name": "own"} | values)

    recipe = read(base=str(folder))
    assert isinstance(recipe, TextLoraRecipe) and recipe.base_content
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert read(base=str(copy)).key == recipe.key != read(base=str(copy), rank=3).key
    moved = read(**recipe.model_dump(mode="json") | {"base": "/elsewhere"})
    assert isinstance(moved, TextLoraRecipe) and moved.key == recipe.key
    with pytest.raises(DataProblem, match="no model_index.json on this machine"):
        train(moved, images(1))
    assert isinstance(read(base=f"owner/model@{'0' * 40}"), TextLoraRecipe)
    assert not issubclass(LoraRecipe, TextLoraRecipe)


def test_what_is_no_text_to_image_base_is_refused(folder, subset, tmp_path):
    dit().save_pretrained(tmp_path / "dit", safe_serialization=True)
    content = recipe_of(folder).base_content
    for said, make in {
        "is a DiTPipeline; allowed is StableDiffusionPipeline": lambda: recipe_of(tmp_path / "dit"),
        "lacks model_index.json": lambda: recipe_of(tmp_path),
        "other files": lambda: recipe_of(folder, base_content="0" + content[1:]),
        "cannot be read": lambda: recipe_of("~no-such-user/x"),
        "does not contain {label}": lambda: recipe_of(folder, prompt="a photo"),
        "counts passes over all classes": lambda: recipe_of(folder, per_class=True, max_passes=2),
    }.items():
        with pytest.raises(ValueError, match=said):
            make()
    inpainting = stable_diffusion()
    inpainting.unet = conditioned(in_channels=9)
    inpainting.save_pretrained(tmp_path / "in", safe_serialization=True)
    with pytest.raises(DataProblem, match="does not denoise the 4 channels"):
        train(recipe_of(tmp_path / "in"), subset)
    other = train(recipe_of(folder), subset)
    wrong = {n.replace("encoder.layers", "other"): t for n, t in load_safetensors(other.adapters[0]).items()}
    with pytest.raises(DataProblem, match="layers that the pipeline does not have"):
        text_lora.Adapter(text_lora.layers_of(other._loaded, True)).use_tensors(wrong, DEVICE)
