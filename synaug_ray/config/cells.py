"""The cells of a grid: each is one combination of its factors' values, measured by one trial."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product
from typing import NamedTuple

from synaug_ray.config.factors import Factors
from synaug_ray.config.filter_recipe import FilterRecipe
from synaug_ray.config.generator_recipes import GeneratorRecipe
from synaug_ray.config.joint import HEAD, fakes_seen, joint_arms
from synaug_ray.config.presets import FILTERS
from synaug_ray.config.protocols import JOINT, SHARED, SYNTHETIC_ONLY, StagedProtocol, name_of, with_controls
from synaug_ray.config.recipes import ClassifierRecipe

TRAINING_CHECK = "training-check"  # in place of a protocol in tables: real-only trials that no law or verdict counts
LONGER = 2  # times the images seen, in those trials


class CellSpec(NamedTuple):
    """One cell's factors; ``generator`` is None in real-only cells, which exist once per grid."""

    num_real: int
    num_synthetic: int
    generator: GeneratorRecipe | None
    classifier: ClassifierRecipe
    protocol: str
    real_share: float | None
    draw: int
    seed: int
    filter: FilterRecipe = FILTERS["none"]
    real_weight: float | None = None  # of the real images in the loss; None: as their share
    stages: StagedProtocol | None = None  # of protocols in two stages; ``protocol`` is their name

    @property
    def arm(self) -> str:
        """The name of the synthetic images in tables and on the page: their generator and filter."""
        if self.generator is None:
            return "none"
        return self.generator.name if self.filter.family == "none" else f"{self.generator.name}+{self.filter.name}"


def cells_of(factors: Factors) -> Iterator[CellSpec]:
    """All cells of a product; those with synthetic images come after the real-only ones of their size and draw."""
    return chain(_cells(factors), _joint_cells(factors))


def _cells(factors: Factors) -> Iterator[CellSpec]:
    for n, classifier, draw, seed in product(
        factors.num_real, factors.classifiers, range(factors.draws), range(factors.seeds)
    ):
        if classifier.frozen and seed:
            continue  # fitted exactly: a second seed would give the same
        amounts, protocols = factors.amounts(n), factors.protocols
        if n:
            yield CellSpec(n, 0, None, classifier, "real-only", None, draw, seed)
            for control in with_controls(protocols if amounts else (p for p in protocols if _alone(p))):
                yield CellSpec(n, 0, None, classifier, control.name, None, draw, seed, stages=control)
        else:  # without real images, all of them are
            protocols = (SYNTHETIC_ONLY,)
        for generator, kept, num_synthetic, protocol in product(
            factors.generators, factors.filters, amounts, protocols
        ):
            if _alone(protocol) or protocol == JOINT:
                continue
            stages = protocol if isinstance(protocol, StagedProtocol) else None
            shares = factors.real_share if protocol in SHARED else ("proportional",)
            weights = factors.real_weight if protocol == "mixed" else ("share",)
            for share, weight in product(shares, weights):
                real_share = None if share == "proportional" else float(share)
                real_weight = None if weight in ("share", share) else float(weight)
                yield CellSpec(
                    n,
                    num_synthetic,
                    generator,
                    classifier,
                    name_of(protocol),
                    real_share,
                    draw,
                    seed,
                    kept,
                    real_weight,
                    stages,
                )


def _joint_cells(factors: Factors) -> Iterator[CellSpec]:
    """One for each size, draw, generator with a head, and control of these; their synthetic images are those shown."""
    for n in factors.num_real if JOINT in factors.protocols else ():
        for draw, arm in product(range(factors.draws if n else 0), joint_arms(factors.generators)):
            yield CellSpec(n, fakes_seen(arm, n), arm, HEAD, JOINT, None, draw, 0)


def _alone(protocol: str | StagedProtocol) -> bool:
    """Whether it sees real images alone."""
    return isinstance(protocol, StagedProtocol) and not protocol.synthetic
