"""``budgets: [0.25, 1, 4]``: one generator of a grid at several lengths of training, each a recipe of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from synaug_ray.common.errors import Message
from synaug_ray.config.generator_recipes import LENGTH, kind_of, recipe_type
from synaug_ray.config.yaml_source import Lines, Location, short

BUDGETS = "budgets"
MOST_TIMES = 1_000  # of a recipe's own length


def with_budgets(recipe: dict[str, Any], at: Location, lines: Lines, problems: list[Message]) -> list[dict[str, Any]]:
    """A generator's plain values once for each of its ``budgets``, shortest first; itself if it has none.

    A budget is how many times as long as its recipe a generator trains. At 1 it is the recipe itself, name and key; the
    others are named after theirs, ``edm-16px-x4``. Problems are added, and what has any stays as one generator.

    Args:
        recipe: with presets filled in.
        at: its location in the grid.
    """
    if BUDGETS not in recipe:
        return [recipe]
    base = _with_length({name: value for name, value in recipe.items() if name != BUDGETS})
    said = _problem(base, recipe[BUDGETS])
    if said is not None:
        problems.append(Message(said[0], lines.at((*at, BUDGETS)), "budgets", said[1]))
    return [base] if said or not _plain(base) else [_at(base, b) for b in sorted(recipe[BUDGETS])]


def trained_apart(budgets: Iterable[float]) -> float:
    """How much more a training at each budget costs than one at the largest, as a fraction of that."""
    budgets = list(budgets)
    return sum(budgets) / max(budgets) - 1


def _at(recipe: dict[str, Any], budget: float) -> dict[str, Any]:
    if budget == 1:
        return recipe
    passes = recipe.get("max_passes")
    return recipe | {
        "name": f"{recipe['name']}-x{budget:g}",
        "nimg": max(1, round(recipe["nimg"] * budget)),
        **({} if passes is None else {"max_passes": passes * budget}),
    }


def _with_length(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe with the length that its family has by default, where it names none."""
    family = recipe_type(kind_of(recipe))
    field = None if family is None else family.model_fields.get("nimg")
    return recipe if field is None or "nimg" in recipe else recipe | {"nimg": field.default}


def _plain(recipe: dict[str, Any]) -> bool:
    """Whether its name and length are usable; if not, validation reports it."""
    numbers = [recipe.get("nimg"), *([recipe["max_passes"]] if recipe.get("max_passes") is not None else [])]
    return isinstance(recipe.get("name"), str) and all(_number(value) for value in numbers)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _problem(recipe: dict[str, Any], budgets: object) -> tuple[str, str] | None:
    """What is wrong with ``budgets`` of a recipe, and the value."""
    example = "give a list such as [0.25, 1, 4]: times the recipe's own length of training"
    family = recipe_type(kind_of(recipe))
    if family is not None and not LENGTH <= set(family.model_fields):
        return f"{recipe.get('name')} (family {recipe['family']}) is not trained, so it has no budgets; remove them", ""
    if not isinstance(budgets, list) or not budgets:
        return f"{example}; got {short(budgets)}", short(budgets)
    wrong = [b for b in budgets if not _number(b) or not 0 < b <= MOST_TIMES]
    if wrong:
        return f"a budget is a number above 0 and at most {MOST_TIMES:,}, got {short(wrong[0])}; {example}", short(
            wrong[0]
        )
    again = sorted({b for b in budgets if budgets.count(b) > 1})
    if again:
        return f"repeats {again[0]:g}; give each budget once", f"{again[0]:g}"
    return None
