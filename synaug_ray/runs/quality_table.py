"""Tables of quality checks, built from the Store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from synaug_ray.config.data_options import FULL
from synaug_ray.config.generator_recipes import HybridRecipe
from synaug_ray.plan.plan import Plan
from synaug_ray.runs.tables import family_of_hybrid
from synaug_ray.store.store import CorruptPayload, Store

OVERLAP = {"overlap": "value", "overlap_low": "low", "overlap_high": "high"}  # column: its place in an interval
NUMBERS = {  # column: its path in a Quality
    "label_agreement": ("labels", "agreement", "value"),
    "label_reference": ("labels", "reference", "value"),
    "near_copies": ("memorization", "near_copies", "value"),
    "base_rate": ("memorization", "base_rate", "value"),
    "membership_advantage": ("membership", "advantage", "value"),
    "membership_advantage_low": ("membership", "advantage", "low"),
    "membership_advantage_high": ("membership", "advantage", "high"),
    "membership_auc": ("membership", "auc", "value"),
    "closer_to_training": ("membership", "closer", "value"),
    "precision": ("fidelity", "precision", "value"),
    "recall": ("fidelity", "recall", "value"),
    "density": ("fidelity", "density", "value"),
    "coverage": ("fidelity", "coverage", "value"),
    "frechet": ("fidelity", "frechet", "value"),
    "kernel": ("fidelity", "kernel", "value"),
    "domain_accuracy": ("domain", "accuracy", "value"),
    "subspace_overlap": ("overlap", "overlap"),
}
COMPARED = ("precision", "recall", "density", "coverage", "frechet", "kernel")  # in pretrained networks' features too
COLUMNS = (
    "generator",
    "family",
    "strength",
    "reference",
    "num_real",
    "draw",
    "num_images",
    "words",
    "sentences",
    *NUMBERS,
    *OVERLAP,
    "worst_class",
    "worst_class_agreement",
    "class_agreement",
    "judge",
    "judge_images",
    "generator_key",
    "seconds",
    "cpu_seconds",
)
SHOWN = {  # on the page, means over draws
    "label_agreement": "shows the requested class",
    "label_reference": "real images do",
    "near_copies": "near-copies",
    "base_rate": "real images are",
    "membership_advantage": "membership advantage",
    "coverage": "coverage",
    "density": "density",
    "kernel": "kernel distance",
    "domain_accuracy": "told from real",
    "overlap": "overlap with real",
}
SHARES = (
    "label_agreement",
    "label_reference",
    "near_copies",
    "base_rate",
    "membership_advantage",
    "domain_accuracy",
    "overlap",
)


def qualities(plan: Plan, store: Store) -> pd.DataFrame:
    """One row per checked pool: shares are fractions, distances in units of the real features' spread.

    ``words`` are its flags, comma-separated, "ok" if nothing is wrong. ``worst_class`` is the number of the class that
    is shown least often where it was asked for, among those with 20 images or more, and ``class_agreement`` how often
    each of these is shown, as JSON. Each pretrained network adds
    columns such as ``kernel_dinov2``. ``judge`` is ``data.judge``, ``judge_images`` the number of real images that its
    classifiers were trained on.
    """
    rows = []
    spaces = {space.name: space.key for step in plan.qualities.values() for space in step.spaces}
    pretrained = {
        f"{name}_{space}": ("pretrained", key, name, "value") for space, key in spaces.items() for name in COMPARED
    }
    for record in store.records("quality", plan.qualities).values():
        pool = plan.qualities[record.key].pool
        generator, recipe = pool.generator, pool.generator.recipe
        family = family_of_hybrid(recipe) if isinstance(recipe, HybridRecipe) else recipe.family
        try:
            found = json.loads(store.read(record, "quality.json"))
        except CorruptPayload:  # set aside; the next run repeats the check
            continue
        rows.append(
            {
                "generator": plan.names[pool.key],
                "strength": pool.sampler.strength,
                "family": family,
                "reference": generator.recipe.reference or pool.sampler.start == "held-out",
                "num_real": generator.subset.num_real,
                "draw": generator.subset.draw,
                "num_images": found["num_pool"],
                "words": ", ".join(flag["word"] for flag in found["flags"]),
                "sentences": " ".join(flag["sentence"] for flag in found["flags"]),
                **{name: _at(found, path) for name, path in (NUMBERS | pretrained).items()},
                **{name: (overlap(found["domain"]) or {}).get(end) for name, end in OVERLAP.items()},
                **worst_class(found["labels"]),
                "class_agreement": json.dumps(_by_class(found["labels"])),
                "judge": plan.data.options.judge,
                "judge_images": _at(found, ("labels", "num_training")),
                "generator_key": generator.key,
                "seconds": record.result["seconds"],
                "cpu_seconds": record.result["cpu_seconds"],
            }
        )
    return pd.DataFrame(rows, columns=[*COLUMNS, *pretrained])


def for_the_page(table: pd.DataFrame) -> dict[str, Any]:
    """The content of ``quality.json``: a row per generator and num_real, means over draws, and warnings.

    References get no warnings: jitter is meant to copy its Subset.
    """
    pretrained = [
        name
        for name in table.columns
        if name.startswith(("frechet_", "kernel_", "coverage_")) and bool(np.isfinite(table[name].astype(float)).any())
    ]
    shown = SHOWN | {
        name: f"{SHOWN.get(kind, 'Frechet distance')}, {space}"
        for name in pretrained
        for kind, space in [name.split("_", 1)]
    }
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for check in table.to_dict("records"):
        groups.setdefault((check["generator"], int(check["num_real"])), []).append(
            {str(k): v for k, v in check.items()}
        )
    rows, warnings = [], []
    for (generator, n), checks in groups.items():
        counts = Counter(word for check in checks for word in check["words"].split(", "))
        verdict = ", ".join(
            word if k == len(checks) else f"{word} in {k} of {len(checks)} draws" for word, k in counts.items()
        )
        rows.append([generator, n, verdict, *(_mean(name, [check[name] for check in checks]) for name in shown)])
        wrong = [check for check in checks if not check["words"].startswith(("ok", "not judged"))]
        if wrong and not checks[0]["reference"]:
            share = (
                "" if len(checks) == 1 else f" ({len(wrong)} of {len(checks)} draws; this is draw {wrong[0]['draw']})"
            )
            guided = checks[0].get("strength", 1.0)
            why = f" It starts from real images (strength {guided:g}), so likeness to them is by design." * (guided < 1)
            warnings.append(f"{generator} at {n:,} real images{share}: {wrong[0]['sentences']}{why}")
    return {
        "columns": ["generator", "real images seen", "found", *shown.values()],
        "rows": rows,
        "warnings": warnings,
        "notes": [*_judge_note(table), *_overlap_note(table)],
    }


def _judge_note(table: pd.DataFrame) -> list[str]:
    """Who judges labels: classifiers that saw more real images than the generators' own Subsets hold."""
    judged = table.loc[table["judge_images"].notna()] if "judge_images" in table else table.iloc[:0]
    if judged.empty:
        return []
    images, source = int(judged["judge_images"].max()), str(judged["judge"].iloc[0])
    whose = (
        "all training images of this data set"
        if source == FULL
        else f"images of {source} (data.judge), without those that are test images here"
    )
    seen = sorted({int(n) for n in judged["num_real"]})
    more = (
        f", more than the {seen[0]:,}{f' to {seen[-1]:,}' if len(seen) > 1 else ''} of a subset"
        if images > seen[-1]
        else ""
    )
    return [
        f"Whether images show their class is judged by classifiers of {images:,} real images: {whose}{more}. They saw "
        "no test image, and no verdict rests on them."
    ]


def overlap(domain: Mapping[str, Any] | None) -> dict[str, float] | None:
    """The share of images that could as well be of the other kind, with its interval; None where nothing judged them.

    It is the integral of min(p, q) of the densities of real and synthetic images: 2 (1 - balanced accuracy) of the best
    classifier that tells one kind from the other. By that of any other classifier it is an upper bound, up to noise.

    Args:
        domain: of a quality check, a classifier's ``accuracy`` in telling real images from synthetic ones.
    """
    if domain is None:
        return None
    value, low, high = (2 * (1 - max(domain["accuracy"][end], 0.5)) for end in ("value", "high", "low"))
    return {"value": value, "low": low, "high": high}


def _overlap_note(table: pd.DataFrame) -> list[str]:
    """What an overlap means, where some were measured."""
    if "overlap" not in table or not bool(np.isfinite(table["overlap"].astype(float)).any()):
        return []
    return [
        "Overlap with real: a classifier was shown which images are real and which synthetic, and had to tell it of "
        "others. 100%: it cannot, synthetic images look as real ones do; 0%: it always can; 50%: about half of the "
        "images could as well be of the other kind. A better classifier might tell more, so it is at most so much. "
        "Copies of real images overlap fully."
    ]


def _at(found: Any, path: tuple[str, ...]) -> float | None:
    for name in path:
        if found is None:
            return None
        found = found[name]
    return found


def worst_class(labels: Any) -> dict[str, Any]:
    """The class shown least often where it was asked for; ``labels``: of a quality check, None where not judged."""
    judged = _by_class(labels)
    worst = min(judged, key=lambda label: judged[label], default=None)
    return {"worst_class": worst, "worst_class_agreement": None if worst is None else judged[worst]}


def _by_class(labels: Any) -> dict[int, float]:
    judged = [c for c in (labels or {"by_class": ()})["by_class"] if c["agreement"] is not None]
    return {c["label"]: c["agreement"]["value"] for c in judged}


def shown_by_class(table: pd.DataFrame) -> dict[tuple[str, int], dict[int, float]]:
    """By generator and real images that it saw: how often each class is shown where it was asked for, over draws."""
    found: dict[tuple[str, int], dict[int, list[float]]] = {}
    for check in table.to_dict("records"):
        at = found.setdefault((str(check["generator"]), int(check["num_real"])), {})
        for label, share in json.loads(check["class_agreement"]).items():
            at.setdefault(int(label), []).append(share)
    return {at: {label: float(np.mean(shares)) for label, shares in of.items()} for at, of in found.items()}


def _mean(name: str, values: list[float | None]) -> str | None:
    known = [v for v in values if v is not None and v == v]  # a table holds NaN for None
    if not known:
        return None
    mean = sum(known) / len(known)
    return f"{mean:.1%}" if name in SHARES else f"{mean:.3g}"
