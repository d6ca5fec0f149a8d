"""Whole trainings and samplings of every family on a simulated GPU: no two tensors of an operation on two devices."""

import numpy as np
import pytest
import torch
from helpers.simulated_gpu import DeviceMismatch, simulated_gpu
from torch._subclasses.fake_tensor import FakeTensorMode

from synaug_ray.classifiers import train as classifiers
from synaug_ray.config.generator_recipes import DDPMRecipe, EDMRecipe, GANRecipe, LatentRecipe, ViTGANRecipe
from synaug_ray.config.presets import SAMPLERS, sampler_of
from synaug_ray.config.recipes import ClassifierRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators import diffusion, gan, registry, vit_gan
from synaug_ray.plan.steps import TrialStep
from synaug_ray.plan.subset import Subset
from synaug_ray.quality import features, label_classifiers
from synaug_ray.quality.nearest import nearest, pixels

GPU = torch.device("cuda")
CLASSES = tuple("0123456789")
TINY = {"channels": (8, 16), "nimg": 16, "batch": 8, "flip": True, "precision": "bf16"}
GENERATORS = {
    "edm": EDMRecipe(name="edm", warmup_nimg=8, augment=0.5, micro_batch=4, **TINY),
    "edm scale-shift": EDMRecipe(
        name="edm", warmup_nimg=8, conditioning="scale-shift", noise_frequencies="rising", **TINY
    ),
    "latent": LatentRecipe(name="latent", warmup_nimg=8, autoencoder_channels=(8, 16), **TINY),
    "ddpm": DDPMRecipe(name="ddpm", warmup_nimg=8, **TINY),
    "gan": GANRecipe(name="gan", augment=("translate", "cutout", "brightness"), **TINY),
    "vit-gan": ViTGANRecipe(name="vit-gan", width=16, depth=1, nimg=16, batch=8, flip=True, precision="bf16"),
}
SAMPLED = [  # generator, family of its sampler
    *(("edm", family) for family in EDMRecipe.samplers),
    *(("ddpm", family) for family in DDPMRecipe.samplers),
    ("edm scale-shift", "dpmpp-2m"),
    ("latent", "dpmpp-2m"),
    ("gan", "latent"),
    ("vit-gan", "latent"),
]
SHORT = {"nimg": 64, "batch": 32}
CLASSIFIERS = {
    "pack of mlps": ClassifierRecipe(name="mlp", widths=(16,), pack=3, flip=True, shift=1, **SHORT),
    "pack of mlps, bf16": ClassifierRecipe(name="mlp", widths=(16,), pack=3, precision="bf16", **SHORT),
    "cnn": ClassifierRecipe(name="cnn", family="cnn", widths=(8, 16), pack=1, flip=True, precision="bf16", **SHORT),
    "timm": ClassifierRecipe(name="timm", family="timm", model="resnet10t", pack=1, **SHORT),
}


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return ImageSet(rng.integers(0, 256, (40, 1, 8, 8)).astype(np.uint8), np.arange(40) % 10)


def members(recipe, images, identity):
    trials = [TrialStep(Subset(identity, 40, 0), None, 0, "real-only", None, recipe, seed) for seed in (0, 1)]
    return [classifiers.Member(trial, images) for trial in trials[: recipe.pack]]


@pytest.fixture(scope="module")
def stored(images):
    """The files of each generator after one step."""
    with simulated_gpu():
        return {
            name: trained(recipe.model_copy(update={"nimg": 8}), images)[0].files()
            for name, recipe in GENERATORS.items()
        }


def trained(recipe, images, **more):
    return registry.family(recipe.family).train(recipe, images, CLASSES, 1, GPU, **more)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_trains_stops_and_goes_on(name, images):
    recipe, kept = GENERATORS[name], []
    with simulated_gpu() as gpu:
        generator, nimg = trained(recipe, images, save=lambda state, nimg: kept.append(state()))
        assert nimg == recipe.nimg and all(gpu.has(p) for p in generator.net.parameters())
        longer = recipe.model_copy(update={"nimg": recipe.nimg + recipe.batch})
        resumed, nimg = trained(longer, images, state=kept[-1])
        assert nimg == recipe.nimg + recipe.batch and all(gpu.has(p) for p in resumed.net.parameters())


@pytest.mark.parametrize("name,family", SAMPLED)
def test_a_generator_samples_after_it_was_stored(name, family, stored):
    sampler = sampler_of(GENERATORS[name], SAMPLERS["dpmpp-8"]).model_copy(
        update={"family": family, "batch": 8, "steps": 4, "precision": "bf16"}
    )
    with simulated_gpu() as gpu:
        generator = registry.from_files(stored[name])
        assert not any(gpu.has(p) for p in generator.net.parameters())
        pool = generator.sample(sampler, range(3, 12), 3, GPU)
    assert pool.images.shape == (9, 1, 8, 8) and len(np.unique(pool.images, axis=0)) == 9


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_train_and_are_tested(name, images, digits_identity):
    recipe = CLASSIFIERS[name]
    with simulated_gpu():
        outcomes = classifiers.train_pack(members(recipe, images, digits_identity), images, images, 10, GPU, parts=2)
    assert all(outcome.nimg == 64 and np.isfinite(outcome.probability).all() for outcome in outcomes)


def test_networks_of_the_quality_check(images, monkeypatch):
    for module in (features, label_classifiers):
        monkeypatch.setattr(module, "NIMG", (128, 128))
    with simulated_gpu():
        assert np.isfinite(features.train(images, 10, 0, GPU).log_probabilities(images)).all()
        large = label_classifiers._train_large(images, 10, True, 0, GPU, lambda share: None)
        assert np.isfinite(large.log_probabilities(images)).all()
        distance, index = nearest(pixels(images), pixels(images), 2, GPU)
    assert (distance[:, 0] == 0).all() and (index[:, 0] == np.arange(40)).all()


# Planted: what a GPU would refuse is found


def left_on_the_cpu(monkeypatch, name):
    """A network, or the images, that someone forgot to move."""
    if name == "gan":
        monkeypatch.setattr(gan.Discriminator, "to", lambda net, device: net)
    elif name == "vit-gan":
        monkeypatch.setattr(vit_gan.Networks, "to", lambda net, device: net)
    elif name in GENERATORS:
        monkeypatch.setattr(diffusion, "to_device", lambda net, device: net)
    else:
        resident = classifiers._resident
        monkeypatch.setattr(classifiers, "_resident", lambda members, device: resident(members, torch.device("cpu")))


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generators_network_that_is_left_on_the_cpu_is_found(name, images, monkeypatch):
    left_on_the_cpu(monkeypatch, name)
    with simulated_gpu(), pytest.raises(DeviceMismatch, match="all tensors on one device, got .*cpu"):
        trained(GENERATORS[name], images)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_images_of_classifiers_that_are_left_on_the_cpu_are_found(name, images, digits_identity, monkeypatch):
    left_on_the_cpu(monkeypatch, name)
    with simulated_gpu(), pytest.raises(DeviceMismatch):
        classifiers.train_pack(members(CLASSIFIERS[name], images, digits_identity), images, images, 10, GPU)


# The simulation itself, against torch's FakeTensorMode with fake CUDA tensors

OPERATIONS = {
    "add": lambda a, b: a + b,
    "add_": lambda a, b: a.add_(b),
    "cat": lambda a, b: torch.cat([a, b]),
    "mm": lambda a, b: a @ b,
    "where": lambda a, b: torch.where(a > 0, a, b),
    "gather": lambda a, b: a.gather(1, b.long()),
    "conv2d": lambda a, b: torch.nn.functional.conv2d(a[None, None], b[None, None]),
    "embedding": lambda a, b: torch.nn.functional.embedding(a.long(), b),
    "lerp": lambda a, b: torch._foreach_lerp_([a], [b], 0.5),
    "write a row": lambda a, b: a.__setitem__(0, b[0]),
    "compare": lambda a, b: (a == b).any(),
    "a number of the other": lambda a, b: a * b[0, 0],
    "mean of the other": lambda a, b: a + b.mean(),
    "cross_entropy": lambda a, b: torch.nn.functional.cross_entropy(a, b),
    "moved": lambda a, b: a + b.to(a.device),
    "index": lambda a, b: a[b[0].long()],
}
STRICTER = {  # FakeTensorMode lets these pass, CUDA does not
    ("index", "cpu", "cuda"),
    ("lerp", "cpu", "cuda"),
    ("lerp", "cuda", "cpu"),
}


@pytest.mark.parametrize("one", ["cpu", "cuda"])
@pytest.mark.parametrize("other", ["cpu", "cuda"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_mismatches_are_those_of_fake_tensors(name, one, other):
    def refused():
        a, b = torch.zeros(3, 3, device=one), torch.zeros(3, 3, device=other)
        try:
            OPERATIONS[name](a, b)
        except RuntimeError:
            return True
        return False

    with FakeTensorMode():
        theirs = refused()
    with simulated_gpu():
        assert refused() == (theirs or (name, one, other) in STRICTER)


WAITS = {
    "a number": lambda x, i: float(x.sum()),
    "a branch": lambda x, i: bool((x > 0).any()),
    "a mask": lambda x, i: x[x > 0],
    "nonzero": lambda x, i: x.nonzero(),
    "to the CPU": lambda x, i: x.cpu(),
    "from the CPU": lambda x, i: i.to(x.device),
    "made of numbers": lambda x, i: torch.tensor([1.0, 2.0], device=x.device),
    "indices on the CPU": lambda x, i: x[i],
    "written from the CPU": lambda x, i: x[0].copy_(i),
}
NO_WAITS = {
    "work": lambda x, i: (x @ x).softmax(1).sum(),
    "made there": lambda x, i: torch.arange(3, device=x.device) + x,
    "from the CPU, without waiting": lambda x, i: x[i.to(x.device, non_blocking=True)],
    "a slice": lambda x, i: x[1:, :2].flip(0),
    "a number from the CPU": lambda x, i: x * i.sum(),
}


@pytest.mark.parametrize("name", [*WAITS, *NO_WAITS])
def test_waits_for_the_gpu_are_noted(name):
    with simulated_gpu() as gpu:
        x, i = torch.zeros(3, 3, device="cuda"), torch.arange(3)
        (WAITS | NO_WAITS)[name](x, i)
        assert bool(gpu.waits) == (name in WAITS)


def test_a_generator_draws_on_its_own_device_alone():
    with simulated_gpu():
        here, there = torch.Generator().manual_seed(0), torch.Generator("cuda").manual_seed(0)
        assert torch.randn(2, generator=there, device=GPU).device == torch.device("cuda", 0)
        for wrong in ({"generator": here, "device": GPU}, {"generator": there}):
            with pytest.raises(DeviceMismatch, match="generator of another device"):
                torch.randn(2, **wrong)
    assert torch.randn(2).device == torch.device("cpu")


def test_numbers_are_those_of_the_cpu_and_numpy_needs_a_copy():
    with simulated_gpu():
        x = torch.arange(3.0).to("cuda")
        with pytest.raises(TypeError, match="can't convert cuda"):
            x.numpy()
        assert x.device.type == "cuda" and x.cpu().numpy().tolist() == [0, 1, 2]
