"""Errors by class and what medicine asks for, against planted probabilities and scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from helpers.simulate import Grid, nothing, power, simulate
from sklearn.metrics import balanced_accuracy_score, recall_score, roc_auc_score

from synaug_ray.analysis.questions.by_class import auc, by_class


def trials(draws=4, seeds=2, images=300, worth=0.0, seed=0, positives=0.3):
    """Two classes, scores that part them by one standard deviation, and by ``worth`` more with synthetic images."""
    rng = np.random.default_rng(seed)
    label = (rng.random(images) < positives).astype(np.uint16)
    rows, told = [], []
    for s in (0, 40):
        for draw in range(draws):
            for again in range(seeds):
                logit = rng.normal(size=images) + (1 + (worth if s else 0)) * (2.0 * label - 1)
                p = 1 / (1 + np.exp(-logit))
                predicted = (p > 0.5).astype(np.uint16)
                key = f"{s}-{draw}-{again}"
                study = ("edm", "mixed", "0.5") if s else ("none", "real-only", "none")
                rows.append((key, "done", "mlp", *study, 20, s, draw, again))
                told.append((key, label, predicted, np.where(label == 1, p, 1 - p).astype(np.float32)))
    names = [
        "key",
        "status",
        "classifier",
        "generator",
        "protocol",
        "real_share",
        "num_real",
        "num_synthetic",
        "draw",
        "seed",
    ]
    return pd.DataFrame(rows, columns=names), pd.DataFrame(told, columns=["key", "label", "predicted", "probability"])  # fmt: skip


def at(table, measure, num_synthetic=0, name=None):
    found = table[(table["measure"] == measure) & (table["num_synthetic"] == num_synthetic)]
    return (found if name is None else found[found["class"] == name]).iloc[0]


def test_each_measure_is_scikit_learn_s():
    measurements, predictions = trials()
    table = by_class(measurements, predictions, ("healthy", "ill"))
    real = predictions[predictions["key"].str.startswith("0-")]
    label = real["label"].iloc[0]
    score = [np.where(label == 1, p, 1 - p) for p in real["probability"]]
    assert at(table, "AUC").value == pytest.approx(np.mean([roc_auc_score(label, s) for s in score]), abs=1e-6)
    assert at(table, "sensitivity").value == pytest.approx(np.mean([recall_score(label, p) for p in real["predicted"]]))
    specificity = np.mean([recall_score(label, p, pos_label=0) for p in real["predicted"]])
    assert at(table, "specificity").value == pytest.approx(specificity)
    balanced = np.mean([balanced_accuracy_score(label, p) for p in real["predicted"]])
    assert at(table, "balanced error").value == pytest.approx(1 - balanced)
    assert at(table, "error", name="ill").value == pytest.approx(1 - at(table, "sensitivity").value)
    assert at(table, "sensitivity")["class"] == "ill" and at(table, "specificity")["class"] == "healthy"


def test_auc_counts_ties_half():
    rng = np.random.default_rng(1)
    for _ in range(20):
        score, positive = rng.integers(0, 4, 30) / 4, np.arange(30) % 3 == 0
        area, of_p, of_n = auc(score, positive)
        assert area == pytest.approx(roc_auc_score(positive, score)) == pytest.approx(of_n.mean())
        assert len(of_p) == 10 and len(of_n) == 20


def test_gains_have_the_sign_of_the_better_and_are_paired():
    table = by_class(*trials(worth=1.0, draws=6))
    for measure in ("AUC", "sensitivity", "specificity", "balanced error", "error"):
        row = at(table, measure, 40)
        assert row.gain > 0 and row.gain_low < row.gain < row.gain_high
        difference = row.value - at(table, measure).value
        assert row.gain == pytest.approx(-difference if "error" in measure else difference)
    assert at(table, "AUC").isna().gain


def test_intervals_hold_as_often_as_they_say():
    """The planted areas: P(N(1, 1) > N(-1, 1)) = Phi(2 / sqrt 2), and Phi(1) for both recalls."""
    hits = {"AUC": 0, "sensitivity": 0, "specificity": 0}
    truth = {"AUC": 0.92135, "sensitivity": 0.84134, "specificity": 0.84134}
    for seed in range(60):
        table = by_class(*trials(seed=seed, images=150, seeds=1))
        for measure, planted in truth.items():
            row = at(table, measure)
            hits[measure] += row.low <= planted <= row.high
    assert all(count >= 51 for count in hits.values()), hits  # 0.9 of 60 is 54


def test_more_classes_have_errors_and_one_draw_no_interval():
    grid = Grid(power(), {("edm", "0.5"): nothing}, sizes=(20,), draws=1, images=100, classes=5)
    measurements, predictions = simulate(grid)
    table = by_class(measurements, predictions)
    assert set(table["measure"]) == {"error", "balanced error"} and set(table["class"]) == {*"01234", "all"}
    assert table["low"].isna().all()
    assert by_class(measurements.assign(status="missing"), predictions).empty


def test_the_page_shows_them(tmp_path):
    from synaug_ray.report import page

    (tmp_path / "status.json").write_text('{"run": "x", "state": "done", "steps": {}}')
    by_class(*trials(), ("healthy", "<b>ill")).to_csv(tmp_path / "by_class.csv", index=False)
    html = page.build(str(tmp_path))
    assert "By class: sensitivity, specificity and AUC" in html and "&lt;b&gt;ill" in html and "<b>ill" not in html
    (tmp_path / "by_class.csv").write_text("")
    assert "could not be read" in page.build(str(tmp_path))


def test_how_often_a_class_is_shown_stands_beside_its_error_by_the_images_that_the_generator_saw():
    measurements, predictions = trials()
    shown = {("edm", 100): {0: 0.9}, ("edm", 20): {0: 0.1, 1: 0.1}}
    table = by_class(measurements.assign(trained_on=100), predictions, ("healthy", "ill"), shown=shown)
    assert at(table, "error", 40, "healthy")["shown"] == 0.9
    assert len(table) > 1 and table["shown"].notna().sum() == 1
