"""A comparison as tables for machines: numbers unrounded, one row for each study, one for each mean."""

from __future__ import annotations

import pandas as pd

from synaug_ray.analysis.comparison.comparison_results import Comparison
from synaug_ray.laws.results import Estimate

AVERAGES = ("gain", "log_ratio", "over_baseline", "worth", "log_c2")  # log_c2: means of c2 are made of its logarithm


def study_table(comparison: Comparison) -> pd.DataFrame:
    """Each study: errors and gains are fractions; empty cells are not estimable, for the reason in the same row."""
    return pd.DataFrame(
        [
            {
                "run": row.run,
                "dataset": row.dataset,
                "images": row.unit,
                "height": row.pixels[0] if row.pixels else None,
                "width": row.pixels[1] if row.pixels else None,
                "classes": row.classes,
                "test_images": row.test_images,
                "draws": row.draws,
                "core_hours": row.core_hours,
                "error": row.error_name,
                "kind": str(row.role or ""),
                "generator": row.generator,
                "family": row.family,
                "classifier": row.classifier,
                "pretrained_classifier": row.pretrained,
                "protocol": row.protocol,
                "real_share": row.real_share,
                "num_real": row.num_real,
                "num_synthetic": row.num_synthetic,
                "synthetic_multiple": row.multiple,
                "not_estimable": str(row.why.why) if row.why else "",
                "why": row.why.text if row.why else "",
                **_ends("error_without", row.real_error),
                "verdict": "" if row.why else row.outcome,
                **_ends("gain", row.gain),
                "gain_of_real_images": row.real_gain,
                **_ends("missing", row.missing),
                "baseline": row.baseline,
                **_ends("over_baseline", row.over_baseline),
                **_ends("log_ratio", row.log_ratio),
                **_ends("real_equivalent", row.equivalent),
                **_ends("worth_per_image", row.worth),
                **_ends("exchange_rate", row.rate),
                "exchange_rate_note": row.rate_why,
                **_ends("c2", row.c2),
                **_ends("lambda_per_image", row.lambda_per_image),
                "law_not_estimable": row.law_why.text if row.law_why else "",
                "confidence": row.confidence,
                "shows_its_class": row.fidelity,
                "near_copies": row.copies,
                "advice": row.advice,
                "notes": "; ".join(row.notes),
            }
            for row in comparison.rows
        ]
    )


def mean_table(comparison: Comparison) -> pd.DataFrame:
    """Each group and quantity: the mean, the range of a new data set and how data sets differ, or why there is none."""
    rows = []
    for group in comparison.groups:
        kind, protocol, share, classifier = group.key
        for name in AVERAGES:
            average = getattr(group, name)
            found = average.pooled
            new = Estimate(None) if found is None else found.prediction
            rows.append(
                {
                    "kind": kind,
                    "protocol": protocol,
                    "real_share": share,
                    "classifiers": classifier,
                    "quantity": name,
                    "data_sets": found.studies if found else None,
                    **_ends("mean", found.mean if found else Estimate(None)),
                    "new_low": new.low,
                    "new_high": new.high,
                    **_ends("tau", found.tau if found else Estimate(None)),
                    "i_squared": found.share if found else None,
                    "p_no_difference": found.heterogeneity_p if found else None,
                    "confidence": comparison.confidence,
                    "why_not": average.why,
                }
            )
    return pd.DataFrame(rows)


def _ends(name: str, e: Estimate) -> dict[str, float | None]:
    return {name: e.value, f"{name}_low": e.low, f"{name}_high": e.high}
