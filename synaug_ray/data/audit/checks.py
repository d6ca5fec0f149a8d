"""Checks before anything starts that a data set has all that a plan needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from synaug_ray.common.errors import Message
from synaug_ray.common.text import counted, one_line, printable, some
from synaug_ray.config.generator_recipes import GeneratorRecipe
from synaug_ray.config.image_sides import halving
from synaug_ray.config.lora_recipe import LoraRecipe, unlike_base
from synaug_ray.config.pretrained_recipe import PretrainedRecipe
from synaug_ray.config.prompts import unlike_classes
from synaug_ray.config.text_recipes import TextRecipe
from synaug_ray.data.audit.alike import alike_class_note, alike_problems
from synaug_ray.data.audit.class_shares import shares_apart
from synaug_ray.data.images import Dataset
from synaug_ray.plan.plan import Plan

MOST_CLASSES = 1 << 16  # predictions are stored as uint16


def problems(plan: Plan, dataset: Dataset, place: Callable[[int], str] = lambda num_real: "num_real") -> list[Message]:
    """What keeps the plan from running; ``place`` gives the place of a number of real images in the grid."""
    found: list[Message] = []
    counts = np.bincount(dataset.train.labels, minlength=dataset.num_classes)
    total, smallest = len(dataset.train), int(counts.min())
    if smallest == 0:
        missing = some(dataset.classes[c] for c in np.flatnonzero(counts == 0))
        text = f"no training image of class {missing}; add images or remove the class"
        found.append(Message(text, dataset.name, "empty-class", missing))
    if dataset.num_classes > MOST_CLASSES:
        text = f"{dataset.num_classes:,} classes; at most {MOST_CLASSES:,} are supported"
        found.append(Message(text, dataset.name, "too-many-classes", f"{dataset.num_classes:,}"))
    found += alike_problems(dataset)
    found += _groups_shared(dataset)
    stratify = next((t.subset.stratify for t in plan.trials.values()), "natural")
    most = total if stratify == "natural" else smallest * dataset.num_classes
    why = (
        f"the training split has {total:,} images; lower it, or add training images"
        if stratify == "natural"
        else (
            f"class {dataset.classes[int(counts.argmin())]} has {smallest:,} training images, so a balanced subset "
            f"has at most {most:,}; lower it, add images of that class, or set stratify: natural"
        )
    )
    for n in sorted({t.subset.num_real for t in plan.trials.values()}):
        if n > most:
            found.append(Message(f"{n:,} is too many: {why}", place(n), "too-many-real", f"{n:,}"))
        elif n and smallest and stratify == "natural" and n * smallest / total < 1:
            c = dataset.classes[int(counts.argmin())]
            needed = int(np.ceil(total / smallest))
            text = (
                f"{n:,} images in natural proportion may include none of class {c} ({smallest:,} of {total:,}); use "
                f"{needed:,} or more, or stratify: balanced"
            )
            found.append(Message(text, place(n), "too-few-real", f"{n:,}"))
    for n in sorted(
        {g.subset.num_real for g in plan.generators.values()} - {t.subset.num_real for t in plan.trials.values()}
    ):
        if n > most:
            found.append(Message(f"trained_on {n:,} is too many: {why}", "generators", "too-many-real", f"{n:,}"))
    found += _pools(plan, most)
    found += _sizes(plan, dataset)
    return found + _sentences(plan, dataset)


def describe(dataset: Dataset, before: Dataset | None = None) -> str:
    """What was read: a line for each split, and notes on what is unusual about the data.

    Args:
        before: the data set with the test images that are no longer in ``dataset``, since they are also in train.
    """
    c, h, w = dataset.shape
    lines = [
        f"data     {printable(dataset.name)}: {dataset.num_classes} classes ({some(dataset.classes, 8)}), "
        f"{h} x {w} pixels, {'grey' if c == 1 else 'colour'}"
    ]
    left_out = 0 if before is None else len(before.test) - len(dataset.test)
    for name, part in (("train", dataset.train), ("val", dataset.val), ("test", dataset.test)):
        counts = np.bincount(part.labels, minlength=dataset.num_classes)
        known = f" ({left_out:,} more, also in train, are left out)" if left_out and name == "test" else ""
        lines.append(f"         {name:<5} {len(part):>8,} images, {counts.min():,} to {counts.max():,} a class{known}")
        missing = some(dataset.classes[k] for k in np.flatnonzero(counts == 0))
        if missing:
            lines.append(f"note     no {name} image of class {missing}: nothing can be measured for it")
    if apart := shares_apart(dataset, before):
        lines.append(f"note     class {apart.found}: {apart.means}")
    if dataset.dropped:
        lines.append(
            f"note     {counted(len(dataset.dropped), 'file')} cannot be read and "
            f"{'was' if len(dataset.dropped) == 1 else 'were'} left out: {some(dataset.dropped)}"
        )
    return "\n".join(
        lines + [f"note     {note}" for note in (*dataset.notes, *alike_class_note(dataset))] + _changed(dataset)
    )


def _changed(dataset: Dataset) -> list[str]:
    """Notes on images that were brought to a common size or mode."""
    found, lines = dataset.found, []
    if found.num_sizes > 1:
        (w, h), (x, y) = found.smallest, found.largest
        lines.append(f"note     images have {found.num_sizes:,} sizes, from {w} x {h} to {x} x {y} (width x height)")
    if len(found.modes) > 1:
        lines.append(f"note     images have several modes: {', '.join(f'{n:,} {mode}' for mode, n in found.modes)}")
    return lines


def _groups_shared(dataset: Dataset) -> list[Message]:
    """Messages about groups that are in train and in val or test too: errors would come out too low.

    Only a source's own splits can have this; splits made here keep groups together.
    """
    if dataset.groups is None:
        return []
    train, *others = (np.unique(groups) for groups in dataset.groups)
    found = []
    for name, groups in zip(("val", "test"), others, strict=True):
        shared = np.intersect1d(train, groups)
        if len(shared):
            text = (
                f"{len(shared):,} of {len(groups):,} groups of {name} are also in train (data.group); move each group "
                "to one split, or merge the splits and let data.holdout divide them"
            )
            found.append(Message(text, dataset.name, "groups-in-several-splits", f"{len(shared):,}"))
    return found


def _pools(plan: Plan, total: int) -> list[Message]:
    found = []
    asked: dict[tuple[str, int], int] = {}
    recipes: dict[str, GeneratorRecipe] = {}
    for row in plan.rows:
        for pool, count in row.trial.pool.taken(row.trial.num_raw) if row.trial.pool else ():
            recipe = pool.generator.recipe
            if recipe.held_out:
                at, recipes[recipe.name] = (recipe.name, pool.generator.subset.num_real), recipe
                asked[at] = max(asked.get(at, 0), count)
    for (name, n), count in sorted(asked.items()):
        end = recipes[name].most_images(total, n)
        if end is not None and count > end:
            text = (
                f"{name} at num_real {n:,} needs {count:,} images, but only {end:,} real images are held out there; "
                "lower synthetic_multiples, num_synthetic or num_real in a separate block"
            )
            found.append(Message(text, "generators", "too-few-held-out", f"{count:,}"))
    return found


def _sentences(plan: Plan, dataset: Dataset) -> list[Message]:
    """Messages about filters that have no sentences about some class."""
    found = []
    recipes = {t.filter.key: t.filter for t in plan.trials.values() if t.filter and t.filter.family == "clip"}
    for recipe in recipes.values():
        try:
            recipe.sentences(dataset.classes)
        except (OSError, ValueError) as error:
            text = (
                f"{recipe.name}: {one_line(error, 300)}. Allowed are words: or sentences (prompts:) for each of the "
                f"classes {some(dataset.classes)}"
            )
            found.append(Message(text, "filters", "filter-classes"))
    return found


def _sizes(plan: Plan, dataset: Dataset) -> list[Message]:
    recipes, side = list({g.recipe.key: g.recipe for g in plan.generators.values()}.values()), dataset.shape[1]
    texts = [text for recipe in recipes if (text := halving(recipe, side))]
    found = [Message(text, "generators", "image-size", f"{side} pixels") for text in texts]
    for recipe in (r for r in recipes if isinstance(r, LoraRecipe)):
        wrong = unlike_base(recipe, dataset.shape[0], side, dataset.num_classes)
        found += [Message(text, f"generators: {recipe.name}: {field}", code) for field, code, text in wrong]
    for recipe in (r for r in recipes if isinstance(r, (PretrainedRecipe, TextRecipe))):
        wrong = unlike_classes(recipe, dataset.classes)
        found += [Message(text, f"generators: {recipe.name}: {field}", "pipeline-classes") for field, text in wrong]
    return found
