"""Synthetic scaling on the page and as a table."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from helpers.planted_scaling import planted_cells, power

from synaug_ray.analysis.questions.scaling import synthetic_scaling
from synaug_ray.analysis.questions.scaling_table import scaling_table
from synaug_ray.laws.simultaneous import single_look
from synaug_ray.report.sections import scaling as section

REAL = power(0.02, 0.16, 0.6)
CHECKS = pd.DataFrame(
    [("strong", 80, 0.99, 0.3, 0.2), ("weak", 80, 0.9, 0.8, 0.7)],
    columns=["generator", "num_real", "label_agreement", "coverage", "recall"],
)


@pytest.fixture(scope="module")
def found():
    curves = {"strong": power(0.12, 0.25, 0.7), "weak": power(0.2, 0.25, 0.7), "flat <b>": lambda s: 0.3}
    cells, rng = planted_cells(REAL, curves), np.random.default_rng(0)
    looks = single_look(6)
    return synthetic_scaling(cells, {"mlp": 0.01}, CHECKS, confidence=0.9, replicates=200, rng=rng, looks=looks)


@pytest.fixture(scope="module")
def laws(found):
    real = [{"num_real": n, "error": {"value": REAL(n), "low": None, "high": None}} for n in (20, 80, 640)]
    plain = json.loads(json.dumps([dataclasses.asdict(f) for f in found], allow_nan=False))
    return {"scaling": plain, "real": [{"classifier": "mlp", "points": real}], "error": "test_error"}


def test_the_section_has_a_sentence_and_a_row_for_each_generator_and_a_trade_off_of_those_checked(laws, found):
    shown = section.of(laws, None)
    assert [s.split(" at ")[0] for s in shown.sentences] == ["strong", "weak", "flat <b>"]
    (panel,), (trade_off,) = shown.panels, shown.trade_off
    ever = panel.table.columns.index("would more of the same do?")
    assert [row[ever].text for row in panel.table.rows] == ["no", "no", "not known"]
    assert "not shown to fall" in panel.table.rows[2][-1].text
    drawn = json.loads(panel.figure.to_json())["data"]
    assert [d["name"] for d in drawn if d.get("name")] == ["real images alone", "strong", "weak", "flat &lt;b&gt;"]
    assert len(drawn) == 4 + 2  # fitted lines of the two that have one
    assert [row[0].text for row in trade_off.table.rows] == ["strong", "weak"]
    assert trade_off.table.rows[0][3].value == 0.99 and trade_off.table.rows[1][5].value == 0.8
    assert section.of({"real": []}, None) is None and section.of(None, None) is None


def test_the_table_has_a_row_for_each_amount(found):
    table = scaling_table(found)
    assert len(table) == 3 * 6 and set(table["ever"]) == {"no", "not known"}
    strong = table[table["generator"] == "strong"]
    assert strong["num_synthetic"].tolist() == [80, 160, 320, 640, 1280, 2560] and strong["floor"].nunique() == 1
    assert strong["coverage"].tolist() == [0.3] * 6 and table["coverage"].isna().sum() == 6


def test_classes_are_shown_at_the_largest_amount_where_their_labels_were_judged():
    columns = [
        "protocol",
        "generator",
        "num_real",
        "num_synthetic",
        "measure",
        "class",
        "value",
        "low",
        "high",
        "shown",
    ]
    rows = [
        ("synthetic-only", "edm", "80", "160", "error", "cat", 0.2, 0.1, 0.3, 0.9),
        ("synthetic-only", "edm", "80", "80", "error", "cat", 0.4, 0.1, 0.3, 0.9),
        ("synthetic-only", "edm", "80", "160", "error", "dog", 0.4, 0.1, 0.3, np.nan),
        ("mixed", "edm", "80", "160", "error", "cat", 0.4, 0.1, 0.3, 0.9),
    ]
    told = section.classes(pd.DataFrame(rows, columns=columns))
    assert [(row[2].text, row[4].value) for row in told.rows] == [("cat", 0.2)]
