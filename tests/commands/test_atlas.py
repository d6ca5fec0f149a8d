"""The atlas in ``grids/README.md`` is what ``compare`` makes of the rows that are kept in ``grids/atlas/rows``."""

from helpers.paths import REPOSITORY

from synaug_ray import compare

ROWS = REPOSITORY / "grids" / "atlas" / "rows"


def test_anyone_makes_its_table_again_without_running_anything(tmp_path):
    rows = sorted(str(path) for path in ROWS.iterdir())
    assert rows and compare.main([*rows, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "comparison.md").read_text() in (REPOSITORY / "grids" / "README.md").read_text()


def test_a_row_is_small_and_names_no_machine():
    for row in ROWS.iterdir():
        files = {path.name: path.read_bytes() for path in row.iterdir()}
        assert sum(map(len, files.values())) < 300_000
        assert not any(word in data for data in files.values() for word in (b"/home/", b"/root/", b"/tmp/", b"/work/"))
