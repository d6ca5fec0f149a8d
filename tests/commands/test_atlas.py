"""The tables of the atlas in both READMEs are what ``compare`` makes of the rows in ``grids/atlas/rows``."""

import pytest
from helpers.atlas_tables import ROWS, all_columns, by_size, opening, replaced
from helpers.paths import REPOSITORY

GRIDS = REPOSITORY / "grids" / "README.md"


@pytest.mark.parametrize(
    ("make", "file"),
    [(opening, REPOSITORY / "README.md"), (all_columns, GRIDS), (by_size, GRIDS)],
    ids=["opening", "all-columns", "by-size"],
)
def test_anyone_makes_its_tables_again_without_running_anything(make, file, tmp_path, pytestconfig):
    table = make(tmp_path)
    assert len(table) > 2
    text = file.read_text()
    if pytestconfig.getoption("--update-tables"):
        file.write_text(replaced(text, table))
    else:
        assert "\n".join(table) in text, "of new rows: run with --update-tables"


def test_a_row_is_small_and_names_no_machine():
    for row in ROWS.iterdir():
        files = {path.name: path.read_bytes() for path in row.iterdir()}
        assert sum(map(len, files.values())) < 300_000
        assert not any(word in data for data in files.values() for word in (b"/home/", b"/root/", b"/tmp/", b"/work/"))
