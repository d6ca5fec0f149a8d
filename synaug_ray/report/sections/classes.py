"""Errors and gains by class, from ``by_class.csv``; for two classes also the measures used in medicine."""

from __future__ import annotations

import pandas as pd

from synaug_ray.report import tables, text

NEEDED = ("generator", "protocol", "real_share", "num_real", "num_synthetic", "measure", "class", "value", "gain")
MOST = 400  # rows on the page; the file has all rows


def table(found: pd.DataFrame | None) -> tables.Table | None:
    """One row per cell and measure, in percent and points; None without the file."""
    if found is None or found.empty or not {*NEEDED, "low", "high", "gain_low", "gain_high"} <= set(found.columns):
        return None
    rows = []
    for row in found.head(MOST).to_dict("records"):
        value = {"value": row["value"], "low": row["low"], "high": row["high"]}
        gain = {"value": row["gain"], "low": row["gain_low"], "high": row["gain_high"]}
        alone = str(row["num_synthetic"]) == "0"
        rows.append(
            (
                tables.words("real images alone" if alone else _study(row)),
                tables.number(row["num_real"], text.images),
                tables.number(row["num_synthetic"], text.images),
                tables.words(row["measure"]),
                tables.words(row["class"]),
                tables.estimate(value, text.percent),
                tables.words("\u2013") if alone else tables.estimate(gain, text.points),
            )
        )
    columns = ("study", "real images", "synthetic images", "measure", "class", "value (%)", "better by (points)")
    return tables.Table("By class", columns, tuple(rows))


def _study(row: dict) -> str:
    share = text.real_share(str(row["real_share"]))
    mix = str(row["protocol"]) if share == text.NO_SHARE else share
    return f"{row['generator']} \u00b7 {mix}"


def two(found: pd.DataFrame | None) -> bool:
    """Whether there are two classes, and therefore sensitivity, specificity and AUC."""
    return found is not None and "measure" in found.columns and "AUC" in set(found["measure"])
