"""A GAN of vision transformers whose discriminator learns to classify in the same stage (after arXiv 2212.09977).

Only that work's abstract was read; this design is ours. The discriminator has a hinge loss with a projection term and
differentiable augmentation, as ``gan``, R1 in place of spectral normalisation, which harms attention (arXiv
2107.04589), and a class head. Its loss is the hinge loss, plus the head's cross-entropies on real images and on
selected synthetic ones, whose weights are learnt.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from synaug_ray.common.keys import derive_seed
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.config.vit_gan_recipe import ViTGANRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators.gan import diff_augment, take_step
from synaug_ray.generators.samplers import image_noise, sample_in_batches
from synaug_ray.generators.vit import ViTDiscriminator, ViTGenerator
from synaug_ray.training.batching import copy_async, passes, stream
from synaug_ray.training.checkpoint import tensors_from_bytes, tensors_to_bytes
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState, constant, constant_then_linear, train_loop

R1_EVERY = 4  # batches between two with the penalty, which is as many times larger then (lazy, arXiv 1912.04958)
MOST_LOG_WEIGHT = 3.0  # a learnt weight stays within exp(-3) = 0.05 and exp(3) = 20, also where its loss vanishes
CLASSIFIED = 256  # images classified at once; the last batch is padded, so that results do not depend on their number


class Networks(nn.Module):
    """Both networks, the weights of the head's losses, and how many synthetic images the head has learnt from."""

    log_weights: Tensor
    fakes: Tensor

    def __init__(self, shape: tuple[int, int, int], num_classes: int, build: dict[str, int]) -> None:
        super().__init__()
        self.generator = ViTGenerator(shape, num_classes, **build)
        self.discriminator = ViTDiscriminator(
            shape, num_classes, **{name: value for name, value in build.items() if name != "latent"}
        )
        self.log_weights = nn.Parameter(torch.zeros(2))  # of the losses on real and on synthetic images
        self.register_buffer("fakes", torch.zeros(2, dtype=torch.int64))  # selected, and seen


def weighted(loss: Tensor, log_weight: Tensor) -> Tensor:
    """A loss times its learnt weight w, minus ln w: Kendall et al., arXiv 1705.07115, with w = 1 / sigma^2.

    Its minimum over w is at w = 1 / loss: losses count alike, whatever their scale. Theirs is half as large, minus
    ln(w) / 2, for squared errors.
    """
    return log_weight.exp() * loss - log_weight


def selected(real_scores: Tensor, scores: Tensor, logits: Tensor, labels: Tensor, threshold: float) -> Tensor:
    """Which synthetic images the head learns from, bool [B].

    Those that it takes for their own class with a probability above ``threshold``, and whose score is above the lower
    quartile of the real images' scores.

    Args:
        real_scores: of the discriminator, [R].
        scores: of the synthetic images, [B].
        logits: the head's, [B, K].
        labels: that the images were made for, [B].
    """
    own = logits.softmax(1).gather(1, labels[:, None])[:, 0]
    quartile = real_scores.sort().values[len(real_scores) // 4]
    return (own > threshold) & (scores > quartile)


@dataclass(frozen=True)
class ViTGANGenerator:
    """A trained generator and its discriminator, whose head is a classifier; class counts are those of its Subset."""

    networks: Networks
    class_counts: NDArray[np.int64]  # [K]
    shape: tuple[int, int, int]
    build: dict[str, int]  # arguments of the networks

    @property
    def net(self) -> ViTGenerator:
        return self.networks.generator

    def sample(
        self, sampler: SamplerRecipe, index: range, seed: int, device: torch.device, real: ImageSet | None = None
    ) -> ImageSet:
        """Sample images ``index`` of the pool: image i depends on (generator, sampler, seed, i) alone."""
        net = self.net.to(device).eval()

        def make(rows: list[int], labels: Tensor) -> Tensor:
            return net(image_noise(seed, rows, (self.build["latent"],)).to(device), labels).float()

        return sample_in_batches(make, sampler, self.class_counts, index, self.shape, device)

    def log_probabilities(self, images: NDArray[np.uint8], device: torch.device) -> NDArray[np.float64]:
        """Of each class by the head, [N, K], for images [N, C, H, W]."""
        net, found = self.networks.discriminator.to(device).eval(), []
        for start in range(0, len(images), CLASSIFIED):
            rows = np.arange(start, start + CLASSIFIED).clip(max=len(images) - 1)
            with torch.inference_mode():
                logits = net.head(net.features(_scaled(images[rows]).to(device)))
            found.append(logits.log_softmax(1).cpu().double().numpy()[: len(images) - start])
        return np.concatenate(found)

    @property
    def head_notes(self) -> dict[str, float]:
        """The learnt weights of the head's losses, and the share of the synthetic images shown that it learnt from."""
        real, fakes = self.networks.log_weights.detach().exp().tolist()
        kept, seen = self.networks.fakes.tolist()
        return {"weight_real": real} | ({"weight_fakes": fakes, "fakes_selected": kept / seen} if seen else {})

    def files(self) -> dict[str, bytes]:
        """By relative path: weights, and the networks' arguments with ``head_notes`` as JSON."""
        extra = {
            "family": "vit-gan",
            "class_counts": self.class_counts.tolist(),
            "shape": list(self.shape),
            "networks": self.build,
            "head": self.head_notes,
        }
        state = self.networks.state_dict()
        inside = {name: value for name, value in state.items() if not name.startswith("generator.")}
        return {
            "generator.safetensors": tensors_to_bytes(self.net.state_dict(), {}),
            "discriminator.safetensors": tensors_to_bytes(inside, {}),
            "synaug.json": json.dumps(extra).encode(),
        }


def from_files(files: dict[str, bytes]) -> ViTGANGenerator:
    """The inverse of ``ViTGANGenerator.files``."""
    extra = json.loads(files["synaug.json"])
    shape, build = tuple(extra["shape"]), extra["networks"]
    networks = Networks(shape, len(extra["class_counts"]), build)
    made = tensors_from_bytes(files["generator.safetensors"])[0]
    inside = tensors_from_bytes(files["discriminator.safetensors"])[0]
    networks.load_state_dict({f"generator.{name}": value for name, value in made.items()} | inside)
    return ViTGANGenerator(networks, np.array(extra["class_counts"], dtype=np.int64), shape, build)


def build_of(recipe: ViTGANRecipe) -> dict[str, int]:
    """The arguments of a recipe's networks."""
    return {name: getattr(recipe, name) for name in ("patch", "width", "depth", "heads", "latent")}


def train(
    recipe: ViTGANRecipe,
    subset: ImageSet,
    classes: tuple[str, ...],
    seed: int,
    device: torch.device,
    state: bytes | None = None,
    save: SaveState | None = None,
    split: Split = WHOLE,
) -> tuple[ViTGANGenerator, int]:
    """Train on ``subset`` alone; see ``base.Family.train``. Images seen are real ones."""
    c, h, w = subset.images.shape[1:]
    shape, build = (int(c), int(h), int(w)), build_of(recipe)
    images, labels = _scaled(subset.images).to(device), torch.from_numpy(subset.labels).to(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed("weights", seed))
        networks = Networks(shape, len(classes), build).to(device)
    generator, discriminator = networks.generator, networks.discriminator
    fused: Any = {"lr": recipe.learning_rate, "betas": (0.0, 0.99), "fused": True}
    adams = {"discriminator": torch.optim.Adam([*discriminator.parameters(), networks.log_weights], **fused)}
    if recipe.adversarial:
        adams["generator"] = torch.optim.Adam(generator.parameters(), **fused)

    def step(nimg: int) -> tuple[Tensor, ...]:
        index = copy_async(passes(len(images), derive_seed("batches", seed), nimg, recipe.batch), device)
        rng = stream(derive_seed("noise", seed, nimg, *([split.rank] if split.rank else ())), device)
        x, y = images[index], labels[index]
        if recipe.flip:
            x = torch.where(torch.rand(len(x), 1, 1, 1, generator=rng, device=device) < 0.5, x.flip(3), x)
        penalised = bool(recipe.r1_weight) and nimg // recipe.batch % R1_EVERY == 0

        def generate(y: Tensor) -> Tensor:
            return generator(torch.randn(len(y), recipe.latent, generator=rng, device=device), y).float()

        def discriminate(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            scores, logits = discriminator(x, y)
            return scores.float(), logits.float()

        def head_loss(part: slice) -> Tensor:
            _, logits = discriminate(diff_augment(x[part], recipe.augment, rng), y[part])
            return weighted(cross_entropy(logits, y[part]), networks.log_weights[0])

        def discriminator_loss(part: slice) -> Tensor:
            with torch.no_grad():
                fake = generate(y[part])
            real = diff_augment(x[part], recipe.augment, rng).requires_grad_(penalised)
            scores, logits = discriminate(real, y[part])
            fake_scores, fake_logits = discriminate(diff_augment(fake, recipe.augment, rng), y[part])
            loss = (1 - scores).relu().mean() + (1 + fake_scores).relu().mean()
            if penalised:
                (slope,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
                loss = loss + recipe.r1_weight / 2 * R1_EVERY * slope.float().square().sum((1, 2, 3)).mean()
            with torch.no_grad():
                kept = selected(scores, fake_scores, fake_logits, y[part], recipe.threshold)
                kept = kept if recipe.selection == "confident" else torch.ones_like(kept)
                count = kept.sum()
                networks.fakes += torch.stack([count, torch.ones_like(kept).sum()])
            each = cross_entropy(fake_logits, y[part], reduction="none")
            on_fakes = weighted((each * kept).sum() / count.clamp(min=1), networks.log_weights[1])
            loss = loss + weighted(cross_entropy(logits, y[part]), networks.log_weights[0])
            return loss + on_fakes * (count > 0)  # without any, there is nothing to weigh

        def generator_loss(part: slice) -> Tensor:
            return -discriminate(diff_augment(generate(y[part]), recipe.augment, rng), y[part])[0].mean()

        if not recipe.adversarial:
            losses = (take_step(adams["discriminator"], head_loss, recipe, device, split),)
        else:
            first = take_step(adams["discriminator"], discriminator_loss, recipe, device, split)
            discriminator.requires_grad_(False)
            losses = (first, take_step(adams["generator"], generator_loss, recipe, device, split))
            discriminator.requires_grad_(True)
        with torch.no_grad():
            networks.log_weights.clamp_(-MOST_LOG_WEIGHT, MOST_LOG_WEIGHT)
        return losses

    rate = (constant if recipe.schedule == "constant" else constant_then_linear)(recipe.learning_rate)
    trained, nimg = train_loop(recipe, networks, {"networks": networks}, adams, step, rate, len(subset), state, save)
    counts = np.bincount(subset.labels, minlength=len(classes))
    return ViTGANGenerator(trained, counts, shape, build), nimg


def _scaled(images: NDArray[np.uint8]) -> Tensor:
    """Images [N, C, H, W] as float32 from -1 (black) to 1 (white)."""
    return torch.from_numpy(images.astype(np.float32) / 127.5 - 1)
