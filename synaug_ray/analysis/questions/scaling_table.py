"""Synthetic scaling as a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pandas as pd

from synaug_ray.analysis.questions.scaling_results import SyntheticScaling

ESTIMATES = ("floor", "real_floor", "above_real", "exponent", "doubling", "near_floor")


def scaling_table(found: Sequence[SyntheticScaling]) -> pd.DataFrame:
    """One row per measured amount, in fractions and images; what holds for a whole curve is repeated in its rows."""
    rows = []
    for one in found:
        whole = {name: getattr(one, name) for name in ("classifier", "generator", "num_real")}
        curve = {"form": one.form, "ever": str(one.ever), "why_not": one.why_not, "misfit": one.misfit}
        for name in ESTIMATES:
            estimate = getattr(one, name)
            curve |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        curve |= {} if one.quality is None else dataclasses.asdict(one.quality)
        curve["checked_draws"] = curve.pop("draws", 0)
        for point in one.points:
            error = {"error": point.error.value, "error_low": point.error.low, "error_high": point.error.high}
            rows.append(whole | {"num_synthetic": int(point.num_synthetic)} | error | curve)
    return pd.DataFrame(rows)
