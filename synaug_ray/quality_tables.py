"""Views of the Store: what looking at the pools found. They can be rebuilt any time."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from synaug_ray.plan import Plan
from synaug_ray.recipes import ReferenceRecipe
from synaug_ray.store import CorruptPayload, Store

NUMBERS = {  # column: where it stands in a Quality
    "label_agreement": ("labels", "agreement", "value"),
    "label_reference": ("labels", "reference", "value"),
    "near_copies": ("memorization", "near_copies", "value"),
    "base_rate": ("memorization", "base_rate", "value"),
    "precision": ("fidelity", "precision", "value"),
    "recall": ("fidelity", "recall", "value"),
    "density": ("fidelity", "density", "value"),
    "coverage": ("fidelity", "coverage", "value"),
    "frechet": ("fidelity", "frechet", "value"),
    "kernel": ("fidelity", "kernel", "value"),
    "domain_accuracy": ("domain", "accuracy", "value"),
    "subspace_overlap": ("overlap", "overlap"),
}
COLUMNS = ("generator", "family", "reference", "num_real", "draw", "num_images", "words", "sentences", *NUMBERS,
           "generator_key", "seconds", "cpu_seconds")
SHOWN = {  # on the page, means over draws
    "label_agreement": "shows the class asked for", "label_reference": "real images do", "near_copies": "near-copies",
    "base_rate": "real images are", "coverage": "coverage", "density": "density", "kernel": "kernel distance",
    "domain_accuracy": "told from real",
}
SHARES = ("label_agreement", "label_reference", "near_copies", "base_rate", "domain_accuracy")


def qualities(plan: Plan, store: Store) -> pd.DataFrame:
    """One row a pool that was looked at: shares are fractions, distances in units of the real features' spread.

    ``words`` are what is wrong with it, comma-separated, "ok" where nothing is.
    """
    rows, done = [], store.keys("quality")
    for key, step in plan.qualities.items():
        if key not in done:
            continue
        record, generator = store.record("quality", key), step.pool.generator
        try:
            found = json.loads(store.read(record, "quality.json"))
        except CorruptPayload:  # set aside: the next run makes it again
            continue
        rows.append({
            "generator": plan.names[generator.key], "family": generator.recipe.family,
            "reference": isinstance(generator.recipe, ReferenceRecipe), "num_real": generator.subset.num_real,
            "draw": generator.subset.draw, "num_images": found["num_pool"],
            "words": ", ".join(flag["word"] for flag in found["flags"]),
            "sentences": " ".join(flag["sentence"] for flag in found["flags"]),
            **{name: _at(found, path) for name, path in NUMBERS.items()}, "generator_key": generator.key,
            "seconds": record.result["seconds"], "cpu_seconds": record.result["cpu_seconds"],
        })
    return pd.DataFrame(rows, columns=list(COLUMNS))


def for_the_page(table: pd.DataFrame) -> dict[str, Any]:
    """What ``quality.json`` holds: a row for each generator and num_real, means over draws, and warnings.

    References get no warning: that jitter copies its Subset is what it is there for.
    """
    rows, warnings = [], []
    for (generator, n), group in table.groupby(["generator", "num_real"], sort=False):
        told: dict[str, int] = {}
        for words in group["words"]:
            for word in words.split(", "):
                told[word] = told.get(word, 0) + 1
        verdict = ", ".join(w if k == len(group) else f"{w} in {k} of {len(group)} draws" for w, k in told.items())
        means = [group[name].mean() for name in SHOWN]
        rows.append([generator, int(n), verdict, *(_told(name, float(v)) for name, v in zip(SHOWN, means,
                                                                                           strict=True))])
        wrong = {w: k for w, k in told.items() if w not in ("ok", "not judged")}
        if wrong and not group["reference"].iloc[0]:
            worst = group[[not w.startswith(("ok", "not judged")) for w in group["words"]]].iloc[0]
            rest = "" if len(group) == 1 else f" ({max(wrong.values())} of {len(group)} draws; this is draw " \
                                              f"{worst['draw']})"
            warnings.append(f"{generator} at {n:,} real images{rest}: {worst['sentences']}")
    return {"columns": ["generator", "real images seen", "found", *SHOWN.values()], "rows": rows, "warnings": warnings}


def _at(found: Any, path: tuple[str, ...]) -> float | None:
    for name in path:
        if found is None:
            return None
        found = found[name]
    return found


def _told(name: str, value: float) -> str | None:
    if value != value:
        return None
    return f"{value:.1%}" if name in SHARES else f"{value:.3g}"
