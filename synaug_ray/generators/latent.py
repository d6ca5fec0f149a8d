"""Latent diffusion: EDM in the latents of an autoencoder that saw the same Subset and nothing else, or is given.

For images that are too large for a U-Net of their pixels (Rombach et al., arXiv 2112.10752). The first part of the
training is the autoencoder's (``autoencoder.py``) unless it is given, the rest that of the U-Net in its latents
(``edm.py``).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, EDMEulerScheduler, UNet2DModel
from numpy.typing import NDArray
from safetensors.torch import load as load_safetensors
from torch import Tensor

from synaug_ray.common.keys import derive_seed
from synaug_ray.config.generator_recipes import LatentRecipe
from synaug_ray.config.recipes import SamplerRecipe
from synaug_ray.data.images import ImageSet
from synaug_ray.generators import autoencoder, edm
from synaug_ray.generators.diffusion import Task, fit, initialise, network, to_device, to_task
from synaug_ray.generators.guide import labels_of, starts_of
from synaug_ray.generators.samplers import sample_in_batches
from synaug_ray.training.checkpoint import module_names, pipeline_files, restore, unet_from_files
from synaug_ray.training.distributed import WHOLE, Split
from synaug_ray.training.loop import SaveState


@dataclass(frozen=True)
class LatentGenerator:
    """A trained autoencoder and a trained EDM generator of its latents."""

    autoencoder: AutoencoderKL
    net: UNet2DModel
    class_counts: NDArray[np.int64]  # of the Subset, [K]
    sigma_data: float  # standard deviation of the latents: about 1
    shape: tuple[int, int, int]  # of an image
    latent_shape: tuple[int, int, int]

    def sample(
        self, sampler: SamplerRecipe, index: range, seed: int, device: torch.device, real: ImageSet | None = None
    ) -> ImageSet:
        """Images ``index`` of the pool; see ``base.Generator.sample``."""
        decoder = to_device(self.autoencoder, device).eval()
        latents = edm.EDMGenerator(self.net, self.class_counts, self.sigma_data, self.latent_shape)
        starts = starts_of(sampler, real, self.class_counts, index, device)
        encoded = None if starts is None else lambda rows: autoencoder.encoded(decoder, starts(rows))
        of_latents = latents.maker(sampler, seed, device, encoded)

        def make(rows: list[int], labels: Tensor) -> Tensor:
            if starts is not None and not sampler.strength:
                return starts(rows)  # not what the autoencoder makes of them
            return autoencoder.decoded(decoder, of_latents(rows, labels))

        return sample_in_batches(
            make, sampler, self.class_counts, index, self.shape, device, labels_of(sampler, real, index)
        )

    def files(self) -> dict[str, bytes]:
        """Files by relative path: a pipeline of diffusers that samples latents, and in ``vae/`` their autoencoder."""
        extra = {
            "family": "latent",
            "class_counts": self.class_counts.tolist(),
            "sigma_data": self.sigma_data,
            "shape": list(self.shape),
            "latent_shape": list(self.latent_shape),
        }
        with tempfile.TemporaryDirectory() as folder:
            self.autoencoder.save_pretrained(folder, safe_serialization=True)
            saved = {f"vae/{f.name}": f.read_bytes() for f in sorted(Path(folder).iterdir())}
        pipeline = pipeline_files(self.net, EDMEulerScheduler(sigma_data=self.sigma_data))
        return pipeline | saved | {"synaug.json": json.dumps(extra).encode()}


def from_files(files: dict[str, bytes]) -> LatentGenerator:
    """The inverse of ``LatentGenerator.files``."""
    extra = json.loads(files["synaug.json"])
    shape, latent = extra["shape"], extra["latent_shape"]
    decoder = AutoencoderKL.from_config(json.loads(files["vae/config.json"]))
    assert isinstance(decoder, AutoencoderKL)
    decoder.load_state_dict(load_safetensors(files["vae/diffusion_pytorch_model.safetensors"]))
    return LatentGenerator(
        decoder.eval(),
        unet_from_files(files),
        np.array(extra["class_counts"], dtype=np.int64),
        extra["sigma_data"],
        (shape[0], shape[1], shape[2]),
        (latent[0], latent[1], latent[2]),
    )


def train(
    recipe: LatentRecipe,
    subset: ImageSet,
    classes: tuple[str, ...],
    seed: int,
    device: torch.device,
    state: bytes | None = None,
    save: SaveState | None = None,
    split: Split = WHOLE,
) -> tuple[LatentGenerator, int]:
    """Train on ``subset`` and nothing else; see ``base.Family.train``."""
    task = to_task(subset, len(classes), seed, device)
    first = recipe.autoencoder_length(len(subset))
    later = state is not None and "net" in module_names(state)  # of the U-Net's training, the autoencoder beside it
    encoder = _autoencoder(recipe, task, first, device, split, state, later, save)
    mirrored = autoencoder.encoded(encoder, task.images.flip(3)) if recipe.flip else None
    of_latents = replace(task, images=autoencoder.encoded(encoder, task.images), mirrored=mirrored)
    sigma_data = float(of_latents.images.std())

    def backward(net: UNet2DModel, nimg: int) -> Tensor:
        return edm.backward(net, recipe, of_latents, sigma_data, nimg, split)

    def save_after(state: Callable[[], bytes], nimg: int) -> None:
        if save is not None:
            save(state, first + nimg)

    rest = recipe.model_copy(update={"nimg": max(recipe.length(len(subset)) - first, 1), "max_passes": None})
    fresh = initialise(
        lambda: network(recipe, of_latents.shape, len(classes), recipe.noise_frequencies == "rising"), seed, device
    )
    net, nimg = fit(
        rest, fresh, backward, len(subset), split, state if later else None, save_after, {autoencoder.NAME: encoder}
    )
    counts = np.bincount(subset.labels, minlength=len(classes))
    return LatentGenerator(encoder, net, counts, sigma_data, task.shape, of_latents.shape), first + nimg


def _autoencoder(
    recipe: LatentRecipe,
    task: Task,
    images: int,
    device: torch.device,
    split: Split,
    state: bytes | None,
    later: bool,
    save: SaveState | None,
) -> AutoencoderKL:
    """The autoencoder: that of a ``state`` saved ``later`` than its training; else the given one, or trained here."""
    own = replace(task, seed=derive_seed("autoencoder", task.seed))
    net = initialise(lambda: autoencoder.network(recipe, task.shape), own.seed, device)
    if state is not None and later:
        restore(state, {autoencoder.NAME: net}, {})
        return net.eval().requires_grad_(False)
    if recipe.given:
        return autoencoder.open_given(recipe, net, task.images)
    return autoencoder.train(recipe, net, own, images, split, state, save)
