"""Every kind of work can be timed, and in the time that is given; how right the times are, tests/benchmarks tells."""

import pytest
import torch

from synaug_ray.config.generator_recipes import LatentRecipe
from synaug_ray.config.presets import CLASSIFIERS, GENERATORS, SAMPLERS, sampler_of
from synaug_ray.engine.bench import Bench
from synaug_ray.engine.counting import evaluations, padding
from synaug_ray.engine.timing import Work, count, timed

BENCH = Bench((1, 8, 8), 10, torch.device("cpu"))
FAMILIES = {n: GENERATORS[n] for n in ("edm-tiny", "ddpm-tiny", "gan-tiny")} | {
    "latent": LatentRecipe(name="latent", channels=(8, 16), autoencoder_channels=(8, 16))
}
WORK = {
    **{f"training {n}": Work("k", "generator", recipe) for n, recipe in FAMILIES.items()},
    **{
        f"sampling {n}": Work("k", "shard", sampler_of(recipe, SAMPLERS["dpmpp-8"]), recipe)
        for n, recipe in FAMILIES.items()
    },
    **{f"classifier {n}": Work("k", "trial", CLASSIFIERS[n]) for n in ("mlp", "cnn")},
    "quality": Work("quality", "quality", None),
}


LONG = ("training latent",)  # times both of its trainings


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.integration) if n in LONG else n for n in WORK])
def test_every_kind_of_work_is_timed(name):
    work = WORK[name]
    counted = count(work, BENCH.shape, BENCH.num_classes)
    assert (counted is None) == (name == "quality")
    seconds = timed(work, counted, BENCH, 0.1)
    assert seconds is not None and 0 < seconds < 60


def test_what_a_sampler_evaluates():
    assert evaluations(SAMPLERS["dpmpp-8"]) == 8 and evaluations(SAMPLERS["heun-18"]) == 35
    large = SAMPLERS["heun-18-large"]
    assert padding(large) == 1 and padding(large.model_copy(update={"batch": 1_500})) == 3_000 / 2_048
