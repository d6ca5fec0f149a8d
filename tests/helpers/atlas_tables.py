"""The three tables of the atlas's rows that ``README.md`` and ``grids/README.md`` have, as lists of lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from helpers.paths import REPOSITORY

from synaug_ray import compare

ROWS = REPOSITORY / "grids" / "atlas" / "rows"
MULTIPLE = 4.0  # synthetic images per real one, in the tables by size
SIZES = ("smallest size", "second", "third", "largest")


def rows() -> list[str]:
    return sorted(str(path) for path in ROWS.iterdir())


def compared(folder: Path, *options: str) -> pd.DataFrame:
    """The studies of closed-set generators that ``compare`` finds."""
    assert compare.main([*rows(), "--out", str(folder), *options]) == 0
    table = pd.read_csv(folder / "comparison.csv").fillna({"not_estimable": ""})
    return table[table["kind"] == "closed-set"]


def all_columns(folder: Path) -> list[str]:
    """The table that ``compare`` writes, at the largest sizes."""
    compared(folder)
    return (folder / "comparison.md").read_text().splitlines()


def opening(folder: Path) -> list[str]:
    """Of each data set and classifier a line at about 100 real images, and one at the most."""
    found = [compared(folder, "--real-share", "0.5", *size) for size in (["--real", "100"], [])]
    both = pd.concat(found)
    both = both[(both["not_estimable"] == "") | ~both.duplicated(["dataset", "classifier"])]
    both = both.sort_values(["dataset", "pretrained_classifier", "num_real"], kind="stable")
    titles = ("images", "real images", "classifier", "error", "gain", "verdict", "above classical augmentation")
    return [*_head(*titles, "as many real images instead"), *(_opening_line(row) for _, row in both.iterrows())]


def by_size(folder: Path) -> list[str]:
    """Gains at each size of real images, and beside them those of augmentation and of held-out real images."""
    lines = _head("gain in points, four synthetic images per real one", *SIZES)
    table = compared(folder, "--real-share", "0.5")
    for row in table.sort_values(["dataset", "pretrained_classifier"], kind="stable").to_dict("records"):
        studies = json.loads((ROWS / row["run"] / "laws.json").read_text())["studies"]
        shares = {
            (study["generator"], study["real_share"]): _gains(study)
            for study in studies
            if study["classifier"] == row["classifier"]
        }
        ours = [shares[row["generator"], share] for share in ("0.5", "0.75")]
        sizes = sorted(ours[0])
        title = f"{row['dataset']}, {_kind(row)} ({', '.join(map(str, sizes))} real images)"
        if row["not_estimable"]:
            lines.append(_line(f"{title}: not estimable, {row['not_estimable']}", *[""] * len(sizes)))
            continue
        lines.append(_line(title, *(", ".join(gains[size] for gains in ours) for size in sizes)))
        for name, generator in (("classical augmentation", "augment"), ("as many real images instead", "real-holdout")):
            lines.append(_line(name, *(shares[generator, "0.5"].get(size, "–") for size in sizes)))
    return lines


def replaced(text: str, table: Sequence[str]) -> str:
    """``text`` with ``table`` in place of the one that has the same line of titles; ValueError without one."""
    lines = text.splitlines()
    start = end = lines.index(table[0])
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    return "\n".join([*lines[:start], *table, *lines[end:]]) + "\n"


def _gains(study: Mapping) -> dict[int, str]:
    """By number of real images; bold (italic): the interval for all cells at once has no loss (no gain)."""
    found = {}
    for cell in study["cells"]:
        if cell["synthetic_multiple"] == MULTIPLE:
            points, sure = _points(cell["gain"]["value"]), cell["gain_simultaneous"]
            mark = "**" if sure["low"] > 0 else "*" if sure["high"] < 0 else ""
            found[cell["num_real"]] = f"{mark}{points}{mark}"
    return found


def _opening_line(row: pd.Series) -> str:
    def points(name: str) -> str:
        value, low, high = (_points(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
        return value if value == "–" else f"{value} ({low} to {high})"

    return _line(
        f"{row['dataset']} {row['height']:.0f}x{row['width']:.0f}",
        f"{row['num_real']:,.0f}",
        _kind(row),
        f"{100 * row['error_without']:.1f}%",
        points("gain"),
        f"not estimable: {row['not_estimable']}" if row["not_estimable"] else row["verdict"],
        points("over_baseline"),
        _points(row["gain_of_real_images"]),
    )


def _points(share: float) -> str:
    """A share of the test images in percentage points; no minus zero."""
    return "–" if pd.isna(share) else f"{round(100 * share, 1) + 0:+.1f}"


def _kind(row: Mapping | pd.Series) -> str:
    return "frozen features" if row["pretrained_classifier"] else "from scratch"


def _head(*titles: str) -> list[str]:
    return [_line(*titles), "|" + "---|" * len(titles)]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
