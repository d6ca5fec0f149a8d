"""How well are real learning curves extrapolated? LCDB's curves, against single forms and the slope of the last step.

    pip download --no-deps --no-binary :all: lcdb==0.1.0 && tar xzf lcdb-0.1.0.tar.gz
    python tests/benchmarks/laws/lcdb.py lcdb-0.1.0/lcdb/database-accuracy.csv

LCDB (Mohr et al. 2022, MIT licence) holds learners of scikit-learn on OpenML's data sets; its package contains the
curves, nothing is downloaded at run time. Taken are curves measured at 16, 32, 64 ... images up to 4,096 or more. The
laws see ``SEEN`` sizes, each twice the one before, and predict the three after them, and the geometric middles of
those they have seen. The prior of the discrepancy was set on the data sets with an odd identifier; only even ones are
in the table. It goes to lcdb.md beside this file.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from synaug_ray.laws.bootstrap import interval  # noqa: E402
from synaug_ray.laws.curve_average import averaged_curve  # noqa: E402
from synaug_ray.laws.curves import CURVES_BY_NAME  # noqa: E402
from synaug_ray.laws.fitting import outward, refit  # noqa: E402
from synaug_ray.laws.joint import JointData, curve_model, whitened  # noqa: E402
from synaug_ray.laws.selection import akaike_weights, choose, fit_curves  # noqa: E402

SEEN, AHEAD, LEAST = 6, 3, 4096
REPLICATES, CONFIDENCE = 200, 0.9
FORMS = {"M1 (power law)": "power law", "M2 (with a floor)": "power law with floor", "M4": "M4"}


def curves(csv: Path, most: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, int, float]]:
    """Sizes, errors, standard errors, test images and chance level of ``most`` random curves."""
    table = pd.read_csv(csv, usecols=["openmlid", "learner", "size_train", "size_test", "outer_seed", "score_test"])
    table = table[(table["openmlid"] % 2 == 0) & table["size_train"].isin([16 * 2**i for i in range(18)])]
    classes = pd.read_csv(csv.parent / "datasets.csv", usecols=["openmlid", "NumberOfClasses"])
    number = dict(zip(classes["openmlid"], classes["NumberOfClasses"].fillna(2), strict=True))
    # inner splits share their test images: outer splits are the draws
    draws = table.groupby(["openmlid", "learner", "size_train", "outer_seed"]).agg(
        score=("score_test", "mean"), test=("size_test", "first")
    )
    means = draws.groupby(level=[0, 1, 2]).agg(
        error=("score", lambda s: 1 - s.mean()), sd=("score", "std"), n=("score", "size"), test=("test", "first")
    )
    found = []
    for (dataset, _), own in means[means["n"] >= 4].groupby(level=[0, 1]):
        sizes = own.index.get_level_values(2).to_numpy(dtype=float)
        test = int(own["test"].iloc[0])
        whole = len(sizes) == round(np.log2(sizes[-1] / 16)) + 1 and sizes[-1] >= LEAST
        errors, noise = own["error"].to_numpy(), (own["sd"] / np.sqrt(own["n"])).to_numpy()
        if whole and (errors[-SEEN - AHEAD :] > 2 / test).all():
            found.append((sizes, errors, np.maximum(noise, 0.1 / test), test, 1 - 1 / max(number.get(dataset, 2), 2)))
    np.random.default_rng(0).shuffle(found)  # type: ignore[arg-type]
    return found[:most]


def log_errors(name: str, theta: np.ndarray, data: JointData, sizes: np.ndarray) -> np.ndarray:
    form = CURVES_BY_NAME[name]
    return form.log_error(outward(theta, form.parameters), sizes / data.n0, data.chance)


def one(
    sizes: np.ndarray, errors: np.ndarray, noise: np.ndarray, test: int, chance: float
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Log errors of predictions minus the truth, by method, and whether intervals hold it with their widths."""
    seen, then = slice(-SEEN - AHEAD, -AHEAD), slice(-AHEAD, None)
    none, truth = np.zeros(0), np.log(errors[then])
    data = JointData(
        sizes=sizes[seen],
        real=errors[seen],
        real_error=noise[seen],
        base=none.astype(int),
        s=none,
        gains=none,
        gain_error=none,
        chance=chance,
        n0=float(np.exp(np.log(sizes[seen]).mean())),
        least_error=0.5 / test,
    )
    candidates = fit_curves(data)
    weights, best = akaike_weights(candidates), choose(candidates)
    rng = np.random.default_rng(0)
    replicates = np.maximum(data.real + noise[seen] * rng.standard_normal((REPLICATES, SEEN)), data.least_error)
    point, drawn = averaged_curve(data, candidates, replicates, sizes[then])
    assert drawn is not None
    each = {name: log_errors(name, c.fit.theta[None], data, sizes[then])[0] for name, c in candidates.items()}
    last = np.log(errors[-AHEAD - 1]) - np.log(errors[-AHEAD - 2])
    said = {
        "ours": np.log(point),
        "QAIC's choice": each[best.name],
        "QAIC's average": np.sum([weight * each[name] for name, weight in weights.items()], axis=0),
        "equal weights": np.mean(list(each.values()), axis=0),
        **{label: each[name] for label, name in FORMS.items()},
        "last slope": np.log(errors[-AHEAD - 1]) + last * np.arange(1, AHEAD + 1),
        "last value": np.repeat(np.log(errors[-AHEAD - 1]), AHEAD),
    }
    form = CURVES_BY_NAME[best.name]
    model, wanted, sigma = whitened(curve_model(form, data), np.log(replicates), data.whitener())
    before = np.exp(log_errors(best.name, refit(model, best.fit, wanted, sigma, form.parameters)[0], data, sizes[then]))
    spread = rng.standard_normal((REPLICATES, AHEAD)) * noise[then]  # the truth is a mean of a few splits too
    held = {}
    for label, samples in (("ours", drawn), ("chosen law alone", before)):
        ends = [interval(column, CONFIDENCE) for column in (samples + spread).T]
        held[label] = np.array(
            [
                ((low or 0) <= e <= (high or 1), np.log((high or 1) / max(low or 1e-9, 1e-9)))
                for e, (low, high) in zip(errors[then], ends, strict=True)
            ]
        )
    return {name: value - truth for name, value in said.items()}, held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path, help="database-accuracy.csv of the package lcdb 0.1.0")
    parser.add_argument("--curves", type=int, default=400)
    args = parser.parse_args()
    started = time.process_time()
    rows = [one(*curve) for curve in curves(args.csv, args.curves)]
    ahead = [f"{2**i}x" for i in range(1, AHEAD + 1)]
    lines = [
        "# Extrapolation of real learning curves",
        "",
        f"Made by `python tests/benchmarks/laws/lcdb.py database-accuracy.csv --curves {args.curves}`: {len(rows)} curves of "
        f"LCDB, {SEEN} sizes seen, {', '.join(ahead)} the last of them predicted.",
        "",
        "Root mean square of log(predicted / measured error), without the worst 5% of curves; in brackets the median.",
        "",
        "| method | " + " | ".join(ahead) + " |",
        "|---|" + "---|" * AHEAD,
    ]
    for name in rows[0][0]:
        misses = np.stack([row[0][name] for row in rows])
        kept = np.sort(misses**2, axis=0)[: int(0.95 * len(misses))]
        cells = zip(np.sqrt(kept.mean(axis=0)), np.median(np.abs(misses), axis=0), strict=True)
        lines.append(f"| {name} | " + " | ".join(f"{rms:.3f} ({middle:.3f})" for rms, middle in cells) + " |")
    lines += [
        "",
        f"Share of {100 * CONFIDENCE:g}% intervals that hold the measured error, and the median of log(upper / lower end):",
        "",
        "| interval | " + " | ".join(ahead) + " |",
        "|---|" + "---|" * AHEAD,
    ]
    for name in rows[0][1]:
        held = np.stack([row[1][name] for row in rows])
        cells = zip(held[:, :, 0].mean(axis=0), np.median(held[:, :, 1], axis=0), strict=True)
        lines.append(f"| {name} | " + " | ".join(f"{100 * share:.0f}% ({width:.2f})" for share, width in cells) + " |")
    lines += ["", f"{(time.process_time() - started) / 60:.1f} core-minutes.", ""]
    (HERE / "lcdb.md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
