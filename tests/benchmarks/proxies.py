"""Would cheaper trials, or what is known of the test images, make gains more precise for the same core-seconds?

    python tests/benchmarks/proxies.py RUN ...

A two-stage estimate: a few draws have the generator and its trials, and more draws have a proxy alone, which costs
less and is correlated with the gain. What the proxy says of the further draws corrects the mean of the few, without
bias. With r2 the squared correlation over draws, k times as many draws of the proxy and w its cost relative to a whole
draw, the variance is (1 - r2 + r2 / k) times what it was and the cost 1 + (k - 1) w times; "saves" is the best product
of the two over k, of which 1.00 is nothing. Proxies: the error with real images alone (part of every gain, and without
a generator), and the gain of another classifier (which needs the generator). For test images: the share of the
variance over images that their difficulty explains, which is how often they are told wrong by classifiers of the
largest number of real images; with the difficulty of many unlabelled images, this share could be saved.

Squared correlations are corrected for the number of draws (adjusted R2) and averaged over sizes. The slope is taken
as known: to estimate it costs a part of what is saved. Figures: `proxies.md`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from synaug_ray.runs.size_costs import size_costs

MOST_DRAWS = 64  # of a proxy, relative to whole draws


def main() -> None:
    """Print a row for each generator and classifier of each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    columns = ["images, generator, classifier", "cells", "draws x seeds", "real images alone: r2", "cost", "saves"]
    columns += ["another classifier: r2", "cost", "saves", "difficulty of test images: r2"]
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for run in parser.parse_args().runs:
        table, predictions = (pd.read_parquet(run / f"{name}.parquet") for name in ("measurements", "predictions"))
        done = table[table["status"] == "done"]
        wrong = predictions.set_index("key")
        misses = {key: np.asarray(row["label"]) != np.asarray(row["predicted"]) for key, row in wrong.iterrows()}
        for (generator, classifier), cells in done[done["num_synthetic"] > 0].groupby(["generator", "classifier"]):
            told = row(done, str(generator), str(classifier), cells, misses)
            if told:
                print(f"| {run.name}, `{generator}`, `{classifier}` | {told} |", flush=True)


def row(
    done: pd.DataFrame, generator: str, classifier: str, cells: pd.DataFrame, misses: dict[str, np.ndarray]
) -> str | None:
    """The cells of a table's row, of the largest amount at each size; None with fewer than four draws."""
    alone = done[(done["num_synthetic"] == 0) & (done["classifier"] == classifier)]
    most = cells[cells["num_synthetic"] == cells.groupby("num_real")["num_synthetic"].transform("max")]
    largest = alone[alone["num_real"] == alone["num_real"].max()]
    difficulty = np.mean([misses[key] for key in largest["key"]], axis=0)
    of_real, of_other, of_images = ([] for _ in range(3))
    costs = size_costs(pd.concat([alone, most]), 1.0)  # ratios alone matter
    for (n, share), cell in most.groupby(["num_real", "real_share"]):
        without = alone[alone["num_real"] == n]
        gain = without.groupby("draw")["test_error"].mean() - cell.groupby("draw")["test_error"].mean()
        gain = gain.dropna()
        if len(gain) < 4 or gain.std() == 0:
            continue
        cost = costs[int(str(n))]
        whole = cost.real + cost.mixed + cost.pools
        of_real.append((explained(gain, without.groupby("draw")["test_error"].mean()), cost.real / whole))
        for _, its in done[(done["num_real"] == n) & (done["classifier"] != classifier)].groupby("classifier"):
            both = its[(its["generator"] == generator) & (its["real_share"] == share)]
            both = both[both["num_synthetic"] == cell["num_synthetic"].iloc[0]].groupby("draw")["test_error"].mean()
            theirs = its[its["num_synthetic"] == 0].groupby("draw")["test_error"].mean() - both
            if len(theirs.dropna()) >= 4:
                of_other.append((explained(gain, theirs), cost.pools / whole))
        saved = np.mean([misses[k] for k in without["key"]], axis=0) - np.mean([misses[k] for k in cell["key"]], axis=0)
        of_images.append(float(np.corrcoef(saved, difficulty)[0, 1] ** 2))
    if not of_real:
        return None
    sizes = f"{len(of_real)} | {most['draw'].nunique()} x {most['seed'].nunique()}"
    return f"{sizes} | {proxy(of_real)} | {proxy(of_other)} | {np.mean(of_images):.2f}"


def explained(gain: pd.Series, by: pd.Series) -> float:
    """Adjusted R2 over draws; below 0 where it is less than chance would give."""
    by = by.reindex(gain.index)
    draws = len(gain)
    return 1 - (1 - float(np.corrcoef(gain, by)[0, 1] ** 2)) * (draws - 1) / (draws - 2)


def proxy(found: list[tuple[float, float]]) -> str:
    """Mean R2, mean relative cost, and the best product of variance and cost."""
    if not found:
        return "– | – | –"
    r2, cost = (float(np.mean(part)) for part in zip(*found, strict=True))
    r2, k = max(r2, 0.0), np.arange(1, MOST_DRAWS + 1)
    products = (1 - r2 + r2 / k) * (1 + (k - 1) * cost)
    return f"{r2:.2f} | {cost:.2f} | {1 / products.min():.2f} (k = {k[products.argmin()]})"


if __name__ == "__main__":
    main()
