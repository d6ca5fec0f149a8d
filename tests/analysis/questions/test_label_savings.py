"""Labels saved, on planted curves: held-out real images save their number, shuffled labels save none."""

import json
from functools import lru_cache

import numpy as np
import pytest
from helpers.simulate import Grid, power, simulate

from synaug_ray.analysis.analyse import analyse
from synaug_ray.analysis.cells.paired_cells import pair_cells
from synaug_ray.analysis.questions.label_results import LabelSaving
from synaug_ray.analysis.questions.label_text import label_lines, saving_at, saving_sentence
from synaug_ray.laws.results import Estimate
from synaug_ray.report.sections import labels
from synaug_ray.report.text import StudyNames

# what a synthetic image is worth in real ones: r = worth * s at every n
WORTH = {"real-holdout": 1.0, "label-shuffle": -0.45, "edm-open": 0.5, "edm": 0.1}
SEEN = 800  # by edm-open
# Cells (80, 160) as if without real images: of how many real ones each has the error
AT_ZERO = {"real-holdout": 240, "label-shuffle": 8, "edm-open": 160}


def tables(seed=0, draws=6, protocol="pretrain", sizes=(20, 320)):
    """Cells (n, 2 n) of all generators, and (0, s). Real images alone at two sizes: no law to fit, and a power law's
    curve is straight between them."""
    planted = {(name, "none"): (lambda n, s, w=w: w * s) for name, w in WORTH.items()}
    trials, predictions = simulate(
        Grid(power(), planted, sizes=(20, 80, 320), multiples=(2,), draws=draws, images=400), seed
    )
    trials.loc[trials["num_synthetic"] > 0, "protocol"] = protocol
    for name, alike in AT_ZERO.items():
        moved = (trials["generator"] == name) & (trials["num_real"] == 80)
        trials.loc[moved, ["num_real", "num_synthetic"]] = 0, max(alike, 160)
        trials.loc[moved, "protocol"] = "synthetic-only"
    trials = trials[trials["num_real"].isin([0, *sizes])]
    learnt = trials["generator"].str.startswith("edm")
    seen = np.where(trials["generator"] == "edm-open", SEEN, trials["num_real"])
    return (
        trials.assign(
            family=np.where(learnt, "edm", trials["generator"]),
            filter="none",
            recipe_key=np.where(learnt, "edm", ""),
            generator_nimg=np.where(learnt, 16_000, 0),
            trained_on=seen.astype(int),
        ),
        predictions,
    )


@lru_cache
def analysed(seed=0):
    return analyse(*tables(seed), replicates=100)


def found(seed=0):
    return {(s.generator, s.num_real): s for s in analysed(seed).label_savings}


def test_held_out_real_images_save_their_number_and_shuffled_labels_none():
    held = []
    for seed in range(3):
        by = found(seed)
        for saving, needed in ((by["real-holdout", 20], 60), (by["real-holdout", 0], 240), (by["edm-open", 0], 160)):
            low, high = saving.needed.low or 0, saving.needed.high or np.inf
            held.append(low <= needed <= high)
            assert saving.needed.value is not None and saving.saved.value == saving.needed.value - saving.num_real
        assert by["label-shuffle", 0].needed.value is None and by["label-shuffle", 0].saved.high <= 20
        worse = by["label-shuffle", 320].saved
        assert worse.high is not None and worse.high < 0  # with its interval: it saves none
    assert sum(held) >= 7  # 90% intervals of 9


def test_it_is_what_the_images_are_worth_and_the_number_beside_them():
    analysis = analysed()
    cells = {(s.generator, c.num_real): c for s in analysis.studies for c in s.cells}
    for (generator, n), saving in found().items():
        if not n:
            continue
        m = cells[generator, n].equivalent
        assert (saving.saved.value, saving.saved.low, saving.saved.high) == (
            pytest.approx(m.value) if m.value is not None else None,
            pytest.approx(m.low) if m.low is not None else None,
            pytest.approx(m.high) if m.high is not None else None,
        )
        assert saving.error == cells[generator, n].error


@pytest.mark.parametrize(
    ("generator", "num_real", "labels"),
    [
        ("edm", 20, 20),  # it saw the same images as the classifier
        ("edm-open", 20, SEEN),
        ("edm-open", 0, SEEN),
        ("real-holdout", 20, 60),  # each of its images has a label
        ("real-holdout", 0, 240),
        ("label-shuffle", 20, 20),  # whose own labels nobody uses
        ("label-shuffle", 0, 0),
    ],
)
def test_labels_of_the_generator_count(generator, num_real, labels):
    saving = found()[generator, num_real]
    assert saving.labels == labels
    if saving.needed.value is not None:
        assert saving.saved_in_all.value == pytest.approx(saving.needed.value - labels)


def test_cells_without_real_images_are_in_no_law_and_no_verdict():
    trials, predictions = tables()
    cells = pair_cells(trials, predictions)
    assert {c.study.generator for c in cells.alone} == set(AT_ZERO) and all(
        np.isnan(c.gains).all() for c in cells.alone
    )
    assert not any("no real-only trial" in said for said in cells.warnings)
    with_zero = analysed()
    bare = analyse(trials[trials["num_real"] > 0], predictions, replicates=100)
    assert with_zero.verdicts == bare.verdicts and with_zero.studies == bare.studies
    assert {s.num_real for s in bare.label_savings} == {20, 320}  # of pretrain, whatever else there is


def test_mixed_cells_are_asked_about_where_0_is_measured():
    told = analyse(*tables(protocol="mixed"), replicates=20).label_savings
    assert {s.generator for s in told} == set(AT_ZERO) and {s.protocol for s in told} == {"mixed", "synthetic-only"}


def test_nothing_is_said_where_a_real_image_is_worth_nothing_known():
    savings = analyse(*tables(sizes=(20,)), replicates=20).label_savings
    assert savings and all(s.needed == Estimate(None) and "two sizes" in s.sentence for s in savings)


def test_one_draw_has_no_interval():
    savings = analyse(*tables(draws=1), replicates=20).label_savings
    by = {(s.generator, s.num_real): s for s in savings}
    assert by["edm-open", 0].needed.value is not None and by["edm-open", 0].needed.low is None


def saving(n, needed, labels, protocol="pretrain", generator="open"):
    def less(count):
        return Estimate(*(None if v is None else v - count for v in (needed.value, needed.low, needed.high)))

    return LabelSaving(
        classifier="mlp",
        generator=generator,
        protocol=protocol,
        real_share="none",
        num_real=n,
        num_synthetic=2000,
        error=Estimate(0.1),
        needed=needed,
        saved=less(n),
        labels=labels,
        saved_in_all=Estimate(None) if labels is None else less(labels),
    )


@pytest.mark.parametrize(
    ("made", "start", "end"),
    [
        (
            saving(100, Estimate(260, 190, 350), 100),
            "With 100 real images, training on 2,000 synthetic ones first (open, pretrain, mlp) is as good as 260",
            "(190 to 350) real images alone: it saves 160 labels (90 to 250).",
        ),
        (saving(100, Estimate(260, 190, 350), 800), "With 100", "Counting the 700 further labels that open takes, it saves none."),
        (saving(0, Estimate(260, 190, 350), 0, "synthetic-only"), "Without any real image, training on 2,000", "it saves 260 labels (190 to 350)."),
        (saving(100, Estimate(120, 80, 150), 100), "With 100", "it saves 20 labels (-20 to 50), perhaps none."),
        (saving(100, Estimate(60, 40, 90), 100), "With 100", "it saves none."),
        (saving(100, Estimate(None, 640, None), 100), "With 100", "as good as at least 640 real images alone: it saves at least 540 labels."),
        (saving(100, Estimate(None, 80, None), 100), "With 100", "it is not shown to save any."),
        (saving(0, Estimate(None, None, 20), 0, "synthetic-only"), "Without", "it saves at most 20 labels."),
        (saving(100, Estimate(None), 100), "With 100", "its error is beyond those measured."),
        (saving(100, Estimate(260), None), "With 100", "since the table does not tell them."),
        (saving(100, Estimate(260), 100, "mixed"), "With 100 real images, adding 2,000 synthetic ones (open, mixed in proportion", "160 labels, perhaps none."),
    ],
)  # fmt: skip
def test_sentences(made, start, end):
    said = saving_sentence(made)
    assert said.startswith(start) and said.endswith(end)


def test_the_page_and_predict_say_it():
    laws = json.loads(json.dumps(analysed().laws_json()))
    table = labels.table(laws, StudyNames.of(laws["studies"]))
    assert table is not None and len(table.rows) == len(laws["label_savings"])
    assert len(labels.sentences(laws)) == len(table.rows)  # one amount a size
    assert labels.table({}, StudyNames.of(laws["studies"])) is None and labels.sentences(None) == []
    study = next(s for s in laws["studies"] if s["generator"] == "edm-open")
    assert saving_at(laws, study, 20, 40)["labels"] == SEEN and saving_at(laws, study, 20, 41) is None
    assert label_lines(laws, study, 20, 41) == [] and label_lines(laws, study, 20, 40)[0].startswith("Labels: With 20")
    assert [line.partition(":")[0] for line in label_lines(laws, study, 0, 160)] == [
        "Measured without real images",
        "Labels",
    ]
    assert "only 160 synthetic images were measured there" in label_lines(laws, study, 0, 7)[0]
