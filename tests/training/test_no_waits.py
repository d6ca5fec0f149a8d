"""A training step never waits for the GPU: on a simulated one, more steps or longer schedules add no waits."""

import numpy as np
import pytest
import torch
from helpers.simulated_gpu import simulated_gpu

from synaug_ray.classifiers.train import Member, train_only
from synaug_ray.config.generator_recipes import DDPMRecipe, EDMRecipe, GANRecipe, ViTGANRecipe
from synaug_ray.config.presets import SAMPLERS, sampler_of
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators import edm, registry
from synaug_ray.plan.steps import TrialStep
from synaug_ray.plan.subset import Subset
from synaug_ray.quality import features, label_classifiers
from synaug_ray.training.batching import stream

GPU, CPU = torch.device("cuda"), torch.device("cpu")
CLASSES = tuple("0123456789")
TINY = {"channels": (8, 16), "batch": 8, "flip": True}
GENERATORS = {
    "edm": EDMRecipe(name="edm", warmup_nimg=8, augment=0.5, micro_batch=4, **TINY),
    "ddpm": DDPMRecipe(name="ddpm", warmup_nimg=8, **TINY),
    "gan": GANRecipe(name="gan", augment=("translate", "cutout", "brightness"), **TINY),
    "vit-gan": ViTGANRecipe(name="vit-gan", width=16, depth=1, batch=8, flip=True),
}
CLASSIFIERS = {
    "pack": ClassifierRecipe(name="mlp", widths=(16,), pack=3, flip=True, shift=1, batch=16),
    "cnn": ClassifierRecipe(name="cnn", family="cnn", widths=(8,), pack=1, flip=True, shift=1, batch=16),
    "sgd": ClassifierRecipe(name="sgd", widths=(16,), pack=2, batch=16, optimiser={"family": "sgd"}),
}


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return ImageSet(rng.integers(0, 256, (40, 1, 8, 8)).astype(np.uint8), np.arange(40) % 10)


def waits(work):
    with simulated_gpu() as gpu:
        before = len(gpu.waits)
        work()
        return gpu.waits[before:]


def trained(recipe, images, steps):
    recipe = recipe.model_copy(update={"nimg": 8 * steps})  # far fewer than the losses are read after
    return registry.family(recipe.family).train(recipe, images, CLASSES, 1, GPU)[0]


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generators_step(name, images):
    few, more = (waits(lambda n=n: trained(GENERATORS[name], images, n)) for n in (2, 5))
    assert more == few


def test_a_loss_that_is_read_in_each_step_is_found(images, monkeypatch):
    plain = edm.Batch.errors

    def read(*args):
        errors = plain(*args)
        return errors if float(errors.detach().sum()) > 0 else 2 * errors

    monkeypatch.setattr(edm.Batch, "errors", read)
    few, more = (waits(lambda n=n: trained(GENERATORS["edm"], images, n)) for n in (2, 5))
    assert len(more) >= len(few) + 3


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifiers_step(name, images, digits_identity):
    def fit(steps):
        recipe = CLASSIFIERS[name].model_copy(update={"nimg": 16 * steps})
        trial = TrialStep(Subset(digits_identity, 40, 0), None, 0, "real-only", None, recipe, 0)
        train_only([Member(trial, images)], 10, GPU)

    assert len(waits(lambda: fit(6))) == len(waits(lambda: fit(2)))


@pytest.mark.parametrize("large", [False, True])
def test_a_step_of_the_quality_checks_classifiers(large, images, monkeypatch):
    def fit(nimg):
        monkeypatch.setattr(label_classifiers if large else features, "NIMG", (nimg, nimg))
        if large:
            label_classifiers._train_large(images, 10, True, 0, GPU, lambda share: None)
        else:
            features.train(images, 10, 0, GPU)

    assert len(waits(lambda: fit(512))) == len(waits(lambda: fit(256)))


@pytest.mark.parametrize(
    "name,family",
    [*(("edm", family) for family in EDMRecipe.samplers), ("ddpm", "ddim")],
)
def test_a_samplers_step(name, family, images):
    """Ancestral sampling (``ddpm``) draws each image's noise on the CPU in each step, and waits for its copy."""
    with simulated_gpu():
        generator = trained(GENERATORS[name], images, 1)

        def sample(steps):
            changes = {"family": family, "batch": 8, "steps": steps}
            generator.sample(
                sampler_of(GENERATORS[name], SAMPLERS["dpmpp-8"]).model_copy(update=changes), range(8), 0, GPU
            )

        few, more = (waits(lambda n=n: sample(n)) for n in (3, 6))
    assert len(more) == len(few) <= 4


def test_a_stream_is_of_its_seed_and_the_cpus_is_that_of_earlier_results():
    first = torch.randn(3, generator=torch.Generator().manual_seed(5))
    assert torch.equal(torch.randn(3, generator=stream(5, CPU)), first)
    assert not torch.equal(torch.randn(3, generator=stream(6, CPU)), first)
    with simulated_gpu():
        there = [torch.randn(3, generator=stream(seed, GPU), device=GPU).cpu() for seed in (5, 5, 6)]
    assert torch.equal(there[0], there[1]) and not torch.equal(there[0], there[2])
