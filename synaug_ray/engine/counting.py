"""What the training and use of each family costs: its networks counted on torch's meta device, in under a second."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from synaug_ray.config.any_generator import AnyGenerator
from synaug_ray.config.feature_recipes import FeatureRecipe
from synaug_ray.config.generator_recipes import EDMRecipe, GANRecipe, GeneratorRecipe, LatentRecipe, UNetRecipe
from synaug_ray.config.recipes import ClassifierRecipe, SamplerRecipe
from synaug_ray.config.text_recipes import TextRecipe
from synaug_ray.config.vit_gan_recipe import ViTGANRecipe
from synaug_ray.engine.operations import counted
from synaug_ray.plan.footprint import Count

if TYPE_CHECKING:
    from synaug_ray.generators.vit_gan import Networks

# copies of the weights besides the counted gradients: Adam's two moments and the moving average; momentum
GENERATOR_COPIES, CLASSIFIER_COPIES = 3, 2

TOKENS = 77  # of a prompt, as CLIP's text encoder takes it

F = TypeVar("F", bound=Callable[..., Any])


def _once(function: F) -> F:
    """Cache counts: a worker needs them for each of its steps."""
    return lru_cache(maxsize=64)(function)  # type: ignore[return-value]  # recipes are frozen, and hashable at run time


Shape = tuple[int, int, int]  # channels, height, width


@_once
def of_training(recipe: GeneratorRecipe, shape: Shape, num_classes: int) -> Count | None:
    """Counts of a generator's training; None for generators without training."""
    with torch.device("meta"), _seedless():
        if isinstance(recipe, LatentRecipe):
            return _of_latent_training(recipe, shape, num_classes)
        if isinstance(recipe, UNetRecipe):
            net = _unet(recipe, shape, num_classes)
            net.train()
            found = counted([net], lambda batch: _denoise(net, shape, batch).sum().backward(), GENERATOR_COPIES)
            work = _trainings(recipe, num_classes) * (1 + getattr(recipe, "judging", 0.0))
            return Count(work * found.flops, found.fixed, found.each)
        if isinstance(recipe, TextRecipe):
            return _of_text_training(recipe, num_classes)
        if isinstance(recipe, GANRecipe):
            paint, judge = _gan(recipe, shape, num_classes)

            def both(batch: int) -> None:
                y = torch.zeros(batch, dtype=torch.long)
                fake = paint(torch.empty(batch, recipe.latent), y)
                (judge(fake, y).sum() + judge(torch.empty(batch, *shape), y).sum()).backward()

            one = counted([paint, judge], both, GENERATOR_COPIES)
            return Count(
                one.flops * 1.4, one.fixed, one.each
            )  # the discriminator's step also samples, and runs the discriminator twice
        if isinstance(recipe, ViTGANRecipe):
            return _of_vit_gan(recipe, shape, num_classes)
    return None


@_once
def of_sampling(recipe: GeneratorRecipe, guided: bool, shape: Shape, num_classes: int) -> Count | None:
    """Counts of one evaluation of a generator's network, of two images with guidance; None if it has no network."""
    with torch.device("meta"), _seedless(), torch.no_grad():
        if isinstance(recipe, UNetRecipe):
            at = recipe.latent_shape(shape) if isinstance(recipe, LatentRecipe) else shape
            net = _unet(recipe, at, num_classes).eval()
            times = 2 if guided else 1
            return counted([net], lambda batch: _denoise(net, at, batch * times), 0)
        if isinstance(recipe, GANRecipe):
            paint, _ = _gan(recipe, shape, num_classes)
            return counted([paint], lambda b: paint(torch.empty(b, recipe.latent), torch.zeros(b, dtype=torch.long)), 0)
        if isinstance(recipe, ViTGANRecipe):
            net = _vit_gan(recipe, shape, num_classes).generator
            return counted([net], lambda b: net(torch.empty(b, recipe.latent), torch.zeros(b, dtype=torch.long)), 0)
    return None


@_once
def of_decoding(recipe: GeneratorRecipe, shape: Shape) -> Count | None:
    """Counts of turning one latent into an image; None for generators of pixels."""
    if not isinstance(recipe, LatentRecipe):
        return None
    with torch.device("meta"), _seedless(), torch.no_grad():
        coder: Any = _coder(recipe, shape).eval()
        return counted([coder], lambda batch: coder.decode(torch.empty(batch, *recipe.latent_shape(shape))), 0)


def evaluations(sampler: SamplerRecipe) -> int:
    """Evaluations of the network per image; with guidance each has two images, which ``of_sampling`` counts."""
    steps = sampler.steps_taken
    return {"latent": 1, "heun": max(2 * steps - 1, 0)}.get(sampler.family, steps)


def padding(sampler: SamplerRecipe) -> float:
    """Images sampled per image kept: the last batch of a shard is padded."""
    return -(-sampler.shard_size // sampler.batch) * sampler.batch / sampler.shard_size


@_once
def of_classifier(recipe: ClassifierRecipe, shape: Shape, num_classes: int) -> Count:
    """Counts of the training of one classifier of a pack."""
    from synaug_ray.classifiers.models import build

    with torch.device("meta"):
        net = build(recipe, shape, num_classes, 0).train()
        return counted([net], lambda batch: net(torch.empty(batch, *shape)).sum().backward(), CLASSIFIER_COPIES)


@_once
def of_frozen(recipe: ClassifierRecipe) -> Count:
    """Counts of computing the features of an image with a classifier's frozen network."""
    from synaug_ray.classifiers.pretrained import opened

    with torch.device("meta"), torch.no_grad():
        found = opened(recipe, "meta")
        views = 2 if recipe.flip else 1
        return counted([found.net], lambda batch: found.net(torch.empty(views * batch, 3, *found.size)), 0)


@_once
def of_features(recipe: FeatureRecipe) -> Count:
    """Counts of computing the features of an image with a pretrained network."""
    import timm

    with torch.device("meta"), torch.no_grad():
        net: Any = timm.create_model(recipe.model, pretrained=False, num_classes=0, **_size(recipe)).eval()
        side = recipe.size or int(net.pretrained_cfg["input_size"][-1])
        return counted([net], lambda batch: net(torch.empty(batch, 3, side, side)), 0)


def _size(recipe: FeatureRecipe) -> dict[str, Any]:
    return {"img_size": recipe.size} if recipe.size and recipe.model.startswith("vit") else {}


def _unet(recipe: UNetRecipe, shape: Shape, num_classes: int) -> nn.Module:
    from synaug_ray.generators.diffusion import network

    rising = isinstance(recipe, EDMRecipe) and recipe.noise_frequencies == "rising"
    return network(recipe, shape, num_classes, rising)


def _coder(recipe: LatentRecipe, shape: Shape) -> nn.Module:
    from synaug_ray.generators.autoencoder import network

    return network(recipe, shape)


def _of_latent_training(recipe: LatentRecipe, shape: Shape, num_classes: int) -> Count:
    """The mean operations of an image seen, and the memory of the part of the training that needs more."""
    coder: Any = _coder(recipe, shape).train()
    latent, share = recipe.latent_shape(shape), recipe.trained_share
    net = _unet(recipe, latent, num_classes).train()

    def code(batch: int) -> None:
        coder.decode(coder.encode(torch.empty(batch, *shape)).latent_dist.mode()).sample.sum().backward()

    then = counted([net], lambda batch: _denoise(net, latent, batch).sum().backward(), GENERATOR_COPIES)
    if recipe.given:  # its autoencoder encodes the Subset once
        return then
    first = counted([coder], code, GENERATOR_COPIES)
    return Count(
        share * first.flops + (1 - share) * then.flops, max(first.fixed, then.fixed), max(first.each, then.each)
    )


def _of_text_training(recipe: TextRecipe, num_classes: int) -> Count | None:
    """Of what is trained beside a pipeline's U-Net, whose own weights have no gradients; None if it is not here."""
    folder = Path(recipe.base)
    if not (folder / "unet" / "config.json").is_file():
        return None
    from diffusers import UNet2DConditionModel

    net: Any = UNet2DConditionModel.from_config(json.loads((folder / "unet" / "config.json").read_text("utf-8")))
    side = net.config.sample_size
    if recipe.size:
        coder = json.loads((folder / "vae" / "config.json").read_text("utf-8"))
        side = recipe.size // 2 ** (len(coder["block_out_channels"]) - 1)
    net.requires_grad_(False)

    def work(batch: int) -> None:
        words = torch.empty(batch, TOKENS, net.config.cross_attention_dim, requires_grad=True)
        x = torch.empty(batch, net.config.in_channels, side, side, requires_grad=True)
        net(x, torch.empty(batch), encoder_hidden_states=words).sample.sum().backward()

    found = counted([net], work, 0)
    others = sum(file.stat().st_size for file in folder.glob("*/*.safetensors") if file.parent.name != "unet")
    return Count(_trainings(recipe, num_classes) * found.flops, found.fixed + others, found.each)


def _trainings(recipe: AnyGenerator, num_classes: int) -> int:
    """How many are trained for each image seen: one, or one for each class."""
    return num_classes if getattr(recipe, "per_class", False) else 1


def _denoise(net: nn.Module, shape: Shape, batch: int) -> Tensor:
    return net(torch.empty(batch, *shape), torch.empty(batch), class_labels=torch.zeros(batch, dtype=torch.long)).sample


def _gan(recipe: GANRecipe, shape: Shape, num_classes: int) -> tuple[nn.Module, nn.Module]:
    from synaug_ray.generators.gan import Discriminator, GeneratorNetwork

    paint = GeneratorNetwork(shape, num_classes, recipe.channels, recipe.latent, recipe.norm_groups)
    return paint, Discriminator(shape, num_classes, recipe.channels)


def _vit_gan(recipe: ViTGANRecipe, shape: Shape, num_classes: int) -> Networks:
    from synaug_ray.generators.vit_gan import Networks, build_of

    return Networks(shape, num_classes, build_of(recipe))


def _of_vit_gan(recipe: ViTGANRecipe, shape: Shape, num_classes: int) -> Count:
    """The operations of a mean step, and the memory of one with the penalty on the slope, which needs the most."""
    from synaug_ray.generators.vit_gan import R1_EVERY

    nets = _vit_gan(recipe, shape, num_classes)
    judge = nets.discriminator

    def head(batch: int) -> None:
        judge(torch.empty(batch, *shape), torch.zeros(batch, dtype=torch.long))[1].sum().backward()

    def judged(batch: int, penalised: bool = False) -> None:
        y = torch.zeros(batch, dtype=torch.long)
        with torch.no_grad():
            fake = nets.generator(torch.empty(batch, recipe.latent), y)
        real = torch.empty(batch, *shape, requires_grad=penalised).clone()  # torch's counter takes no leaf here
        scores, logits = judge(real, y)
        loss = scores.sum() + logits.sum() + sum(part.sum() for part in judge(fake, y))
        if penalised:
            (slope,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
            loss = loss + slope.square().sum()
        loss.backward()

    def painted(batch: int) -> None:
        y = torch.zeros(batch, dtype=torch.long)
        judge(nets.generator(torch.empty(batch, recipe.latent), y), y)[0].sum().backward()

    if not recipe.adversarial:
        return counted([nets], head, GENERATOR_COPIES)
    plain, slope = counted([nets], judged, GENERATOR_COPIES), None
    judge.requires_grad_(False)
    other = counted([nets], painted, GENERATOR_COPIES)
    judge.requires_grad_(True)
    if recipe.r1_weight:
        slope = counted([nets], partial(judged, penalised=True), GENERATOR_COPIES)
    largest = slope or plain
    extra = (slope.flops - plain.flops) / R1_EVERY if slope else 0.0
    return Count(plain.flops + extra + other.flops, largest.fixed, max(largest.each, other.each))


@contextmanager
def _seedless() -> Iterator[None]:
    """Restores torch's random state at the end."""
    with torch.random.fork_rng(devices=[]):
        yield
