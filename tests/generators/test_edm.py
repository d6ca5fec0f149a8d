"""EDM against the paper's formulas as diffusers has them, and in plain diffusers."""

import math

import numpy as np
import pytest
import torch
from helpers.devices import DEVICE
from helpers.generator_files import write_files

from synaug_ray.common.errors import Diverged
from synaug_ray.config.generator_recipes import EDMRecipe
from synaug_ray.config.presets import GENERATORS
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.data.subsets import Draws
from synaug_ray.generators import edm
from synaug_ray.generators.augmentation import AugmentationEmbedding
from synaug_ray.generators.diffusion import guided, network, to_task
from synaug_ray.plan.subset import Subset

CLASSES = tuple("0123456789")
SMALL = EDMRecipe(name="small", channels=(8, 16), nimg=64 * 8 * 2, batch=8, warmup_nimg=64)
SAMPLER = SamplerRecipe(name="s", steps=3, batch=8, shard_size=16)


@pytest.fixture(scope="module")
def subset(digits, digits_identity):
    return digits.train.take(Draws(digits.train, 10).index(Subset(digits_identity, 30, 0)))


@pytest.fixture(scope="module")
def trained(subset):
    return edm.train(SMALL, subset, CLASSES, 1, DEVICE)[0]


def gradients(recipe, subset, nimg=0):
    """Of one batch, for a network of the seed; and the loss."""
    task = to_task(subset, 10, 5, DEVICE)
    torch.manual_seed(0)
    net = network(recipe, task.shape, 10)
    if recipe.augment:
        net.class_embedding = AugmentationEmbedding(net.class_embedding)
    loss = edm.backward(net.to(DEVICE).train(), recipe, task, 0.75, nimg)
    return float(loss), {k: v.grad for k, v in net.named_parameters()}


def test_preconditioning_is_that_of_diffusers():
    """Same c_skip, c_out, c_in and c_noise as EDMEulerScheduler, so a saved generator samples there as it does here."""
    from diffusers import EDMEulerScheduler

    scheduler = EDMEulerScheduler(sigma_data=0.7)
    net = network(SMALL, (1, 8, 8), 10).eval()
    x = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(5)
    for sigma in (0.01, 0.5, 20.0):
        level = torch.tensor(sigma)
        raw = net(scheduler.precondition_inputs(x, level), scheduler.precondition_noise(level), class_labels=labels)
        theirs = scheduler.precondition_outputs(x, raw.sample, level)
        ours = edm.denoise(net, x, torch.full((5,), sigma), labels, 0.7)
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_training_target_has_unit_variance():
    """Karras et al., appendix B.6: at any sigma lambda c_out^2 is 1, and so is the target's variance."""
    y = torch.randn(200_000, generator=torch.Generator().manual_seed(3)) * 0.5
    noise = torch.randn(200_000, generator=torch.Generator().manual_seed(4))
    for sigma in (0.02, 0.5, 10.0):
        total = sigma**2 + 0.25
        c_skip, c_out = 0.25 / total, sigma * 0.5 / total**0.5
        target = (y - c_skip * (y + sigma * noise)) / c_out
        assert float(target.var()) == pytest.approx(1.0, abs=0.02)
        assert (sigma**2 + 0.25) / (sigma * 0.5) ** 2 * c_out**2 == pytest.approx(1.0)


def test_loss_falls_and_ema_is_not_the_start(subset, trained):
    torch.manual_seed(0)
    task = to_task(subset, 10, 5, DEVICE)
    fresh = network(SMALL, (1, 8, 8), 10).to(DEVICE)

    def loss(net):
        return np.mean([float(edm.backward(net.eval(), SMALL, task, 0.75, i)) for i in range(20)])

    copy = edm.from_files(trained.files()).net.to(DEVICE)  # its gradients are of no use to the other tests
    assert loss(copy) < 0.7 * loss(fresh)


def test_length_is_bounded_in_passes(subset):
    _, nimg = edm.train(SMALL.model_copy(update={"max_passes": 2.0}), subset, CLASSES, 1, DEVICE)
    assert 60 <= nimg < 60 + SMALL.batch


def test_labels_keep_the_subsets_proportions(trained, subset):
    counts = np.bincount(subset.labels, minlength=10)
    labels = trained.sample(SAMPLER, range(0, 24), 3, DEVICE).labels
    for end in range(1, 25):
        assert (abs(np.bincount(labels[:end], minlength=10) - counts / 30 * end) < 1 + 1e-9).all()


def test_files_load_in_plain_diffusers_and_here(trained, tmp_path):
    from diffusers import DiffusionPipeline

    files = trained.files()
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pkl"))]
    write_files(files, tmp_path)
    pipeline = DiffusionPipeline.from_pretrained(tmp_path)
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(batch_size=2, class_labels=[3, 4], num_inference_steps=2, output_type="np").images
    assert images.shape[:3] == (2, 8, 8) and np.isfinite(images).all()
    again = edm.from_files(files)
    assert np.array_equal(
        again.sample(SAMPLER, range(4), 0, DEVICE).images, trained.sample(SAMPLER, range(4), 0, DEVICE).images
    )


def test_guidance_one_is_the_plain_network_and_more_moves_along_the_difference(trained):
    x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)).to(DEVICE)
    y, null = torch.arange(4, device=DEVICE), torch.full((4,), 10, device=DEVICE)
    with torch.no_grad():
        level = torch.full((4,), 1.0, device=DEVICE)
        trained.net.eval()
        with_label = edm.denoise(trained.net, x, level, y, trained.sigma_data)
        without = edm.denoise(trained.net, x, level, null, trained.sigma_data)

        def predict(x, y):
            return edm.denoise(trained.net, x, torch.ones(len(x), device=DEVICE), y, trained.sigma_data)

        at_one, at_three = guided(predict, x, y, 10, 1.0), guided(predict, x, y, 10, 3.0)
    assert torch.equal(at_one, with_label)
    assert torch.allclose(at_three, without + 3 * (with_label - without), atol=1e-5)


def test_bf16_trains_weights_of_fp32_and_its_images_stay_close(subset, trained):
    rounded, _ = edm.train(SMALL.model_copy(update={"precision": "bf16", "nimg": 64}), subset, CLASSES, 1, DEVICE)
    assert {t.dtype for t in rounded.net.state_dict().values()} == {torch.float32}
    exact = trained.sample(SAMPLER, range(16), 3, DEVICE).images.astype(float)
    short = trained.sample(SAMPLER.model_copy(update={"precision": "bf16"}), range(16), 3, DEVICE).images.astype(float)
    assert 0 < np.abs(exact - short).mean() < 4  # of 255 grey levels


def test_a_loss_that_is_no_number_is_said(subset):
    with pytest.raises(Diverged, match="generator small: the loss is nan"):
        edm.train(SMALL.model_copy(update={"learning_rate": 1e30}), subset, CLASSES, 1, DEVICE)


def test_micro_batches_add_up_to_the_batch(subset):
    """The same gradients, without dropout, whose draws depend on what goes through the network at once."""
    whole = SMALL.model_copy(update={"dropout": 0.0})
    loss, one = gradients(whole, subset)
    parts_loss, parts = gradients(whole.model_copy(update={"micro_batch": 2}), subset)
    assert parts_loss == pytest.approx(loss, rel=1e-5)
    assert all(torch.allclose(one[k], parts[k], atol=1e-5, rtol=1e-4) for k in one)


def test_augmentation_is_told_and_leaves_a_plain_network(subset):
    recipe = SMALL.model_copy(update={"augment": 0.5})
    _, grads = gradients(recipe, subset)
    assert float(grads["class_embedding.told.weight"].abs().sum()) > 0
    generator, _ = edm.train(recipe.model_copy(update={"nimg": 64}), subset, CLASSES, 1, DEVICE)
    assert type(generator.net.class_embedding) is torch.nn.Embedding
    assert not [name for name in generator.net.state_dict() if "told" in name]
    again = edm.from_files(generator.files())
    pools = [g.sample(SAMPLER, range(4), 0, DEVICE).images for g in (generator, again)]
    assert np.array_equal(*pools)


def test_conditioning_by_scale_and_shift_is_saved_with_the_network(subset, tmp_path):
    """A stock U-Net of the saved files answers as ours, and the class moves it more than a sum does at first."""
    from diffusers import UNet2DModel

    recipe = SMALL.model_copy(update={"conditioning": "scale-shift", "noise_frequencies": "rising", "nimg": 64})
    generator, _ = edm.train(recipe, subset, CLASSES, 1, DEVICE)
    write_files(generator.files(), tmp_path)
    stock = UNet2DModel.from_pretrained(tmp_path / "unet").eval()
    x, level = torch.randn(4, 1, 8, 8), torch.tensor([-1.5, -0.5, 0.3, 1.1])
    ours = generator.net.cpu().to(memory_format=torch.contiguous_format)
    with torch.no_grad():
        nets = [net.eval()(x, level, class_labels=torch.arange(4)).sample for net in (stock, ours)]
    assert torch.equal(*nets)
    blocks = [m for m in stock.modules() if type(m).__name__ == "ResnetBlock2D"]
    assert blocks and all(b.time_emb_proj.out_features == 2 * b.out_channels for b in blocks)


@pytest.mark.parametrize("channels", [2, 8, 32])
def test_rising_frequencies_go_from_1_to_100(channels):
    recipe = EDMRecipe(name="x", channels=(channels,), attention=(False,), norm_groups=2)
    embedded = network(recipe, (1, 8, 8), 2, rising_frequencies=True).time_proj(torch.tensor([0.01]))[0]
    sines = embedded[channels // 2 :]  # cosines first
    expected = np.geomspace(1, 100, channels // 2) if channels > 2 else np.ones(1)
    assert sines.tolist() == pytest.approx([math.sin(0.01 * f) for f in expected], rel=1e-4)


def test_guidance_is_where_its_interval_is(trained):
    """All levels inside: as without an interval. None: as guidance 1. And there a network runs once an image."""

    def images(**changes):
        recipe = SamplerRecipe(name="s", steps=3, batch=8, guidance=3.0, **changes)
        return trained.sample(recipe, range(8), 3, DEVICE).images

    assert np.array_equal(images(guidance_interval=(0.0, 80.0)), images())
    plain = trained.sample(SAMPLER.model_copy(update={"guidance": 1.0}), range(8), 3, DEVICE).images
    assert np.array_equal(images(guidance_interval=(80.0, 90.0)), plain)
    some = images(guidance_interval=(0.002, 80.0))  # all but the last level
    assert not np.array_equal(some, plain) and not np.array_equal(some, images())


def test_guidance_interval_is_open_below_and_closed_above():
    recipe = SamplerRecipe(name="s", guidance=2.0, guidance_interval=(0.5, 2.0))
    assert [recipe.guidance_at(sigma) for sigma in (0.5, 0.51, 2.0, 2.01)] == [1.0, 2.0, 2.0, 1.0]


@pytest.mark.parametrize(
    "channels, attention",
    [((16, 64), (True, False)), ((16, 32, 32, 64), (False, False, True, True)), ((8, 16), (False, False))],
)
def test_attention_of_few_channels_below_many(channels, attention):
    """diffusers has no head of attention where a resolution has fewer channels than a head; it divided by zero."""
    recipe = EDMRecipe(name="few", channels=channels, attention=attention)
    net = network(recipe, (1, 16, 16), 2)
    x, level, labels = torch.zeros(2, 1, 16, 16), torch.zeros(2), torch.tensor([0, 2])
    assert net(x, level, class_labels=labels).sample.shape == x.shape


@pytest.mark.parametrize("name, head", [("edm-tiny", 32), ("edm-16px", 64), ("edm-small", 64), ("edm-64px", 64)])
def test_heads_of_attention_are_as_wide_as_they_were(name, head):
    """Where attention worked, its heads and with them the weights stay."""
    recipe = GENERATORS[name]
    with torch.device("meta"):
        assert network(recipe, (3, 64, 64), 2).config["attention_head_dim"] == head
