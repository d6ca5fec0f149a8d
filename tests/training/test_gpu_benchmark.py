"""The benchmark of GPUs runs here in its tiny mode: each row is measured, and none is lost."""

import importlib

import pytest
from helpers.paths import TESTS


@pytest.fixture(scope="module")
def benchmark():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TESTS / "benchmarks")
        patch.setattr("torch.cuda.is_available", lambda: False)
        yield importlib.import_module("gpu")


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"][2:]


def test_every_row_is_measured_beside_something(benchmark, tmp_path):
    out = tmp_path / "table.md"
    assert benchmark.main(["--out", str(out)]) == 0
    text = out.read_text()
    assert text.startswith("CPU, tiny (") and "failed" not in text and "not measured" not in text
    for part in ("EDM training, 8 px", "TFLOP/s", "EDM sampling", "ResNet-18", "packs of 4", "largest batch"):
        assert part in text
    for what, ours, beside, that, ratio in cells(text):
        assert what and beside and float(ratio) > 0
        assert float(ours.replace(",", "")) > 0 and float(that.replace(",", "")) > 0


def test_what_was_measured_stays_where_the_rest_fails_or_is_cut_off(benchmark, tmp_path, monkeypatch):
    out = tmp_path / "table.md"

    def rows(bench, data):
        def fails():
            yield "| one | 1 | two | 2 | 0.50 |"
            raise ValueError("no | such\nkernel")

        def stopped():
            raise KeyboardInterrupt
            yield

        yield from (("first", fails), ("second", lambda: iter(["| two | 1 | x | 1 | 1.00 |"])), ("third", stopped))

    monkeypatch.setattr(benchmark, "rows", rows)
    with pytest.raises(KeyboardInterrupt):
        benchmark.main(["--out", str(out)])
    assert [row[0] for row in cells(out.read_text())] == ["one", "first", "two"]
    assert "failed: ValueError: no" in out.read_text()


def test_after_its_time_no_row_begins(benchmark, tmp_path):
    out = tmp_path / "table.md"
    assert benchmark.main(["--out", str(out), "--minutes", "0"]) == 0
    assert all("not measured: 0 minutes were over" in row[1] for row in cells(out.read_text()))
