"""Pretrained pipelines, built here with random weights, saved in diffusers' true format, and read as strangers'."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler
from helpers.devices import DEVICE
from helpers.generator_files import write_files
from helpers.tiny_pipelines import consistency, dit, stable_diffusion, stable_diffusion_xl, unet
from pydantic import ValidationError

from synaug_ray.common.errors import DataProblem
from synaug_ray.common.keys import folder_key
from synaug_ray.config.generator_recipes import PretrainedRecipe
from synaug_ray.config.presets import PIPELINE
from synaug_ray.data.subsets import Draws, class_sequence
from synaug_ray.generators import pretrained, registry
from synaug_ray.plan.subset import Subset

CLASSES = tuple(f"digit_{i}" for i in range(10))
SAMPLER = PIPELINE.model_copy(update={"steps": 2, "batch": 4})


BUILD = {
    "consistency": consistency,
    "dit": dit,
    "stable-diffusion": stable_diffusion,
    "stable-diffusion-xl": stable_diffusion_xl,
}


@pytest.fixture(scope="module")
def subset(digits, digits_identity):
    return digits.train.take(Draws(digits.train, 10).index(Subset(digits_identity, 30, 0)))


@pytest.fixture(scope="module", params=BUILD)
def folder(request, tmp_path_factory):
    torch.manual_seed(0)
    at = tmp_path_factory.mktemp(request.param)
    BUILD[request.param]().save_pretrained(at, safe_serialization=True)
    return at


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A class-conditional pipeline to spoil copies of."""
    at = tmp_path_factory.mktemp("plain")
    consistency().save_pretrained(at, safe_serialization=True)
    return at


def trained(recipe, subset, classes=CLASSES):
    return pretrained.train(recipe, subset, classes, 0, DEVICE)


def test_pool_has_the_subsets_shape_and_labels_and_image_i_is_image_i(folder, subset):
    recipe = PretrainedRecipe(name="p", pipeline=str(folder))
    files, nimg = registry.train(recipe, subset, CLASSES, 0, DEVICE)
    assert nimg == 0 and set(files) == {"synaug.json", "README.md"}  # a pointer: weights are not copied for each draw
    generator = registry.load(recipe, files, subset, np.arange(30), 30)
    whole = generator.sample(SAMPLER, range(0, 8), 3, DEVICE)
    assert whole.images.shape == (8, 1, 8, 8) and whole.images.dtype == np.uint8
    assert np.array_equal(generator.sample(SAMPLER, range(4, 8), 3, DEVICE).images, whole.images[4:])
    assert np.array_equal(generator.sample(SAMPLER, range(0, 3), 3, DEVICE).images, whole.images[:3])
    other = generator.sample(SAMPLER.model_copy(update={"batch": 2}), range(0, 8), 3, DEVICE)
    assert np.abs(whole.images.astype(int) - other.images).max() <= 1  # noise by image, whatever the batch
    assert not np.array_equal(generator.sample(SAMPLER, range(0, 8), 4, DEVICE).images, whole.images)


def test_each_class_is_asked_for_by_its_own_name(folder, subset):
    recipe = PretrainedRecipe(name="p", pipeline=str(folder))
    conditions = trained(recipe, subset)[0].conditions
    if isinstance(conditions[0], str):
        assert conditions[3] == "a photo of a digit 3"
        words = recipe.model_copy(update={"words": tuple("abcdefghij"), "prompt": "{label}, scanned"})
        assert trained(words, subset)[0].conditions[1] == "b, scanned"
    else:
        assert conditions == tuple(range(10))
        chosen = recipe.model_copy(update={"class_ids": (7, 1, 1, 2, 3, 4, 5, 6, 8, 9)})
        assert trained(chosen, subset)[0].conditions[0] == 7
    with pytest.raises(DataProblem, match="2 words for 10 classes"):
        trained(recipe.model_copy(update={"words": ("a", "b")}), subset)


def test_colour_and_grey_as_the_subset_has_them():
    images = torch.rand(2, 3, 12, 20, generator=torch.Generator().manual_seed(0))
    assert pretrained.to_shape(images, (1, 8, 8)).shape == (2, 1, 8, 8)
    assert torch.equal(*pretrained.to_shape(images[:, :1], (3, 8, 8))[:, :2].unbind(1))
    grey = pretrained.to_shape(torch.ones(1, 3, 8, 8) * torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1), (1, 8, 8))
    assert float(grey.mean()) == pytest.approx(0.299, abs=1e-3)  # ITU-R 601, as the reader of data sets has it
    assert torch.equal(pretrained.to_shape(images[:, :, :, 4:16], (3, 12, 12)), images[:, :, :, 4:16])


def test_a_folder_is_what_it_holds_and_not_where_it_lies(plain, tmp_path):
    shutil.copytree(plain, tmp_path / "elsewhere")
    one, two = (PretrainedRecipe(name="p", pipeline=str(at)) for at in (plain, tmp_path / "elsewhere"))
    assert one.key == two.key and one.content == folder_key(plain)
    weights = tmp_path / "elsewhere" / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert PretrainedRecipe(name="p", pipeline=str(tmp_path / "elsewhere")).key != one.key
    with pytest.raises(ValidationError, match="has other files"):
        PretrainedRecipe(name="p", pipeline=str(tmp_path / "elsewhere"), content=one.content)


def test_a_folder_that_changed_since_the_grid_was_read_is_refused(plain, subset, tmp_path):
    shutil.copytree(plain, tmp_path / "copy")
    recipe = PretrainedRecipe(name="p", pipeline=str(tmp_path / "copy"))
    (tmp_path / "copy" / "more.txt").write_text("x")
    with pytest.raises(DataProblem, match="has changed since"):
        trained(recipe, subset)
    shutil.rmtree(tmp_path / "copy")
    with pytest.raises(DataProblem, match="no model_index.json on this machine"):
        trained(recipe, subset)


def test_a_resolved_recipe_is_the_same_recipe(plain):
    recipe = PretrainedRecipe(name="p", pipeline=str(plain))
    assert PretrainedRecipe.model_validate(recipe.model_dump(mode="json")) == recipe
    away = recipe.model_dump(mode="json") | {"pipeline": "/nowhere/at/all"}
    assert PretrainedRecipe.model_validate(away).key == recipe.key  # named by its content


def test_on_the_hub_only_a_commit_is_a_name():
    commit = "0123456789abcdef0123456789abcdef01234567"
    recipe = PretrainedRecipe(name="p", pipeline=f"owner/model@{commit}")
    assert recipe.content == f"owner/model@{commit}"
    assert recipe.key != PretrainedRecipe(name="p", pipeline=f"owner/model@{commit[::-1]}").key
    for branch in ("owner/model", "owner/model@main", "nothing"):
        with pytest.raises(ValidationError, match="neither a folder .* nor a name on the hub with its commit"):
            PretrainedRecipe(name="p", pipeline=branch)


def test_what_a_pipeline_refuses_is_said(plain, subset):
    generator, _ = trained(PretrainedRecipe(name="p", pipeline=str(plain)), subset)
    with pytest.raises(DataProblem, match="rejects its arguments .41 steps"):
        generator.sample(SAMPLER.model_copy(update={"steps": 41}), range(2), 0, DEVICE)


def test_without_real_images_classes_are_equally_frequent(plain, subset):
    generator, _ = trained(PretrainedRecipe(name="p", pipeline=str(plain)), subset.take(np.arange(0)))
    labels = generator.sample(SAMPLER, range(0, 20), 0, DEVICE).labels
    assert np.array_equal(np.bincount(labels, minlength=10), np.full(10, 2))


def test_another_class_is_another_image(folder, subset):
    """From the same noise."""
    generator, _ = trained(PretrainedRecipe(name="p", pipeline=str(folder)), subset)
    same = dataclasses.replace(generator, conditions=generator.conditions[:1] * 10)
    one, other = (g.sample(SAMPLER, range(8), 3, DEVICE).images for g in (generator, same))
    first = class_sequence(generator.class_counts, 8) == 0
    assert np.array_equal(one[first], other[first]) and not np.array_equal(one[~first], other[~first])


def test_a_prompt_that_names_no_class_is_refused(plain):
    with pytest.raises(ValidationError, match=r"does not contain \{label\}"):
        PretrainedRecipe(name="p", pipeline=str(plain), prompt="a photo")


def test_a_pipeline_that_cannot_be_asked_for_a_class_is_refused(subset, tmp_path):
    DDPMPipeline(unet(), DDPMScheduler()).save_pretrained(tmp_path, safe_serialization=True)
    with pytest.raises(DataProblem, match="takes neither class_labels nor a prompt"):
        trained(PretrainedRecipe(name="p", pipeline=str(tmp_path)), subset)


def test_weights_that_are_pickles_are_not_read(plain, subset, tmp_path):
    shutil.copytree(plain, tmp_path / "copy")
    weights = tmp_path / "copy" / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(unet(num_class_embeds=10).state_dict(), weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(DataProblem, match="cannot be read"):
        trained(PretrainedRecipe(name="p", pipeline=str(tmp_path / "copy")), subset)


@pytest.mark.parametrize("index", [{"unet": ["os", "system"]}, {"unet": ["my_code", "Net"]}, {"more": ["a.b", "C"]}])
def test_code_that_comes_with_a_pipeline_is_not_run(plain, subset, tmp_path, index):
    shutil.copytree(plain, tmp_path / "copy")
    at = tmp_path / "copy" / "model_index.json"
    at.write_text(json.dumps(json.loads(at.read_text()) | index))
    (tmp_path / "copy" / "my_code.py").write_text("raise SystemExit('it was run')")
    with pytest.raises(DataProblem, match="refers to its own code or other packages"):
        trained(PretrainedRecipe(name="p", pipeline=str(tmp_path / "copy")), subset)


def test_a_pipeline_class_of_its_own_is_not_run(plain, subset, tmp_path):
    shutil.copytree(plain, tmp_path / "copy")
    at = tmp_path / "copy" / "model_index.json"
    at.write_text(json.dumps(json.loads(at.read_text()) | {"_class_name": ["my_code", "Pipeline"]}))
    (tmp_path / "copy" / "my_code.py").write_text("raise SystemExit('it was run')")
    with pytest.raises(DataProblem, match="cannot be read"):
        trained(PretrainedRecipe(name="p", pipeline=str(tmp_path / "copy")), subset)


def test_an_edm_of_this_house_is_a_pretrained_pipeline_too(subset, tmp_path):
    """What was trained on one set of images is, saved, an open-set generator for another."""
    from synaug_ray.config.generator_recipes import EDMRecipe

    files, _ = registry.train(EDMRecipe(name="e", channels=(8, 16), nimg=64), subset, CLASSES, 1, DEVICE)
    write_files(files, tmp_path)
    recipe = PretrainedRecipe(name="p", pipeline=str(tmp_path))
    assert recipe.open_set
    assert len(trained(recipe, subset)[0].sample(SAMPLER, range(5), 0, DEVICE)) == 5


SENTENCES = {f"digit {i}": [f"a {word} {i}" for word in "bcdefg"] for i in range(10)}


@pytest.fixture
def sentences(tmp_path):
    def write(told):
        (tmp_path / "prompts.json").write_text(told if isinstance(told, str) else json.dumps(told))
        return str(tmp_path / "prompts.json")

    return write


def test_each_image_takes_one_of_its_classs_sentences(sentences, subset, tmp_path_factory, monkeypatch):
    at = tmp_path_factory.mktemp("text")
    stable_diffusion().save_pretrained(at, safe_serialization=True)
    recipe = PretrainedRecipe(name="p", pipeline=str(at), prompts=sentences(SENTENCES))
    plain = PretrainedRecipe(name="p", pipeline=str(at))
    assert recipe.key != plain.key == plain.model_copy(update={"prompts": "/other"}).key
    files, _ = registry.train(recipe, subset, CLASSES, 0, DEVICE)
    generator = registry.load(recipe, files, subset, np.arange(30), 30)
    told = []

    class Pipeline:
        def to(self, device):
            return self

        def __call__(self, *, prompt, generator, num_inference_steps, output_type, guidance_scale=1.0):
            told.extend(prompt)
            return type("Found", (), {"images": np.random.default_rng(len(told)).random((len(prompt), 8, 8, 1))})

    monkeypatch.setattr(pretrained, "open_pipeline", lambda *a: Pipeline())
    labels = generator.sample(SAMPLER.model_copy(update={"batch": 50}), range(400), 3, DEVICE).labels
    assert all(said in SENTENCES[f"digit {label}"] for said, label in zip(told, labels, strict=False))
    counts = [told[:400].count(s) for of_class in SENTENCES.values() for s in of_class]
    assert min(counts) > 0 and max(counts) < 25
    again, told[:] = told[100:120], []
    generator.sample(SAMPLER, range(100, 120), 3, DEVICE)
    assert told[:20] == again


@pytest.mark.parametrize(
    "told,code",
    [
        ("{", "prompts-form"),
        ("[]", "prompts-form"),
        ({"digit 0": []}, "prompts-form"),
        ({"digit 0": "a"}, "prompts-form"),
    ],
)
def test_prompts_of_another_form_are_refused(plain, sentences, told, code):
    with pytest.raises(ValidationError) as caught:
        PretrainedRecipe(name="p", pipeline=str(plain), prompts=sentences(told))
    assert [e["type"] for e in caught.value.errors()] == [code]


def test_prompts_that_do_not_fit_are_refused(plain, sentences, subset):
    at = sentences({"digit_0": ["a"], "cat": ["b"]})
    for given, code in (
        ({"prompts": "/nowhere.json"}, "no-such-prompts"),
        ({"prompts": at, "words": ["a"]}, "prompts-and-words"),
        ({"prompts": at, "prompts_content": "0" * 64}, "other-content"),
    ):
        with pytest.raises(ValidationError) as caught:
            PretrainedRecipe(name="p", pipeline=str(plain), **given)
        assert [e["type"] for e in caught.value.errors()] == [code]
    recipe = PretrainedRecipe(name="p", pipeline=str(plain), prompts=at)
    with pytest.raises(DataProblem, match="takes no prompt"):
        trained(recipe, subset)
    with pytest.raises(DataProblem, match=r"no sentences for digit_1, digit_2, .*; it has some for digit_0, cat"):
        pretrained.conditions(recipe, {"prompt"}, CLASSES)
    sentences(SENTENCES)
    with pytest.raises(DataProblem, match="missing or has changed"):
        pretrained.conditions(recipe, {"prompt"}, CLASSES)
