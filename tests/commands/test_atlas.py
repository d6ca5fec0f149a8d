"""The atlas in ``grids/README.md`` is what ``compare`` makes of the rows that are kept in ``grids/atlas/rows``."""

import pandas as pd
from helpers.paths import REPOSITORY

from synaug_ray import compare

ROWS = REPOSITORY / "grids" / "atlas" / "rows"


def test_anyone_makes_its_table_again_without_running_anything(tmp_path):
    rows = sorted(str(path) for path in ROWS.iterdir())
    assert rows and compare.main([*rows, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "comparison.md").read_text() in (REPOSITORY / "grids" / "README.md").read_text()


def opening_line(row):
    """A line of the README's opening table, of a row of ``comparison.csv``."""

    def points(name):
        if pd.isna(row[name]):
            return "–"
        value, low, high = (100 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
        return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"

    classifier = "frozen features" if row["pretrained_classifier"] else "from scratch"
    real = "–" if pd.isna(row["gain_of_real_images"]) else f"{100 * row['gain_of_real_images']:+.1f}"
    cells = (
        f"{row['dataset']} {row['height']:.0f}x{row['width']:.0f}",
        f"{row['num_real']:,.0f}",
        classifier,
        f"{100 * row['error_without']:.1f}%",
        points("gain"),
        f"not estimable: {row['not_estimable']}" if row["not_estimable"] else row["verdict"],
        points("over_baseline"),
        real,
    )
    return f"| {' | '.join(cells)} |"


def opening_lines(folder):
    """Of each data set and classifier a line at about 100 real images, and one at the most."""
    rows = sorted(str(path) for path in ROWS.iterdir())
    found = []
    for size in (["--real", "100"], []):
        assert compare.main([*rows, "--real-share", "0.5", "--out", str(folder), *size]) == 0
        table = pd.read_csv(folder / "comparison.csv")
        found.append(table[table["kind"] == "closed-set"])
    both = pd.concat(found).fillna({"not_estimable": ""})
    both = both[(both["not_estimable"] == "") | ~both.duplicated(["dataset", "classifier"])]
    both = both.sort_values(["dataset", "pretrained_classifier", "num_real"], kind="stable")
    return [opening_line(row) for _, row in both.iterrows()]


def test_the_readmes_opening_table_is_made_of_the_rows(tmp_path):
    lines = opening_lines(tmp_path)
    assert lines and "\n".join(lines) in (REPOSITORY / "README.md").read_text()


def test_a_row_is_small_and_names_no_machine():
    for row in ROWS.iterdir():
        files = {path.name: path.read_bytes() for path in row.iterdir()}
        assert sum(map(len, files.values())) < 300_000
        assert not any(word in data for data in files.values() for word in (b"/home/", b"/root/", b"/tmp/", b"/work/"))
