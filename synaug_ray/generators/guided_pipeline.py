"""Guided sampling from any pipeline of diffusers whose scheduler can add noise: by its own call, with its own steps.

The pipeline is called as without guidance. Its scheduler hands out the last part of the steps only, and before the
first of them replaces the noise that the pipeline drew by the real images with that noise (SDEdit, arXiv 2108.01073).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from synaug_ray.common.errors import DataProblem
from synaug_ray.generators.pipelines import to_shape

Encode = Callable[[tuple[int, ...]], Tensor]  # shape of an image or latent of the pipeline -> those to start from


@contextmanager
def guided(pipeline: Any, taken: int, images: Tensor) -> Iterator[None]:
    """Let a pipeline's calls take ``taken`` steps from ``images``, [B, C, H, W] in [-1, 1]."""
    plain = pipeline.scheduler
    try:  # past the pipeline's own registering of its parts, which wants a class of diffusers
        object.__setattr__(pipeline, "scheduler", GuidedScheduler(plain, taken, encoder(pipeline, images)))
        yield
    finally:
        object.__setattr__(pipeline, "scheduler", plain)


class GuidedScheduler:
    """A scheduler that begins ``taken`` of its steps before the end, from real images or latents with noise."""

    init_noise_sigma = 1.0  # a pipeline scales its first noise by this; here it is scaled with the real image's

    def __init__(self, scheduler: Any, taken: int, starts: Encode) -> None:
        self._scheduler, self._taken, self._starts = scheduler, taken, starts
        self._skipped, self._first, self._before = 0, None, True  # steps; what the first one gets; whether it is ahead
        self.step = _with_arguments_of(scheduler.step, self._step)
        self.set_timesteps = _with_arguments_of(scheduler.set_timesteps, self._set_timesteps)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scheduler, name)

    @property
    def timesteps(self) -> Tensor:
        return self._scheduler.timesteps[self._skipped :]

    def _set_timesteps(self, num_inference_steps: int, *args: Any, **kwargs: Any) -> None:
        self._scheduler.set_timesteps(num_inference_steps, *args, **kwargs)
        self._skipped = (num_inference_steps - self._taken) * self._scheduler.order
        self._first, self._before = None, True
        if hasattr(self._scheduler, "set_begin_index"):
            self._scheduler.set_begin_index(self._skipped)

    def scale_model_input(self, sample: Tensor, timestep: Any) -> Tensor:
        if self._before and self._first is None:
            starts = self._starts(tuple(sample.shape[1:])).to(sample)
            times = len(sample) // len(starts)  # with classifier-free guidance a pipeline asks for each image twice
            level = torch.as_tensor(timestep).reshape(1).repeat(len(sample))
            self._first = self._scheduler.add_noise(starts.repeat(times, 1, 1, 1), sample, level)
        return self._scheduler.scale_model_input(sample if self._first is None else self._first, timestep)

    def _step(self, model_output: Tensor, timestep: Any, sample: Tensor, *args: Any, **kwargs: Any) -> Any:
        if self._first is not None:
            sample, self._first = self._first[: len(sample)], None
        self._before = False
        return self._scheduler.step(model_output, timestep, sample, *args, **kwargs)


def _with_arguments_of(theirs: Any, ours: Any) -> Any:
    """``ours``, that looks to a pipeline as ``theirs``: it passes on what that takes."""

    @functools.wraps(theirs)
    def call(*args: Any, **kwargs: Any) -> Any:
        return ours(*args, **kwargs)

    return call


def encoder(pipeline: Any, images: Tensor) -> Encode:
    """What a pipeline starts from for ``images``, [B, C, H, W] in [-1, 1]: these at its size, or their latents.

    Latents are the means that the pipeline's autoencoder gives, scaled as the pipeline scales them.
    """

    def encode(shape: tuple[int, ...]) -> Tensor:
        c, h, w = shape
        coder = getattr(pipeline, "vae", None)
        if coder is None:
            return to_shape((images + 1) / 2, (c, h, w)) * 2 - 1
        side = 2 ** (len(coder.config.block_out_channels) - 1)
        pixels = to_shape((images + 1) / 2, (coder.config.in_channels, h * side, w * side)) * 2 - 1
        found = coder.encode(pixels).latent_dist.mode() * coder.config.scaling_factor
        if tuple(found.shape[1:]) != shape:
            raise DataProblem(
                f"its autoencoder makes latents of {tuple(found.shape[1:])} of real images, and it denoises latents of "
                f"{shape}; leave guide out, or give a pipeline whose parts fit together",
                code="pipeline-cannot-guide",
            )
        return found

    return encode
