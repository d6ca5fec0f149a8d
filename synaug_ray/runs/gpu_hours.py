"""What a plan would take of a GPU that is not at hand: from counted operations and an assumed share of its peak."""

from __future__ import annotations

from collections.abc import Mapping

from synaug_ray.plan.footprint import Count
from synaug_ray.plan.plan import Plan
from synaug_ray.plan.step import Step
from synaug_ray.plan.steps import GeneratorStep, ShardStep, TrialStep

NAME = "H100-class GPU"
# dense operations a second that NVIDIA gives for its H100 SXM: bf16, and TF32, in which torch computes convolutions of
# fp32 networks
PEAK = {"bf16": 989e12, "fp32": 495e12}
SHARE = 0.2  # of the peak that small images and batches of a few hundred reach: an assumption, said where it is used
SPREAD = 2.0  # the factor by which that may be wrong


def gpu_hours(missing: Plan, counts: Mapping[str, Count]) -> float | None:
    """Hours of one GPU; None where a network was not counted. Quality checks, a small part, are left out."""
    steps: list[Step] = [*missing.generators.values(), *missing.shards.values(), *missing.trials.values()]
    seconds = 0.0
    for step in (s for s in steps if s.images_seen):
        if step.cost_key not in counts:
            return None
        seconds += counts[step.cost_key].flops * step.images_seen / (SHARE * PEAK[_precision(step)])
    return seconds / 3600


def describe(hours: float) -> str:
    """``about 340 GPU-hours on an H100-class GPU (170 to 680), if ...``."""
    return (
        f"about {_round(hours)} GPU-hours on an {NAME} ({_round(hours / SPREAD)} to {_round(hours * SPREAD)}), at an "
        f"assumed {SHARE:.0%} of its peak"
    )


def _round(hours: float) -> str:
    return f"{float(f'{hours:.2g}'):,.0f}" if hours >= 1 else f"{hours:.1g}"


def _precision(step: Step) -> str:
    recipe = (
        step.recipe
        if isinstance(step, GeneratorStep)
        else step.sampler
        if isinstance(step, ShardStep)
        else step.classifier
        if isinstance(step, TrialStep)
        else None
    )
    return getattr(recipe, "precision", "fp32")
