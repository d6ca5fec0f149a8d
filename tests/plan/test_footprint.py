"""Parts of a batch: the fewest that fit, with a tenth to spare."""

import pytest

from synaug_ray.config.presets import CLASSIFIERS, GENERATORS, SAMPLERS
from synaug_ray.plan.footprint import USABLE, Count, images_at_once
from synaug_ray.plan.steps import GeneratorStep, Pool, TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset

SUBSET = Subset(DataIdentity("digits", "fp"), 20, 0)


@pytest.mark.parametrize(
    "free,parts", [(1_000, 1), (740, 1), (739, 2), (420, 2), (419, 3), (132, 32), (100, None), (0, None)]
)
def test_the_fewest_parts_that_fit(free, parts):
    count = Count(flops=1.0, fixed=100.0, each=20.0)  # 100 + 32 x 20 = 740 bytes
    assert count.memory(32) == 740
    assert count.parts(32, free / USABLE * (1 + 1e-9)) == parts


def test_work_without_images_in_memory_fits_or_does_not():
    assert Count(1.0, 100.0, 0.0).parts(64, 1_000) == 1 and Count(1.0, 100.0, 0.0).parts(64, 10) is None


def test_images_at_once():
    small = GENERATORS["edm-small"]
    assert images_at_once(GeneratorStep(SUBSET, small)) == 512
    assert images_at_once(GeneratorStep(SUBSET, small), world=4) == 128
    assert images_at_once(GeneratorStep(SUBSET, small.model_copy(update={"micro_batch": 64}))) == 64
    shard = Pool(GeneratorStep(SUBSET, small), SAMPLERS["heun-18-large"]).shard(0)
    assert images_at_once(shard) == 512
    assert images_at_once(TrialStep(SUBSET, None, 0, "real-only", None, CLASSIFIERS["resnet18"], 0)) == 128
