"""Generators side by side: what a run's looks, trials and records say of each arm, as a table in Markdown.

    python -m synaug_ray.grid digits-generators
    python tests/benchmarks/generators.py <storage>/digits-generators

Means over draws. Shares and errors are in %, gains in points with the interval of the run's confidence; training is in
core-seconds a generator, sampling in core-seconds per 1,000 images (device-seconds on a GPU).
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

LOOKED = ("label_agreement", "label_reference", "near_copies", "base_rate", "coverage", "domain_accuracy")
HEADER = (
    "arm",
    "n",
    "shows its class (real do)",
    "near-copies (real are)",
    "coverage",
    "told from real",
    "words",
    "synthetic-only error (real-only)",
    "gain at most synthetic",
    "training",
    "sampling",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run's folder")
    folder = parser.parse_args().run
    trials = pd.read_parquet(folder / "measurements.parquet")
    looks = pd.read_parquet(folder / "quality.parquet")
    laws = json.loads((folder / "laws.json").read_text())
    done = trials[trials["status"] == "done"]
    error = "balanced_error" if laws["error"] == "balanced_error" else "test_error"
    costs = {
        (study["generator"], cost["num_real"]): cost for study in laws["studies"] for cost in study["generation"] or ()
    }
    print(f"| {' | '.join(HEADER)} |\n|{len(HEADER) * '---|'}")
    arms = [a for a in dict.fromkeys(trials["generator"]) if a != "none"]
    for arm in arms:
        for n in sorted(set(trials.loc[trials["generator"] == arm, "num_real"])):
            print(
                "| "
                + " | ".join(
                    (
                        arm,
                        f"{n:,}",
                        *_looked(looks, arm, n),
                        _alone(done, arm, n, error),
                        _gain(laws, arm, n),
                        *_cost(costs.get((arm, n))),
                    )
                )
                + " |"
            )
    missing = Counter(trials["status"])
    print(
        f"\n{laws['draws']} draws, {laws['seeds']} seeds, {laws['test_images']:,} test images, error judged: "
        f"{laws['error']}; trials: {dict(missing)}"
    )


def _looked(looks: pd.DataFrame, arm: str, n: int) -> tuple[str, str, str, str, str]:
    rows = looks[(looks["generator"] == arm) & (looks["num_real"] == n)]
    if rows.empty:
        return ("", "", "", "", "")
    mean: dict[str, float] = {name: float(rows[name].astype(float).mean()) for name in LOOKED}
    words = Counter(word for said in rows["words"] for word in said.split(", "))
    of = {word: "" if count == len(rows) else f" {count}/{len(rows)}" for word, count in words.most_common()}
    told = ", ".join(word + count for word, count in of.items())
    return (
        f"{mean['label_agreement']:.1%} ({mean['label_reference']:.1%})",
        f"{mean['near_copies']:.1%} ({mean['base_rate']:.1%})",
        f"{mean['coverage']:.2f}",
        f"{mean['domain_accuracy']:.0%}",
        told,
    )


def _alone(done: pd.DataFrame, arm: str, n: int, error: str) -> str:
    """Error of classifiers that saw no real image, at the largest amount, beside real-only at the same n."""
    own = done[(done["generator"] == arm) & (done["num_real"] == n) & (done["protocol"] == "synthetic-only")]
    real = done[(done["generator"] == "none") & (done["num_real"] == n)]
    if own.empty or real.empty:
        return ""
    most = own[own["num_synthetic"] == own["num_synthetic"].max()]
    return f"{most[error].mean():.1%} ({real[error].mean():.1%})"


def _gain(laws: dict[str, Any], arm: str, n: int) -> str:
    """At the largest amount, one for each real share."""
    found = []
    for study in laws["studies"]:
        if study["generator"] != arm or study["protocol"] != "mixed":
            continue
        cells = [cell for cell in study["cells"] if cell["num_real"] == n]
        if cells:
            cell = max(cells, key=lambda c: c["num_synthetic"])
            g = {k: v if v is None else 100 * v for k, v in cell["gain"].items()}
            interval = "" if g["low"] is None else f" ({g['low']:+.1f} to {g['high']:+.1f})"
            share = "" if study["real_share"] == "proportional" else f" at {float(study['real_share']):.0%} real"
            found.append(f"{g['value']:+.1f}{interval}{share}")
    return "; ".join(found)


def _cost(cost: dict[str, Any] | None) -> tuple[str, str]:
    if cost is None:
        return "", ""
    trained, sampled = list(cost.values())[1:3]
    return ("" if trained is None else f"{trained:.1f}"), f"{1000 * sampled:.2f}"


if __name__ == "__main__":
    main()
