"""Guided sampling: what images start from, and what is left of that."""

import numpy as np
import pytest
import torch

from synaug_ray.config.generator_recipes import DDPMRecipe, EDMRecipe, LatentRecipe
from synaug_ray.config.load import validate_grid
from synaug_ray.config.presets import SAMPLERS, sampler_of
from synaug_ray.config.yaml_source import Lines
from synaug_ray.data.images import ImageSet
from synaug_ray.data.subsets import sources_in_turn
from synaug_ray.generators import autoencoder, registry
from synaug_ray.generators.latent import LatentGenerator
from synaug_ray.generators.samplers import heun, noise_levels
from synaug_ray.plan.plan import make_plan
from synaug_ray.plan.subset import DataIdentity

CPU = torch.device("cpu")
SMALL = {"channels": (8, 16), "nimg": 64, "batch": 8, "warmup_nimg": 64, "ema_half_life": 64}
FAMILIES = {
    "edm": (EDMRecipe(name="x", **SMALL), SAMPLERS["dpmpp-8"]),
    "ddpm": (DDPMRecipe(name="x", **SMALL), SAMPLERS["ddim-50"].model_copy(update={"steps": 8})),
    "latent": (LatentRecipe(name="x", autoencoder_channels=(8, 16), **SMALL), SAMPLERS["dpmpp-8"]),
}


@pytest.fixture(scope="module")
def real():
    rng = np.random.default_rng(0)
    return ImageSet(rng.integers(0, 256, (14, 1, 16, 16), dtype=np.uint8), np.array([0, 1, 2, 0, 0, 1, 2] * 2))


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, real):
    recipe, sampler = FAMILIES[request.param]
    generator, _ = registry.family(recipe.family).train(recipe, real, ("a", "b", "c"), 0, CPU)
    return generator, sampler.model_copy(update={"batch": 8})


def sample(family, real, strength, index=range(20)):
    generator, sampler = family
    return generator.sample(sampler.model_copy(update={"strength": strength}), index, 3, CPU, real)


def test_each_image_has_a_source_of_its_class_and_all_are_used_in_turn(real):
    counts = np.bincount(real.labels)
    found = sources_in_turn(real.labels, counts, 42)
    assert np.array_equal(np.bincount(found), np.full(14, 3))
    assert np.array_equal(sources_in_turn(real.labels, counts, 9), found[:9])
    zeros = [i for i in found if real.labels[i] == 0]
    assert zeros[:7] == [0, 3, 4, 7, 10, 11, 0]


def test_at_strength_0_the_images_are_real_and_at_1_those_that_are_not_guided(family, real):
    source = sources_in_turn(real.labels, np.bincount(real.labels), 20)
    same = sample(family, real, 0.0)
    assert np.array_equal(same.images, real.images[source]) and np.array_equal(same.labels, real.labels[source])
    generator, sampler = family
    plain = generator.sample(sampler, range(20), 3, CPU)
    whole = sample(family, real, 1.0)
    assert np.array_equal(whole.images, plain.images) and np.array_equal(whole.labels, plain.labels)


def test_less_is_left_of_the_source_the_more_noise_there_is(family, real):
    source = torch.tensor(real.images[sources_in_turn(real.labels, np.bincount(real.labels), 20)]) / 127.5 - 1
    if isinstance(family[0], LatentGenerator):  # as its autoencoder shows it, which was trained for 64 images
        coder = family[0].autoencoder
        with torch.no_grad():
            source = autoencoder.decoded(coder, autoencoder.encoded(coder, source)).clamp(-1, 1)
    pools = [sample(family, real, s) for s in (0.15, 0.5, 1.0)]
    likeness = [np.corrcoef(pool.images.astype(float).ravel(), source.numpy().ravel())[0, 1] for pool in pools]
    assert likeness == sorted(likeness, reverse=True) and likeness[0] > 0.8
    assert all(np.array_equal(pool.labels, pools[0].labels) for pool in pools)


def test_image_i_is_the_same_in_any_batch(family, real):
    whole, part = sample(family, real, 0.5), sample(family, real, 0.5, range(5, 12))
    assert np.array_equal(whole.images[5:12], part.images)


@pytest.mark.parametrize("strength", [0.2, 0.5, 0.9])
def test_what_is_left_of_the_source_is_what_the_exact_solution_leaves(strength):
    """Of Gaussian data of deviation s, noise of level t about x is brought to x s / sqrt(s^2 + t^2), and as much noise."""
    s, x = 0.5, torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)).double()
    sampler = SAMPLERS["dpmpp-8"].model_copy(update={"steps": 200, "strength": strength})
    sigmas = noise_levels(sampler)
    assert len(sigmas) == 1 + round(200 * strength) == 1 + sampler.steps_taken
    start = 0.5 * x + sigmas[0] * torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).double()
    found = heun(lambda x, sigma: x * s**2 / (s**2 + sigma**2), start, sigmas)
    torch.testing.assert_close(found, start * s / (s**2 + sigmas[0] ** 2) ** 0.5, rtol=2e-3, atol=1e-4)


def grid_of(*generators, sampler="dpmpp-8"):
    values = {"dataset": "digits", "num_real": [40], "synthetic_multiples": [0, 1], "generators": list(generators)}
    values |= {"classifiers": ["mlp"], "draws": 1, "seeds": 1, "sampler": sampler}
    return validate_grid(values, Lines("g.yaml"))


def test_one_training_serves_all_strengths():
    plain = {"preset": "edm-tiny", "name": "plain"}
    guided = [plain | {"name": f"guided-{s}", "guide": {"strength": s}} for s in (0.2, 0.5)]
    plan = make_plan(grid_of(plain, *guided), DataIdentity("digits", "fp"))
    assert len(plan.generators) == 1 and len({s.sampler.key for s in plan.shards.values()}) == 3
    assert {plan.names[q.pool.key] for q in plan.qualities.values()} == {"plain", "guided-0.2", "guided-0.5"}
    assert len(make_plan(grid_of(plain), DataIdentity("digits", "fp")).shards.keys() & plan.shards.keys()) > 0


def test_the_sampler_of_the_family_is_guided():
    recipe = FAMILIES["ddpm"][0].model_copy(update={"guide": {"strength": 0.4}})
    found = sampler_of(DDPMRecipe.model_validate(recipe.model_dump()), SAMPLERS["dpmpp-8"])
    assert found.family == "ddim" and found.strength == 0.4 and found.steps_taken == 20


def test_image_i_is_held_out_image_i_re_made_with_its_label(family, real):
    """Of as many images as there are, in their order, whatever the classes of the Subset."""
    generator, sampler = family
    held = real.take(np.array([9, 2, 7, 4, 3, 11, 0]))
    remade = {
        s: generator.sample(sampler.model_copy(update={"strength": s, "start": "held-out"}), range(7), 3, CPU, held)
        for s in (0.0, 0.3)
    }
    assert np.array_equal(remade[0.0].images, held.images)
    assert all(np.array_equal(pool.labels, held.labels) for pool in remade.values())
    assert not np.array_equal(remade[0.3].images, held.images)
    some = sampler.model_copy(update={"strength": 0.3, "start": "held-out"})
    part = generator.sample(some, range(2, 6), 3, CPU, held)
    assert np.array_equal(part.images, remade[0.3].images[2:6]) and np.array_equal(part.labels, held.labels[2:6])


def test_held_out_images_are_a_control_of_the_same_training():
    plain = {"preset": "edm-tiny", "name": "plain"}
    remade = plain | {"name": "remade", "guide": {"strength": 0.3, "of": "held-out"}}
    spec = grid_of(plain, plain | {"name": "guided", "guide": {"strength": 0.3}}, remade)
    plan = make_plan(spec, DataIdentity("digits", "fp"))
    assert len(plan.generators) == 1 and len({s.sampler.key for s in plan.shards.values()}) == 3
    assert [g.held_out for g in spec.generators] == [False, False, True]
    assert [g.most_images(1_000, 40) for g in spec.generators] == [None, None, 960]
