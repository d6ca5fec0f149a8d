"""Counts on the meta device, against the arithmetic of known networks."""

import pytest
import torch
from helpers.tiny_pipelines import stable_diffusion
from pydantic import TypeAdapter

from synaug_ray.config.generator_recipes import GeneratorRecipe
from synaug_ray.config.presets import CLASSIFIERS, GENERATORS
from synaug_ray.engine import counting

EDM = GENERATORS["edm-tiny"]


def test_the_operations_of_an_mlp_are_those_of_its_matrices():
    """Two of a weight forwards; backwards two for its gradient, and two for its input's but in the first layer."""
    widths = [64, 128, 128, 10]
    weights = [a * b for a, b in zip(widths, widths[1:], strict=False)]
    found = counting.of_classifier(CLASSIFIERS["mlp"], (1, 8, 8), 10)
    assert found.flops == 6 * sum(weights) - 2 * weights[0]


def test_a_residual_network_takes_what_is_published_of_it():
    """0.56 billion multiply-adds forwards on 32 x 32 pixels (kuangliu's table and others), three times that in all."""
    found = counting.of_classifier(CLASSIFIERS["resnet18"], (3, 32, 32), 10)
    assert found.flops == pytest.approx(6 * 0.56e9, rel=0.05)
    assert found.fixed > 4 * 4 * 11.2e6  # weights, gradients, momentum


def test_work_grows_with_the_pixels_and_memory_with_the_images():
    small, large = (counting.of_training(EDM, (1, side, side), 10) for side in (8, 16))
    assert large.flops == pytest.approx(4 * small.flops, rel=0.15)
    assert 3.5 * small.each < large.each < 16 * small.each  # features by the pixels, attention by their square
    assert large.fixed == pytest.approx(small.fixed, rel=0.25)


def test_guidance_doubles_an_evaluation_and_training_takes_three():
    with_it, without = (counting.of_sampling(EDM, guided, (1, 8, 8), 10) for guided in (True, False))
    assert with_it.flops == pytest.approx(2 * without.flops)
    assert counting.of_training(EDM, (1, 8, 8), 10).flops == pytest.approx(3 * without.flops, rel=0.05)
    assert without.each < counting.of_training(EDM, (1, 8, 8), 10).each / 2  # nothing is kept for gradients


@pytest.mark.parametrize("name", ["edm-16px-2", "latent-64px", "ddpm-tiny", "gan-tiny", "vit-gan-tiny"])
def test_every_family_is_counted(name):
    shape = (3, 16, 16)
    training = counting.of_training(GENERATORS[name], shape, 10)
    sampling = counting.of_sampling(GENERATORS[name], False, shape, 10)
    assert training.flops > 2.5 * sampling.flops > 0 and training.each > sampling.each > 0


def test_counting_draws_no_random_number():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    counting.of_training(EDM, (1, 8, 8), 7)  # as many classes as no other test has: it is counted now
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.integration  # 4 s
def test_what_is_trained_of_a_text_to_image_pipeline_costs_its_u_net(tmp_path):
    """For each class where each has changes of its own; nothing is known of a pipeline that is not here."""
    stable_diffusion().save_pretrained(tmp_path, safe_serialization=True)
    values = {"family": "lora", "name": "own", "base": str(tmp_path)}

    def count(**more):
        return counting.of_training(TypeAdapter(GeneratorRecipe).validate_python(values | more), (1, 8, 8), 10)

    one, each, large = count(), count(per_class=True), count(size=32)
    assert one.flops > 0 and each.flops == 10 * one.flops and large.flops > 3 * one.flops
    assert count(base=f"owner/model@{'0' * 40}") is None
