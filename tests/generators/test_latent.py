"""Latent diffusion: an autoencoder and EDM in its latents, both of the Subset alone."""

import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DiffusionPipeline
from helpers.generator_files import write_files

from synaug_ray.common.errors import DamagedState, DataProblem
from synaug_ray.config.generator_recipes import LatentRecipe
from synaug_ray.config.presets import SAMPLERS
from synaug_ray.data.images import ImageSet
from synaug_ray.generators import autoencoder, latent, registry
from synaug_ray.generators.diffusion import to_task
from synaug_ray.training import loop
from synaug_ray.training.checkpoint import module_names

CPU = torch.device("cpu")
TINY = LatentRecipe(
    name="latent-test",
    channels=(8, 16),
    autoencoder_channels=(8, 16),
    autoencoder_share=0.6,
    autoencoder_learning_rate=5e-3,
    nimg=2_400,
    batch=8,
    warmup_nimg=64,
    ema_half_life=64,
    flip=True,
)
SHORT = TINY.model_copy(update={"nimg": 64})
CLASSES = ("dark", "bright")


@pytest.fixture(scope="module")
def subset():
    """Two classes of 16 px: a bright or a dark disc at any place on grey."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:16, :16]
    labels = np.arange(64) % 2
    images = np.full((64, 1, 16, 16), 110, np.uint8)
    for image, label, (cx, cy) in zip(images, labels, rng.uniform(4, 12, (64, 2)), strict=True):
        image[0][(x - cx) ** 2 + (y - cy) ** 2 < 12] = 230 if label else 10
    return ImageSet(images, labels.astype(np.int64))


@pytest.fixture(scope="module")
def trained(subset):
    return latent.train(TINY, subset, CLASSES, 3, CPU)[0]


@pytest.fixture(scope="module")
def short(subset):
    """A generator of eight batches."""
    return latent.train(SHORT, subset, CLASSES, 3, CPU)[0]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_killed_training_ends_like_one_that_was_not(subset, short, monkeypatch):
    monkeypatch.setattr(loop, "SAVE_EVERY", 2)
    states = []
    _, nimg = latent.train(SHORT, subset, CLASSES, 3, CPU, save=lambda state, at: states.append((at, state())))
    assert [at for at, _ in states] == [16, 32, 40, 56, 64] and nimg == 64
    assert ["net" in module_names(state) for _, state in states] == [False, False, False, True, True]
    for _, state in states:
        again, nimg = latent.train(SHORT, subset, CLASSES, 3, CPU, state=state)
        assert nimg == 64 and same(again.net, short.net) and same(again.autoencoder, short.autoencoder)


def test_a_damaged_state_is_told(subset):
    for state in (b"", b"12345678", b"\x02" + bytes(7) + b"{}"):
        with pytest.raises(DamagedState):
            latent.train(SHORT, subset, CLASSES, 3, CPU, state=state)


@pytest.mark.integration  # the training takes 10 s
def test_latents_have_mean_0_and_variance_1_and_decode_to_the_images(subset, trained):
    generator = trained
    images = to_task(subset, 2, 0, CPU).images
    latents = autoencoder.encoded(generator.autoencoder, images)
    assert latents.shape[1:] == generator.latent_shape == (4, 8, 8)
    assert torch.allclose(latents.mean((0, 2, 3)), torch.zeros(4), atol=1e-3)
    assert torch.allclose(latents.std((0, 2, 3)), torch.ones(4), atol=1e-3)
    flat = -10 * torch.log10((images - images.mean()).square().mean() / 4)  # of one grey for all
    assert autoencoder.psnr(generator.autoencoder, images).mean() > flat + 5


def test_standardised_latents_decode_to_the_same_images(subset):
    images = to_task(subset, 2, 0, CPU).images
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = autoencoder.network(TINY, (1, 16, 16)).eval().requires_grad_(False)
    before = net.encode(images).latent_dist
    shown = net.decode(before.mode()).sample
    autoencoder.standardise(net, images)
    after = net.encode(images).latent_dist
    assert torch.allclose(net.decode(after.mode()).sample, shown, atol=1e-4)
    # the standard deviation of each latent is scaled as its mean is
    scale = before.mode().std((0, 2, 3)).view(1, -1, 1, 1)
    assert torch.allclose(after.std * scale, before.std, rtol=1e-3)


def test_image_i_is_the_same_in_any_batch(short):
    generator, sampler = short, SAMPLERS["dpmpp-8"].model_copy(update={"batch": 8})
    pool = generator.sample(sampler, range(12), 5, CPU)
    part = generator.sample(sampler, range(5, 12), 5, CPU)
    assert np.array_equal(pool.images[5:], part.images) and np.array_equal(pool.labels[5:], part.labels)


@pytest.mark.integration  # the training takes 10 s
def test_its_classes_can_be_told_apart(trained):
    pool = trained.sample(SAMPLERS["dpmpp-8"].model_copy(update={"batch": 64}), range(64), 5, CPU)
    by_class = [pool.images[pool.labels == k].astype(float) for k in (0, 1)]
    assert by_class[1].mean() > by_class[0].mean() + 5


def test_saved_and_loaded_it_makes_the_same_images_in_our_code_and_by_diffusers_alone(short, tmp_path):
    generator, sampler = short, SAMPLERS["dpmpp-8"].model_copy(update={"batch": 4})
    files = generator.files()
    again = registry.from_files(files)
    assert np.array_equal(
        again.sample(sampler, range(4), 1, CPU).images, generator.sample(sampler, range(4), 1, CPU).images
    )
    write_files(files, tmp_path)
    pipeline = DiffusionPipeline.from_pretrained(tmp_path)
    pipeline.set_progress_bar_config(disable=True)
    latents = pipeline(
        batch_size=2,
        class_labels=[0, 1],
        num_inference_steps=4,
        output_type="pt",
        generator=torch.Generator().manual_seed(0),
        return_dict=False,
    )[0]
    assert latents.shape == (2, 4, 8, 8)
    decoder = AutoencoderKL.from_pretrained(tmp_path, subfolder="vae")
    with torch.inference_mode():
        assert torch.equal(decoder.decode(latents).sample, generator.autoencoder.decode(latents).sample)
    assert json.loads(files["synaug.json"])["family"] == "latent"


def test_it_sees_its_subset_alone(subset, short):
    """Other images give other weights, in both parts; the same ones the same."""
    other = ImageSet(255 - subset.images, subset.labels)
    again, changed = (latent.train(SHORT, images, CLASSES, 3, CPU)[0] for images in (subset, other))
    assert same(again.net, short.net) and same(again.autoencoder, short.autoencoder)
    assert not same(changed.net, short.net) and not same(changed.autoencoder, short.autoencoder)


@pytest.mark.parametrize(
    "changes,code",
    [
        ({"augment": 0.1}, "augment-latents"),
        ({"schedule": "constant"}, "schedule-of-latents"),
        ({"autoencoder_channels": (8, 12)}, "not-divisible"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, code):
    with pytest.raises(ValueError) as caught:
        LatentRecipe(name="wrong", **changes)
    assert caught.value.errors()[0]["type"] == code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An autoencoder that was trained elsewhere; as in newer ones, no convolutions stand about its latents."""
    net = AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(4, 8),
        norm_num_groups=2,
        latent_channels=3,
        sample_size=16,
        scaling_factor=0.18,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    path = tmp_path_factory.mktemp("vae")
    net.save_pretrained(path, safe_serialization=True)
    return path


def given(folder, **more):
    values = {"name": "given", "channels": (8, 16), "nimg": 32, "batch": 8, "warmup_nimg": 64, "ema_half_life": 64}
    return LatentRecipe(autoencoder=str(folder), **values | more)


def test_a_given_autoencoder_is_not_trained_and_decodes_as_before(subset, folder, tmp_path, monkeypatch):
    recipe = given(folder)
    assert recipe.halvings == 2 and recipe.latent_shape((1, 16, 16)) == (3, 8, 8) and recipe.autoencoder_length(64) == 0
    monkeypatch.setattr(loop, "SAVE_EVERY", 2)
    states = []
    made, nimg = latent.train(recipe, subset, CLASSES, 3, CPU, save=lambda state, at: states.append(state()))
    assert nimg == 32 and all("net" in module_names(state) for state in states)
    again, _ = latent.train(recipe, subset, CLASSES, 3, CPU, state=states[0])
    assert same(again.net, made.net) and same(again.autoencoder, made.autoencoder)
    images = to_task(subset, 2, 0, CPU).images
    before = AutoencoderKL.from_pretrained(folder)
    theirs = before.decode(before.encode(images).latent_dist.mode()).sample
    latents = autoencoder.encoded(made.autoencoder, images)
    assert torch.allclose(autoencoder.decoded(made.autoencoder, latents), theirs, atol=1e-4)
    assert torch.allclose(latents.std((0, 2, 3)), torch.ones(3), atol=1e-3)
    write_files(made.files(), tmp_path)
    loaded = AutoencoderKL.from_pretrained(tmp_path, subfolder="vae")
    assert loaded.config["scaling_factor"] == 1 and same(loaded, made.autoencoder)
    assert torch.allclose(autoencoder.decoded(loaded, latents), theirs, atol=1e-4)
    sampler = SAMPLERS["dpmpp-8"].model_copy(update={"batch": 8, "steps": 2})
    assert latent.from_files(made.files()).sample(sampler, range(4), 5, CPU).images.shape == (4, 1, 16, 16)


def test_a_given_autoencoder_is_known_by_its_content(folder, tmp_path):
    recipe = given(folder)
    shutil.copytree(folder, tmp_path / "copy")
    assert given(tmp_path / "copy").key == recipe.key != TINY.key
    assert LatentRecipe.model_validate(recipe.model_dump(mode="json")) == recipe  # as a run's grid.yaml has it
    moved = recipe.model_dump(mode="json") | {"autoencoder": "/elsewhere"}
    assert LatentRecipe.model_validate(moved).key == recipe.key  # the machine that loads it must have it
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "copy" / "config.json").write_text(json.dumps(config | {"act_fn": "relu"}))
    assert given(tmp_path / "copy").key != recipe.key
    for problem, make in {
        "no config.json": lambda: given(tmp_path),
        "other files": lambda: given(tmp_path / "copy", autoencoder_content=recipe.autoencoder_content),
        "autoencoder_share would train": lambda: given(folder, autoencoder_share=0.2),
        "latent_channels: 4": lambda: given(folder, latent_channels=4),
    }.items():
        with pytest.raises(ValueError, match=problem):
            make()


def test_a_given_autoencoder_that_does_not_fit_is_a_sentence(subset, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    recipe = given(tmp_path / "copy")
    colour = ImageSet(np.repeat(subset.images, 3, 1), subset.labels)
    with pytest.raises(DataProblem, match="1 channels, and these have 3; set data.mode: gray"):
        latent.train(recipe, colour, CLASSES, 3, CPU)
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "copy" / "config.json").write_text(json.dumps(config | {"block_out_channels": [8, 8]}))
    with pytest.raises(DataProblem, match="is missing or has changed"):
        latent.train(recipe, subset, CLASSES, 3, CPU)
    with pytest.raises(DataProblem, match="cannot be used"):
        latent.train(given(tmp_path / "copy"), subset, CLASSES, 3, CPU)
