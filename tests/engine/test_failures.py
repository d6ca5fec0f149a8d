"""What each cause of a failure deserves: no second try, one in halves, some with pauses; and what is told of it."""

import dataclasses
import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel
from helpers.grids import small_grid
from safetensors.torch import load

from synaug_ray.classifiers import train as training
from synaug_ray.common.errors import Collapsed, DataProblem, Diverged, StorageProblem
from synaug_ray.config.generator_recipes import DDPMRecipe
from synaug_ray.engine.attempt import attempt
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.failures import cause_of
from synaug_ray.engine.machine import Machine, use_threads
from synaug_ray.generators import samplers as samplers_module
from synaug_ray.plan.plan import make_plan
from synaug_ray.store import retry
from synaug_ray.store.store import CorruptPayload, Store
from synaug_ray.training.distributed import Split


@pytest.fixture
def context(digits, tmp_path):
    use_threads(1)
    return WorkerContext(Store(str(tmp_path / "store")), digits, Machine())


@pytest.fixture
def other(context, tmp_path):
    """A second Store on the same images."""
    return dataclasses.replace(context, store=Store(str(tmp_path / "other")))


@pytest.fixture
def edm(small):
    """A generator without dropout, which would draw anew for each half."""
    _, plan = small
    step = next(g for g in plan.generators.values() if g.recipe.family == "edm")
    return dataclasses.replace(step, recipe=step.recipe.model_copy(update={"dropout": 0.0}))


def shard_of(plan, edm):
    """The first shard of a generator's pool."""
    found = next(s for s in plan.shards.values() if s.generator.recipe.family == "edm")
    return dataclasses.replace(found, generator=edm)


def raising(real, too_much):
    """A network's call that does not fit where ``too_much(its argument)``; and how often it did not."""
    refused = []

    def call(self, x, *args, **kwargs):
        if too_much(x, *args, **kwargs):
            refused.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(self, x, *args, **kwargs)

    return call, refused


@pytest.mark.parametrize(
    "error,cause",
    [
        (ValueError("x"), "bug"),
        (Diverged("x"), "diverged"),
        (Collapsed("x"), "collapsed"),
        (MemoryError(), "out of memory"),
        (torch.OutOfMemoryError("x"), "out of memory"),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to "
                "allocate 9 bytes."
            ),
            "out of memory",
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "out of memory"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "bug"),
        (OSError(5, "Input/output error"), "storage"),
        (CorruptPayload("x"), "storage"),
        (StorageProblem("x"), "storage"),
        (DataProblem("the pipeline is gone"), "data"),
    ],
)
def test_causes(error, cause):
    assert cause_of(error) == cause


def test_a_generator_that_does_not_fit_is_trained_in_halves(context, other, edm, monkeypatch):
    """To rounding what it would have been, and its Record says so; the key stays."""
    attempt(other, edm)
    call, refused = raising(UNet2DModel.forward, lambda x, *args, **kwargs: len(x) > 16)
    monkeypatch.setattr(UNet2DModel, "forward", call)
    attempt(context, edm)
    record, whole = context.store.record("generator", edm.key), other.store.record("generator", edm.key)
    assert len(refused) == 1 and not context.store.failed("generator")
    assert record.made["batch_parts"] == 2 and "out of memory: OutOfMemoryError: CUDA" in record.made["because"]
    assert "batch_parts" not in whole.made
    name = "unet/diffusion_pytorch_model.safetensors"
    halves, wholes = load(context.store.read(record, name)), load(other.store.read(whole, name))
    apart = torch.cat([(halves[key] - weights).flatten() for key, weights in wholes.items()]).norm()
    size = torch.cat([weights.flatten() for weights in wholes.values()]).norm()
    assert 0 < apart < 0.05 * size  # the gradients agree to 1e-5; Adam's first steps magnify rounding


@pytest.mark.parametrize("family", ["edm", "ddpm"])
def test_gradients_of_halves_add_up(digits, edm, family):
    from synaug_ray.generators import ddpm
    from synaug_ray.generators import edm as edm_module
    from synaug_ray.generators.diffusion import initialise, network, to_task

    task = to_task(digits.train.take(np.arange(40)), 10, 0, torch.device("cpu"))
    recipe = edm.recipe if family == "edm" else DDPMRecipe(name="x", channels=(8, 16), dropout=0.0)
    found = []
    for parts in (1, 2, 3):
        net = initialise(lambda: network(recipe, task.shape, 10), 0, torch.device("cpu"))
        if family == "edm":
            loss = edm_module.backward(net, recipe, task, 0.5, 64, Split(parts))
        else:
            scheduler = ddpm.DDPMScheduler(**ddpm._levels(recipe.betas, recipe.levels))
            loss = ddpm._backward(net, recipe, task, scheduler, 64, Split(parts))
        found.append([loss, *(p.grad for p in net.parameters())])
    for parts in found[1:]:
        for whole, part in zip(found[0], parts, strict=True):
            assert torch.allclose(whole, part, rtol=1e-3, atol=1e-5)


def test_images_that_do_not_fit_are_sampled_in_halves(context, other, edm, small, monkeypatch):
    _, plan = small
    step = shard_of(plan, edm)
    for here in (context, other):
        attempt(here, edm)
    whole = attempt(other, step)
    # guidance doubles a batch of 16
    call, refused = raising(UNet2DModel.forward, lambda x, *args, **kwargs: len(x) > 16)
    monkeypatch.setattr(UNet2DModel, "forward", call)
    halves = attempt(context, step)
    assert len(refused) == 1 and context.store.record("shard", step.key).made["batch_parts"] == 2
    assert np.array_equal(halves.labels, whole.labels)
    assert np.abs(halves.images.astype(int) - whole.images).max() <= 1


def test_a_pack_that_does_not_fit_is_trained_in_halves(context, other, small, monkeypatch):
    _, plan = small
    pack = [t for t in plan.trials.values() if t.pool is None]
    attempt(other, pack)
    batch = pack[0].classifier.batch
    call, refused = raising(training.Pack.logits, lambda x, train: x.shape[1] > (batch // 2 if train else 250))
    monkeypatch.setattr(training.Pack, "logits", call)
    attempt(context, pack)
    assert len(refused) == 1
    for trial in pack:
        record, whole = context.store.record("trial", trial.key), other.store.record("trial", trial.key)
        assert record.made["batch_parts"] == 2
        assert record.result["test_nll"] == pytest.approx(whole.result["test_nll"], rel=1e-2)


def test_what_does_not_fit_in_halves_either_fails_and_the_rest_goes_on(context, edm, small, monkeypatch):
    _, plan = small
    call, refused = raising(UNet2DModel.forward, lambda x, *args, **kwargs: True)
    monkeypatch.setattr(UNet2DModel, "forward", call)
    attempt(context, edm)
    failure = context.store.failed("generator")[edm.key]
    assert len(refused) == 2 and (failure.cause, failure.attempts) == ("out of memory", 2)
    assert "OutOfMemoryError: CUDA out of memory" in failure.message and "Traceback" in failure.traceback
    trial = next(t for t in plan.trials.values() if t.pool is None)
    attempt(context, [trial])
    assert context.store.has(trial)


@pytest.mark.parametrize("error", [KeyError("a bug"), Diverged("nan")])
def test_a_bug_and_a_divergence_get_no_second_try(context, edm, monkeypatch, error):
    from synaug_ray.generators import registry

    tries = []

    def train(*args, **kwargs):
        tries.append(1)
        raise error

    monkeypatch.setattr(registry, "train", train)
    attempt(context, edm)
    assert len(tries) == 1 and context.store.failed("generator")[edm.key].attempts == 1
    attempt(context, edm)  # the next run of the command
    assert len(tries) == 2 and context.store.failed("generator")[edm.key].attempts == 2


@pytest.mark.parametrize("times,stands", [(2, True), (9, False)])
def test_a_hiccup_of_the_storage_is_waited_for(context, edm, monkeypatch, times, stands):
    """A training is not lost to it; one that does not pass is a failure with its cause."""
    monkeypatch.setattr(retry, "PAUSES", (0.0, 0.0, 0.0))
    left, real = [times], os.replace

    def replace(source, target):
        if "/payload/" in str(target) and left[0]:
            left[0] -= 1
            raise OSError(errno.EIO, "Input/output error")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    attempt(context, edm)
    assert context.store.has(edm) is stands
    assert [f.cause for f in context.store.failed("generator").values()] == [] if stands else ["storage"]


@pytest.mark.parametrize("value,error", [(float("nan"), Diverged), (float("inf"), Diverged), (0.25, Collapsed)])
def test_pixels_that_are_no_numbers_or_all_the_same_are_no_images(context, edm, small, monkeypatch, value, error):
    _, plan = small
    step = shard_of(plan, edm)
    attempt(context, edm)
    monkeypatch.setitem(
        samplers_module.SAMPLERS, step.sampler.family, lambda denoise, x, sigmas: torch.full_like(x, value)
    )
    assert attempt(context, step) is None
    failure = context.store.failed("shard")[step.key]
    assert failure.message.startswith(error.__name__)
    assert failure.cause == ("collapsed" if value == 0.25 else "diverged")


def test_images_of_one_colour_each_are_a_collapse_and_few_that_repeat_are_not(context, edm, small, monkeypatch):
    """What is partly collapsed is a word of the look at the pool."""
    _, plan = small
    step = shard_of(plan, edm)
    attempt(context, edm)
    family = step.sampler.family
    monkeypatch.setitem(samplers_module.SAMPLERS, family, lambda denoise, x, sigmas: x[:, :, :1, :1].expand_as(x) / 100)
    attempt(context, step)
    assert "have a single colour each" in context.store.failed("shard")[step.key].message
    monkeypatch.setitem(samplers_module.SAMPLERS, family, lambda denoise, x, sigmas: x[:2].repeat(len(x) // 2, 1, 1, 1))
    assert attempt(context, step) is not None and context.store.has(step)


@pytest.mark.parametrize("rate", [1e3, 1e10, 1e30])
def test_a_learning_rate_that_is_far_too_high_gives_no_silent_number(context, edm, small, rate):
    """Either the training says it, or the images do."""
    _, plan = small
    step = dataclasses.replace(edm, recipe=edm.recipe.model_copy(update={"learning_rate": rate}))
    attempt(context, step)
    if context.store.has(step):
        shard = next(s for s in plan.shards.values() if s.generator.recipe.family == "edm")
        attempt(context, dataclasses.replace(shard, generator=step))
    causes = {f.cause for stage in ("generator", "shard") for f in context.store.failed(stage).values()}
    assert causes and causes <= {"diverged", "collapsed"}


def test_a_dropped_image_that_can_be_made_again_is_made_again(context, digits_identity):
    """A shard and its generator damaged on the disk: the trial that needs them gets them within the run."""
    plan = make_plan(small_grid(num_real=[20], draws=1), digits_identity)
    trial = next(t for t in plan.trials.values() if t.pool and t.pool.generator.recipe.family == "edm")
    for step in (trial.pool.generator, *trial.parents()):
        attempt(context, step)
    before = {s: context.store.record("shard", s.key).files for s in trial.parents()}
    for kind in ("generator", "shard"):
        for file in Path(context.store.root, "payload", kind).rglob("*.safetensors"):
            file.write_bytes(file.read_bytes()[:-1])
    fresh = WorkerContext(context.store, context.dataset, Machine())  # nothing in this process's memory
    attempt(fresh, [trial])
    assert context.store.has(trial) and not any(
        context.store.failed(stage) for stage in ("generator", "shard", "trial")
    )
    assert {s: context.store.record("shard", s.key).files for s in trial.parents()} == before
