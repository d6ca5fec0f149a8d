"""Memory is counted before it is taken: batches are split, or the step is refused, before the kernel kills."""

import pytest

from synaug_ray.config.presets import CLASSIFIERS, GENERATORS, SAMPLERS
from synaug_ray.engine import counting, memory
from synaug_ray.engine.attempt import attempt
from synaug_ray.engine.context import WorkerContext
from synaug_ray.engine.machine import Machine
from synaug_ray.engine.memory import WHOLE, BatchSplit, split_that_fits
from synaug_ray.plan.steps import GeneratorStep, Pool, QualityStep, TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset
from synaug_ray.store.store import Store

SUBSET = Subset(DataIdentity("digits", "fp"), 20, 0)
COLOUR = (3, 32, 32)
GB = 1_000_000_000


def trial(name, **changes):
    return TrialStep(SUBSET, None, 0, "real-only", None, CLASSIFIERS[name].model_copy(update=changes), 0)


def test_edm_small_on_a_cpu_takes_what_killed_it(monkeypatch):
    """It took over 23 GB."""
    step = GeneratorStep(SUBSET, GENERATORS["edm-small"])
    count = memory.count_of([step], COLOUR, 10)
    assert 20 * GB < count.memory(512) < 60 * GB
    monkeypatch.setattr(memory, "free_memory", lambda: 22 * GB)
    split = split_that_fits([step], COLOUR, 10)
    assert split.parts >= 2 and split.describe()["batch_parts"] == split.parts
    assert count.memory(-(-512 // split.parts)) < 22 * GB < count.memory(512)
    assert split_that_fits([step], COLOUR, 10, world=512) == WHOLE
    assert split_that_fits([step], COLOUR, 10, share=0.5).parts > split.parts


def test_what_does_not_fit_even_one_image_at_a_time_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 100_000_000)
    with pytest.raises(MemoryError, match="one image at a time takes about .* and 100 MB are free"):
        split_that_fits([GeneratorStep(SUBSET, GENERATORS["edm-small"])], COLOUR, 10)


def test_small_networks_shards_and_packs_fit(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * GB)
    generator = GeneratorStep(SUBSET, GENERATORS["edm-tiny"])
    shard = Pool(generator, SAMPLERS["dpmpp-8"]).shard(0)
    check = QualityStep(Pool(generator, SAMPLERS["dpmpp-8"]), 100)
    for steps in ([generator], [shard], [trial("mlp")] * 3, [trial("cnn")], [check]):
        assert split_that_fits(steps, (1, 8, 8), 10) == WHOLE
    large = Pool(GeneratorStep(SUBSET, GENERATORS["edm-small"]), SAMPLERS["heun-18-large"]).shard(0)
    assert split_that_fits([large], COLOUR, 10).parts > 1


def test_a_pack_takes_as_many_times_as_it_is_wide():
    one, four = (memory.count_of([trial("mlp", pack=p)], COLOUR, 10) for p in (1, 4))
    assert four.memory(64) == pytest.approx(4 * one.memory(64)) and four.flops == 4 * one.flops


@pytest.mark.parametrize("nothing", ["duplicate", "jitter"])
def test_references_take_none(nothing):
    assert memory.count_of([GeneratorStep(SUBSET, GENERATORS[nothing])], COLOUR, 10) is None


def test_a_network_that_cannot_be_counted_is_trained_all_the_same(monkeypatch):
    def refuse(*args):
        raise NotImplementedError("no meta kernel")

    monkeypatch.setattr(counting, "of_classifier", refuse)
    assert split_that_fits([trial("mlp")], COLOUR, 10) == WHOLE


def test_halves_after_parts():
    assert BatchSplit(4, "a").halved("b") == BatchSplit(8, "b", retried=True)


def test_a_run_splits_and_says_so_or_fails_the_step(small, digits, tmp_path, monkeypatch):
    _, plan = small
    step = next(g for g in plan.generators.values() if g.recipe.family == "edm")
    count = memory.count_of([step], digits.shape, digits.num_classes)
    batch = step.recipe.batch
    store = Store(str(tmp_path / "store"))
    context = WorkerContext(store, digits, Machine())
    monkeypatch.setattr(memory, "free_memory", lambda: 1_000)
    attempt(context, step)
    failure = store.failed("generator")[step.key]
    assert failure.cause == "out of memory" and "one image at a time takes about" in failure.message
    monkeypatch.setattr(memory, "free_memory", lambda: round(count.memory(batch // 2 + 1) / 0.9))
    attempt(context, step)
    made = store.record("generator", step.key).made
    assert made["batch_parts"] == 2 and "were free" in made["because"]
