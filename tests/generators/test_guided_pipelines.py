"""Pipelines of others that start from real images, by their own calls and schedulers."""

import diffusers
import numpy as np
import pytest
import torch
from diffusers.schedulers import KarrasDiffusionSchedulers
from helpers.devices import DEVICE
from helpers.tiny_pipelines import consistency, dit, stable_diffusion, stable_diffusion_xl, unet

from synaug_ray.common.errors import DataProblem
from synaug_ray.config.load import validate_grid
from synaug_ray.config.no_real import needs_no_subset
from synaug_ray.config.presets import PIPELINE, sampler_of
from synaug_ray.config.pretrained_recipe import PretrainedRecipe, cannot_guide
from synaug_ray.config.yaml_source import Lines
from synaug_ray.data.images import ImageSet
from synaug_ray.data.subsets import sources_in_turn
from synaug_ray.generators import pretrained
from synaug_ray.generators.samplers import image_streams
from synaug_ray.plan.plan import make_plan
from synaug_ray.plan.subset import DataIdentity

CLASSES = ("a", "b", "c")
BUILD = {
    "consistency": consistency,
    "edm": lambda: diffusers.ConsistencyModelPipeline(
        unet(num_class_embeds=10), diffusers.EDMEulerScheduler(sigma_data=0.5)
    ),
    "dit": dit,
    "stable-diffusion": stable_diffusion,
    "stable-diffusion-xl": stable_diffusion_xl,
}
COUNTS = np.array([6, 4, 4])


@pytest.fixture(scope="module")
def real():
    rng = np.random.default_rng(0)
    return ImageSet(rng.integers(0, 256, (14, 1, 16, 16), dtype=np.uint8), np.array([0, 1, 2, 0, 0, 1, 2] * 2))


@pytest.fixture(scope="module", params=BUILD)
def folder(request, tmp_path_factory):
    torch.manual_seed(0)
    at = tmp_path_factory.mktemp(request.param)
    BUILD[request.param]().save_pretrained(at, safe_serialization=True)
    return at


@pytest.fixture(scope="module")
def generator(folder, real):
    return pretrained.train(PretrainedRecipe(name="p", pipeline=str(folder)), real, CLASSES, 0, DEVICE)[0]


def sample(generator, real, strength, index=range(6), **more):
    sampler = PIPELINE.model_copy(update={"strength": strength, "steps": 6, "batch": 4, "guidance": 1.0} | more)
    return generator.sample(sampler, index, 3, DEVICE, real)


def test_strength_0_gives_the_real_images_1_those_without_guide_and_image_i_is_image_i(generator, real):
    source = sources_in_turn(real.labels, COUNTS, 6)
    same = sample(generator, real, 0.0)
    assert np.array_equal(same.images, real.images[source]) and np.array_equal(same.labels, real.labels[source])
    plain, whole = sample(generator, None, 1.0), sample(generator, real, 1.0)
    assert np.array_equal(plain.images, whole.images) and np.array_equal(plain.labels, whole.labels)
    half = sample(generator, real, 0.5)
    assert np.array_equal(half.labels, real.labels[source]) and not np.array_equal(half.images, plain.images)
    assert np.array_equal(sample(generator, real, 0.5, range(1, 5)).images, half.images[1:5])
    after = sample(generator, None, 1.0)  # the pipeline has its own scheduler again
    assert np.array_equal(after.images, plain.images)


def test_less_is_left_of_the_source_the_more_noise_there_is(generator, real):
    other = ImageSet(255 - real.images, real.labels)
    found = []
    for strength in (0.17, 0.84):
        one, two = (sample(generator, r, strength).images.astype(float) for r in (real, other))
        found.append(float(np.abs(one - two).mean()))  # of pools whose noise is the same
    assert found[0] > found[1]


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_held_out_images_are_re_made_in_their_order_with_their_labels(generator, real, strength):
    held = real.take(np.array([9, 2, 7, 4, 3, 11]))
    remade = sample(generator, held, strength, start="held-out")
    assert np.array_equal(remade.labels, held.labels) and np.array_equal(remade.images, held.images) == (not strength)


OTHERS = ("PNDM", "EulerAncestralDiscrete", "HeunDiscrete", "DPMSolverMultistep")


@pytest.mark.parametrize(
    "name,guidance",
    [
        ("DDIM", 1.0),
        ("EulerDiscrete", 3.0),
        *(pytest.param(name, guidance, marks=pytest.mark.slow) for name in OTHERS for guidance in (1.0, 3.0)),
    ],
)
def test_stable_diffusion_does_what_its_own_image_to_image_pipeline_does(real, name, guidance, tmp_path):
    torch.manual_seed(0)
    stable_diffusion(getattr(diffusers, f"{name}Scheduler")()).save_pretrained(tmp_path, safe_serialization=True)
    ours = pretrained.train(PretrainedRecipe(name="p", pipeline=str(tmp_path)), real, CLASSES, 0, DEVICE)[0]
    found = sample(ours, real, 0.5, range(4), guidance=guidance)
    theirs = diffusers.StableDiffusionImg2ImgPipeline(**ours._loaded.components, requires_safety_checker=False)
    theirs.set_progress_bar_config(disable=True)
    pixels = torch.tensor(real.images[sources_in_turn(real.labels, COUNTS, 4)], device=DEVICE) / 127.5 - 1
    with torch.inference_mode():
        latents = theirs.vae.encode(pixels.expand(-1, 3, -1, -1)).latent_dist.mode() * theirs.vae.config.scaling_factor
        images = theirs(
            prompt=[f"a photo of a {CLASSES[k]}" for k in found.labels],
            image=latents,
            strength=0.5,
            num_inference_steps=6,
            guidance_scale=guidance,
            generator=image_streams(3, list(range(4))),
            output_type="pt",
        ).images
    wanted = pretrained.to_shape(images, ours.shape) * 2 - 1
    assert np.array_equal(found.images, ((wanted.clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy())


def test_what_cannot_start_from_images_is_refused_before_any_training(tmp_path):
    diffusers.DDPMPipeline(unet(), diffusers.DDPMScheduler()).save_pretrained(tmp_path / "a", safe_serialization=True)
    stable_diffusion(diffusers.IPNDMScheduler()).save_pretrained(tmp_path / "b", safe_serialization=True)
    given = [
        {"name": name, "family": "pretrained", "pipeline": str(tmp_path / name), "guide": {"strength": 0.3}}
        for name in "ab"
    ]
    values = {"dataset": "digits", "num_real": [40], "synthetic_multiples": [0, 1], "generators": given}
    values |= {"classifiers": ["mlp"], "draws": 1, "seeds": 1, "sampler": "dpmpp-8"}
    with pytest.raises(Exception, match="a DDPMPipeline cannot start from real images; allowed") as caught:
        validate_grid(values, Lines("g.yaml"))
    found = [m for m in caught.value.messages if m.code == "pipeline-cannot-guide"]
    assert [m.place for m in found] == ["g.yaml: generators[0].guide", "g.yaml: generators[1].guide"]
    assert "IPNDMScheduler cannot add noise" in found[1].text
    for one in given:  # without it, or where it does nothing, it is a pipeline like any other
        one["guide"]["strength"] = 1.0
    validate_grid(values, Lines("g.yaml"))


def test_each_scheduler_of_these_pipelines_that_cannot_add_noise_is_known():
    torchsde = "DPMSolverSDEScheduler"  # needs a package that is not here
    names = {s.name for s in KarrasDiffusionSchedulers} - {torchsde} | {
        "IPNDMScheduler",
        "FlowMatchEulerDiscreteScheduler",
    }
    for scheduler in names:
        can = hasattr(getattr(diffusers, scheduler), "add_noise")
        assert bool(cannot_guide("StableDiffusionPipeline", scheduler)) != can, scheduler


def test_a_pipeline_from_elsewhere_that_cannot_start_from_images_is_refused_when_it_is_opened(real, tmp_path):
    stable_diffusion(diffusers.IPNDMScheduler()).save_pretrained(tmp_path, safe_serialization=True)
    made = pretrained.train(PretrainedRecipe(name="p", pipeline=str(tmp_path)), real, CLASSES, 0, DEVICE)[0]
    with pytest.raises(DataProblem, match="IPNDMScheduler cannot add noise to real images"):
        sample(made, real, 0.5)


def test_a_guide_is_no_part_of_the_generators_key_and_needs_real_images(folder):
    values = {"name": "p", "family": "pretrained", "pipeline": str(folder)}
    plain, guided = (PretrainedRecipe(**values, **more) for more in ({}, {"guide": {"strength": 0.4}}))
    assert plain.key == guided.key and needs_no_subset(plain) and not needs_no_subset(guided)
    assert sampler_of(guided, PIPELINE).strength == 0.4
    remade = PretrainedRecipe(**values, guide={"strength": 0.4, "of": "held-out"})
    assert remade.held_out and remade.most_images(100, 40) == 60 and needs_no_subset(remade)
    names = {"a": plain, "b": guided, "c": remade}
    given = [r.model_dump(mode="json") | {"name": n} for n, r in names.items()]
    grid = {"dataset": "digits", "num_real": [40], "synthetic_multiples": [0, 1], "generators": given}
    grid |= {"classifiers": ["mlp"], "draws": 1, "seeds": 1, "sampler": "dpmpp-8"}
    plan = make_plan(validate_grid(grid, Lines("g.yaml")), DataIdentity("digits", "fp"))
    assert len(plan.generators) == 1 and len({s.sampler.key for s in plan.shards.values()}) == 3
