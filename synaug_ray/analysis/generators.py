"""What the table of trials says about generators: their family, what they saw, and the cost of their images."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from synaug_ray.analysis.results import Generation

# families with a known answer, or without learning: they are compared with, and are never the question itself
HYBRID_CONTROL = "hybrid-control"  # a hybrid of these, or with real images that are held out
CONTROLS = (
    "real-holdout",
    "duplicate",
    "label-shuffle",
    "jitter",
    "mixup",
    "augment",
    "remade",
    "relabelled",
    HYBRID_CONTROL,
)
HYBRID_OPEN = (
    "hybrid-open"  # a hybrid with a part that was trained on images outside the data set, as a reader may have
)
HYBRIDS = ("hybrid", HYBRID_OPEN)  # of several generators, of which one at least is trained
# families that start from a generator of other images, which a reader has too
BASED = ("lora", "inversion")
TRAINING_COST, IMAGE_COST = "generator_cost_seconds", "image_cost_seconds"


def without_filter(arm: str) -> str:
    """The generator of an arm, which a filter may have part of: ``edm+inliers`` -> ``edm``."""
    return arm.partition("+")[0]


class Kind(NamedTuple):
    """What kind of generator it is."""

    family: str  # edm, real-holdout, jitter ...; the generator's name if the table has no such column
    open_set: bool  # whether in every cell it saw more real images than the cell has
    open_at: frozenset[int] = frozenset()  # the numbers of real images at which it saw more

    def open_in(self, num_real: int) -> bool:
        """Whether it saw more real images than a cell of ``num_real`` has."""
        return self.open_set or num_real in self.open_at


def opened_by(family: str, open_set: bool) -> str:
    """Why a generator is open-set, in words; '' for one that is not."""
    if open_set:
        return "open-set: trained on more real images"
    return {**dict.fromkeys(BASED, "open-set by its base"), HYBRID_OPEN: "open-set by a part"}.get(family, "")


def kinds(trials: pd.DataFrame) -> dict[str, Kind]:
    """The kind of each generator, by name."""
    found = {}
    for name, rows in trials[trials["num_synthetic"] > 0].groupby("generator"):
        family = rows["family"].tolist()[0] if "family" in rows else name
        more = rows[rows["trained_on"] > rows["num_real"]] if "trained_on" in rows else rows[:0]
        open_at = frozenset(int(n) for n in more["num_real"])
        everywhere = open_at == frozenset(int(n) for n in rows["num_real"])
        found[str(name)] = Kind(str(family), everywhere or family == "pretrained", open_at)
    return found


class Made(NamedTuple):
    """How a generator was made at one size. Makings that differ only in ``nimg`` are lengths of one recipe."""

    recipe: str  # the same for recipes that differ only in their length
    filter: str
    trained_on: int
    nimg: int  # images seen in training
    whole: str = ""  # identifies the recipe including its length


def makings(trials: pd.DataFrame) -> dict[tuple[str, int], Made]:
    """How each trained generator was made, by name and num_real; empty for a table of an older version."""
    if not {"recipe_key", "generator_nimg", "filter", "trained_on"} <= set(trials.columns):
        return {}
    rows: Any = trials[(trials["num_synthetic"] > 0) & (trials["generator_nimg"] > 0)]
    if "whole_recipe_key" not in rows:
        rows = rows.assign(whole_recipe_key=rows["recipe_key"].astype(str) + " " + rows["generator_nimg"].astype(str))
    columns = ["recipe_key", "filter", "trained_on", "generator_nimg", "whole_recipe_key"]
    return {
        (str(name), int(n)): Made(str(recipe), str(kept), int(seen), int(nimg), str(whole))
        for (name, n), recipe, kept, seen, nimg, whole in rows.groupby(["generator", "num_real"])[columns]
        .first()
        .itertuples()
    }


def generation_costs(trials: pd.DataFrame) -> dict[str, tuple[Generation, ...]]:
    """The costs of each generator by ``num_real``, as medians over draws; empty for a table without cost columns."""
    if not {TRAINING_COST, IMAGE_COST} <= set(trials.columns):
        return {}
    known = np.isfinite(trials[[TRAINING_COST, IMAGE_COST]].astype(float)).all(axis=1)
    rows: Any = trials[(trials["num_synthetic"] > 0) & (trials["num_real"] > 0) & known]
    by_draw = rows.groupby(["generator", "num_real", "draw"])[[TRAINING_COST, IMAGE_COST]].mean()
    costs: dict[str, list[Generation]] = {}
    for (name, n), cost in by_draw.groupby(["generator", "num_real"]).median().iterrows():
        costs.setdefault(str(name), []).append(Generation(int(n), float(cost[TRAINING_COST]), float(cost[IMAGE_COST])))
    return {name: tuple(of_one) for name, of_one in costs.items()}
