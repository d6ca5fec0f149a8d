"""Protocol ``joint``: a generator and a classifier trained in one stage (after arXiv 2212.09977).

The classifier is the class head of the generator's discriminator: its trials only measure it. With each generator run
its controls: the head without a generator, and with all synthetic images instead of selected ones. All have the same
network, start from the same weights, and see as many real images.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from synaug_ray.config.any_generator import AnyGenerator
from synaug_ray.config.recipes import ClassifierRecipe, Recipe
from synaug_ray.config.vit_gan_recipe import ViTGANRecipe


class HeadRecipe(ClassifierRecipe):
    """Stands where other trials have a classifier's recipe; everything about the head is in its generator's."""

    labels: ClassVar[frozenset[str]] = Recipe.labels
    family: Literal["head"] = "head"  # type: ignore[assignment]
    pack: Literal[1] = 1  # type: ignore[assignment]


HEAD = HeadRecipe(name="discriminator")


def joint_arms(generators: Iterable[AnyGenerator]) -> tuple[ViTGANRecipe, ...]:
    """The generators whose heads are measured: those with one, then their controls; each recipe once."""
    own = [g for g in generators if isinstance(g, ViTGANRecipe)]
    known, names = {g.key for g in own}, {g.name for g in own}
    arms = list(own)
    for control in (c for g in own for c in g.controls()):
        if control.key not in known:
            known.add(control.key)
            name = control.name if control.name not in names else f"{control.name}-control"
            names.add(name)
            arms.append(control.model_copy(update={"name": name}))
    return tuple(arms)


def fakes_seen(recipe: ViTGANRecipe, num_real: int) -> int:
    """Synthetic images that are shown to the discriminator: one for each real one."""
    return recipe.length(num_real) if recipe.adversarial else 0
