"""The length of the generators' training on the page: sentences, one line a size, every number in the table."""

import dataclasses
import json

import pytest

from synaug_ray.analysis.questions.generator_results import BudgetCell, BudgetCurve, Training
from synaug_ray.laws.results import Estimate
from synaug_ray.report import page
from synaug_ray.report.panels import budget_panels
from synaug_ray.report.text import StudyNames

LENGTHS = (4_000, 16_000, 64_000)


def estimate(value, half):
    return Estimate(value, value - half, value + half)


def curve(num_real, share="0.5"):
    cells = tuple(
        BudgetCell(
            num_synthetic=int(s * num_real),
            synthetic_multiple=s,
            gains=tuple(estimate(0.01 * s * (i + 1), 0.005) for i in range(3)),
            doubling=estimate(0.005 * s, 0.001),
            changes=tuple(estimate(0.01 * s, 0.002) for _ in range(3)),
            changes_simultaneous=tuple(estimate(0.01 * s, 0.004) for _ in range(3)),
        )
        for s in (1.0, 4.0)
    )
    return BudgetCurve(
        classifier="mlp",
        protocol="mixed",
        real_share=share,
        num_real=num_real,
        generators=("edm-x0.25", "edm", "edm-x4"),
        lengths=LENGTHS,
        cells=cells,
        words=(Training.RISING, Training.RISING, Training.UNKNOWN),
        sentence=f"At {num_real} real images <edm-x4> is not known to be settled.",
        near_copies=(None, 0.02, 0.1),
        next_seconds=3_600.0,
    )


@pytest.fixture
def laws(analysis):
    whole = dataclasses.replace(analysis, budgets=(curve(50), curve(100), curve(50, "proportional")))
    return json.loads(json.dumps(whole.laws_json()))


def test_a_figure_a_study_with_a_line_a_size_at_the_largest_amount(laws):
    panels = budget_panels(laws, StudyNames.of(laws["studies"]))
    assert [p.title.replace("\u202f", "") for p in panels] == [
        "edm-x4 · 50% of a batch real",
        "edm-x4 · mixed in proportion",
    ]
    lines = panels[0].figure.data
    assert [line.name for line in lines] == ["50", "100"]
    assert list(lines[0].y) == pytest.approx([4, 8, 12])
    assert [round(x / length, 1) for x, length in zip(lines[0].x, LENGTHS, strict=True)] == [1, 1, 1]
    rows = panels[0].table.rows
    assert len(rows) == 2 * 2 * 3
    name, n, multiple, seen, gain, change, word, copies = rows[5]
    assert (name.text, n.value, multiple.value, seen.value) == ("edm-x4", 50, 4, 64_000)
    assert (gain.value, change.value, change.low, word.text, copies.text) == (
        pytest.approx(0.12),
        pytest.approx(0.04),
        pytest.approx(0.038),
        "not known",
        "10\u202f%",
    )


def test_the_page_has_the_section_where_there_are_lengths_alone(run_folder, laws):
    before = page.build(str(run_folder))
    assert "Would longer training of the generator" not in before
    (run_folder / "laws.json").write_text(json.dumps(laws))
    text = page.build(str(run_folder))
    assert "Would longer training of the generator change the answer?" in text
    assert "At 100 real images &lt;edm-x4&gt; is not known to be settled." in text
    assert text.count('id="figure-budgets-') == 2


def test_a_run_of_an_older_version_has_none(laws):
    del laws["budgets"]
    assert budget_panels(laws, StudyNames.of(laws["studies"])) == []
