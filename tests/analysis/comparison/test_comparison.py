"""Several runs beside each other: planted gains come back, what has no number has a reason, one data set counts once."""

import dataclasses
import math

import numpy as np
import pytest
from helpers.planted_runs import GAINS, SIZES, files_of, planted_atlas, planted_run, planted_study

from synaug_ray.analysis.comparison.comparison import compare
from synaug_ray.analysis.comparison.comparison_check import gain_of_trials
from synaug_ray.analysis.comparison.comparison_results import Role, Why
from synaug_ray.analysis.comparison.comparison_table import mean_table, study_table
from synaug_ray.analysis.comparison.explanations import what_they_can_tell
from synaug_ray.laws.meta_analysis import pool
from synaug_ray.laws.results import Estimate
from synaug_ray.report.comparison import render
from synaug_ray.report.sections.comparison_words import warnings

NORMAL_90 = 1.6448536
MISSING = (0.04, 0.03, 0.05)  # planted; of which 0.04 is the value


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    return [files_of(run) for run in planted_atlas(tmp_path_factory.mktemp("storage"))]


def rows_of(comparison):
    return {row.run: row for row in comparison.rows}


def test_the_mean_of_planted_gains_and_a_new_data_set(atlas):
    found = compare(atlas)
    rows = rows_of(found)
    assert {name: row.gain.value for name, row in rows.items()} == pytest.approx(GAINS)
    (group,) = found.groups
    expected = pool(list(GAINS.values()), [(0.008 + 0.002 * i) / NORMAL_90 for i in range(5)], 0.9)
    assert expected is not None and group.gain.pooled is not None and group.datasets == 5
    for mine, right in ((group.gain.pooled.mean, expected.mean), (group.gain.pooled.prediction, expected.prediction)):
        assert (mine.value, mine.low, mine.high) == pytest.approx((right.value, right.low, right.high), rel=1e-5)
    cells = rows["cells"]
    assert cells.log_ratio.value == pytest.approx(math.log(cells.real_error.value / (cells.real_error.value - 0.031)))
    assert (cells.num_real, cells.multiple, found.multiple) == (400, 4, 4)
    assert cells.worth.value == pytest.approx(10 * 0.031 * 400 / 1600)
    assert (cells.c2, cells.rate.value, cells.law_why) == (Estimate(3.0, 2.5, 3.5), 8.0, None)
    assert group.log_c2.pooled is not None and group.log_c2.pooled.mean.value == pytest.approx(math.log(3))
    assert (cells.fidelity, cells.copies, cells.classes) == pytest.approx((0.7, 0.02, 2))
    assert cells.core_hours == pytest.approx(600 / 3600)


def test_what_real_images_gain_instead_is_taken_from_the_same_place(tmp_path):
    def upper(amount, gain, **other):
        place = {"classifier": "mlp", "generator": "edm", "protocol": "mixed", "real_share": "0.5"} | other
        missing = dict(zip(("value", "low", "high"), MISSING, strict=True))
        return place | {"num_real": 400, "num_synthetic": amount, "real_gain": gain, "missing": missing}

    ceilings = [upper(400, 0.03), upper(1600, 0.06), upper(1600, 0.09, real_share="0.75")]
    runs = [planted_run(tmp_path / "with", laws={"ceilings": ceilings}), planted_run(tmp_path / "without")]
    found = compare([files_of(run) for run in runs])
    rows = rows_of(found)
    assert rows["with"].real_gain == 0.06 and rows["with"].missing == Estimate(*MISSING)
    assert rows["without"].real_gain is None and rows["without"].missing == Estimate(None)
    table = study_table(found).set_index("run")
    assert table.loc["with", ["gain_of_real_images", "missing_low"]].tolist() == pytest.approx([0.06, 0.03])


@pytest.mark.parametrize(
    ("measured", "family", "difference"),
    [
        ({"jitter": 0.03, "augment": -0.01}, "augment", -0.01),  # the usual rival, whatever it gained
        ({"jitter": 0.03, "mixup": 0.02}, "mixup", 0.02),
        ({"jitter": 0.03}, "jitter", 0.03),
        ({}, "", None),
    ],
)
def test_the_gain_above_a_baseline_is_taken_from_the_same_place(tmp_path, measured, family, difference):
    place = {"classifier": "mlp", "generator": "edm", "protocol": "mixed", "real_share": "0.5", "num_real": 400}

    def beside(name, gain, amount):
        away = {"value": gain, "low": gain - 0.01, "high": gain + 0.01}
        return place | {"num_synthetic": amount, "baseline": f"our-{name}", "family": name, "difference": away}

    told = [beside(name, gain + (0.1 if s == 400 else 0), s) for name, gain in measured.items() for s in (400, 1600)]
    runs = [files_of(planted_run(tmp_path / str(i), laws={"over_baselines": told})) for i in range(3)]
    found = compare(runs)
    assert {(row.baseline, row.over_baseline.value) for row in found.rows} == {(family, difference)}
    (group,) = found.groups
    mean = group.over_baseline.pooled
    assert (mean is None) is (difference is None) and (mean is None or mean.mean.value == pytest.approx(difference))
    page = render(found)
    assert ('id="heading-baseline-learnt"' in page) is bool(family)


def test_a_control_without_the_common_amount_is_told_at_its_own(tmp_path):
    """Its answer is known at any amount: what it shows must not be lost for lack of the others' one."""
    control = planted_study(0.03, generator="real-holdout", family="real-holdout")
    control["cells"] = [c for c in control["cells"] if c["synthetic_multiple"] == 1]
    run = files_of(planted_run(tmp_path / "run", studies=[planted_study(0.02), control]))
    told = {row.generator: (row.multiple, row.why) for row in compare([run]).rows}
    assert told == {"edm": (4.0, None), "real-holdout": (1.0, None)}
    asked = {row.generator: row.why for row in compare([run], multiple=4).rows}
    assert asked["edm"] is None and asked["real-holdout"].why is Why.NOT_MEASURED


@pytest.mark.parametrize(
    ("ended", "pairs", "change", "said"),
    [
        ("not trained to its end", 2, 0.02, "mlp is not trained to its end: 2.0 points less"),
        ("maybe not trained to its end", 1, 0.02, "mlp may not be trained to its end"),
        ("not known", 1, 0.02, ""),
        ("not known", 2, 0.02, ""),
        ("trained to its end", 2, 0.001, ""),
    ],
)
def test_a_classifier_that_is_trained_too_short_is_told_at_its_row(tmp_path, ended, pairs, change, said):
    length = {"classifier": "mlp", "pairs": pairs, "gain": {"value": change}, "margin": 0.005, "ended": ended}
    lengths = [length | {"num_real": n} for n in SIZES]
    (row,) = compare([files_of(planted_run(tmp_path / "a", laws={"training_lengths": lengths}))]).rows
    assert (said in "; ".join(row.notes)) if said else not row.notes


def test_the_interval_of_a_share_of_the_error_is_that_of_simulated_errors(tmp_path):
    """Planted: errors of 0.2 and 0.15, whose difference has a 90% half-width of 0.01, and the level one of 0.02."""
    run = planted_run(tmp_path / "run", 0.05, 0.01, laws={"real": [real_curve(0.2, 0.02)]})
    (row,) = compare([files_of(run)]).rows
    rng = np.random.default_rng(0)
    gain, without = rng.normal(0.05, 0.01 / NORMAL_90, 200_000), rng.normal(0.2, 0.02 / NORMAL_90, 200_000)
    low, high = np.quantile(np.log(without / (without - gain)), [0.05, 0.95])
    assert (row.log_ratio.low, row.log_ratio.high) == pytest.approx((low, high), abs=0.01)


def real_curve(error, half):
    points = [{"num_real": n, "error": {"value": error, "low": error - half, "high": error + half}} for n in (100, 400)]
    return {"classifier": "mlp", "chosen": "power law", "fits": [], "points": points, "line": []}


REFUSED = {
    "leaky": ({"leaky": "warning"}, Why.LEAKY),
    "busy": ({"state": "running"}, Why.NOT_FINISHED),
    "stopped": ({"state": "interrupted"}, Why.NOT_FINISHED),
    "blind": ({"error": 0.85}, Why.NEAR_CHANCE),
    "no-mixture": ({"studies": []}, Why.NOT_MEASURED),
    "empty": ({"laws": None}, Why.NOT_ANALYSED),
}


def test_runs_without_numbers_have_a_reason_and_are_in_no_mean(atlas, tmp_path):
    bad = [files_of(planted_run(tmp_path / name, **how)) for name, (how, _) in REFUSED.items()]
    found = compare([*atlas, *bad])
    rows = rows_of(found)
    assert {name: rows[name].why.why for name in REFUSED} == {name: why for name, (_, why) in REFUSED.items()}
    for name in REFUSED:
        row = rows[name]
        assert {row.gain, row.log_ratio, row.equivalent, row.rate, row.c2, row.lambda_per_image} == {Estimate(None)}
    assert "12 of 40 trials" in rows["busy"].why.text and "7 exact" in rows["leaky"].why.text
    assert mean_table(found).equals(mean_table(compare(atlas)))
    table = study_table(found).set_index("run")
    assert (table.loc[list(REFUSED), "verdict"] == "").all() and (table.loc[list(GAINS), "not_estimable"] == "").all()


def test_what_helps_is_believed_of_a_classifier_near_chance(tmp_path):
    (row,) = compare([files_of(planted_run(tmp_path / "run", 0.3, error=0.85))]).rows
    assert row.outcome == "helps" and row.why is None and row.gain.value == pytest.approx(0.3)


MISFIT = "no fitted law describes the measurements"
UNKNOWN = "not estimable: more real images are not shown to help"


def law(c2, status):
    return {"c2": {"value": c2}, "lambda_per_image": {"value": 0.0}, "status": status}


@pytest.mark.parametrize(
    ("fields", "why", "worth"),
    [
        ({"misfit": MISFIT}, Why.LACK_OF_FIT, True),
        ({"primary": law(3.0, "at a bound")}, Why.AT_BOUND, True),
        ({"primary": law(3.0, "not identifiable")}, Why.AT_BOUND, True),
        ({"primary": law(math.exp(20), "converged")}, Why.AT_BOUND, True),
        ({"primary": None}, Why.NOT_MEASURED, True),
        ({"exchange": [{"num_real": 400, "num_synthetic": 1600, "reachable": True, "note": UNKNOWN}]}, Why.FLAT, False),
    ],
)
def test_what_a_law_cannot_say_is_not_said_while_the_measured_gain_stays(tmp_path, fields, why, worth):
    (row,) = compare([files_of(planted_run(tmp_path / "run", studies=[planted_study(0.03, **fields)]))]).rows
    assert row.why is None and row.gain.value == pytest.approx(0.03)
    assert row.c2 == row.lambda_per_image == Estimate(None) and row.law_why.why is why
    assert (row.equivalent.value is not None) == worth == (row.equivalent_why is None)


def test_the_end_of_an_interval_at_the_limit_of_the_search_is_open(tmp_path):
    primary = law(30.0, "converged") | {"c2": {"value": 30.0, "low": 4.0, "high": math.exp(20)}}
    (row,) = compare([files_of(planted_run(tmp_path / "run", studies=[planted_study(0.03, primary=primary)]))]).rows
    assert row.c2 == Estimate(30.0, 4.0, None)


@pytest.mark.parametrize("count", [1, 2])
def test_no_mean_of_fewer_than_three_data_sets(atlas, count):
    (group,) = compare(atlas[:count]).groups
    for average in (group.gain, group.log_ratio, group.worth, group.log_c2):
        assert average.pooled is None and "it takes 3" in average.why
    assert group.explanations == ()


def test_studies_and_runs_of_one_data_set_count_as_one(atlas, tmp_path):
    """Asking one data set twice, or with a second generator that does the same, changes no mean."""
    study = planted_study(0.031, 0.008, 0.224)
    again = planted_run(
        tmp_path / "again",
        half=0.008,
        studies=[study, study | {"generator": "edm-2"}],
        error=0.224,
        classes=2,
        fidelity="70%",
        fingerprint="of cells",
    )
    once, twice = mean_table(compare(atlas)), mean_table(compare([*atlas, files_of(again)]))
    assert twice.drop(columns=["why_not"]).round(9).equals(once.drop(columns=["why_not"]).round(9))


def test_a_mean_of_worth_that_would_leave_data_sets_out_is_not_made(atlas, tmp_path):
    study = planted_study(0.03)
    for cell in study["cells"]:
        cell["equivalent"] = {"value": None, "low": 100.0, "high": None}
    found = compare([*atlas, files_of(planted_run(tmp_path / "beyond", studies=[study]))])
    (group,) = found.groups
    assert group.worth.pooled is None and "5 of 6 data sets" in group.worth.why
    assert group.gain.pooled is not None and group.gain.pooled.studies == 6
    assert rows_of(found)["beyond"].worth == Estimate(None, 100 / 1600, None)


def test_one_draw_has_no_interval_and_is_in_no_mean(atlas, tmp_path):
    study = planted_study(0.5)
    for cell in study["cells"]:
        cell["gain"] = {"value": 0.5, "low": None, "high": None}
    found = compare([*atlas, files_of(planted_run(tmp_path / "lone", studies=[study], error=0.6))])
    assert found.groups[0].gain == compare(atlas).groups[0].gain
    assert any("no interval" in note for note in rows_of(found)["lone"].notes)


def test_rivals_controls_open_sets_and_pretrained_classifiers_are_kept_apart(tmp_path):
    kinds = {"edm": {}, "open": {"open_set": True}, "jitter": {"family": "jitter"}, "real": {"family": "real-holdout"}}
    studies = [planted_study(0.01 * i, generator=name, **of) for i, (name, of) in enumerate(kinds.items())]
    studies.append(planted_study(0.07, classifier="net"))
    runs = [files_of(planted_run(tmp_path / name, studies=studies)) for name in ("a", "b", "c")]
    for run in runs:
        for verdict in run.verdict["verdicts"]:
            verdict["classifier_saw"] = "ImageNet" if verdict["classifier"] == "net" else ""
    groups = compare(runs).groups
    found = {group.key: (group.role, group.gain.pooled.mean.value) for group in groups}
    assert found == {
        ("closed-set", "mixed", "0.5", "from scratch"): (Role.CLOSED, pytest.approx(0.0, abs=1e-9)),
        ("closed-set", "mixed", "0.5", "pretrained"): (Role.CLOSED, pytest.approx(0.07)),
        ("open-set", "mixed", "0.5", "from scratch"): (Role.OPEN, pytest.approx(0.01)),
        ("jitter", "mixed", "0.5", "from scratch"): (Role.BASELINE, pytest.approx(0.02)),
        ("real-holdout", "mixed", "0.5", "from scratch"): (Role.CONTROL, pytest.approx(0.03)),
    }
    assert [group.role for group in groups] == sorted((r for r, _ in found.values()), key=list(Role).index)
    only = compare(runs, only={"generator": "open"})
    assert {row.generator for row in only.rows} == {"open"}


@pytest.mark.parametrize(("asked", "size"), [(100, 100), (150, 100), (250, 400), (1000, None), (10, None)])
def test_the_size_asked_for_is_the_nearest_that_was_measured(atlas, asked, size):
    for row in compare(atlas, num_real=asked).rows:
        if size is None:
            assert row.why.why is Why.NOT_MEASURED and "100, 400" in row.why.text
        else:
            assert row.num_real == size and row.why is None


def test_the_amount_is_the_largest_that_most_runs_have(atlas, tmp_path):
    study = planted_study(0.03)
    study["cells"] = [c | {"synthetic_multiple": 2 * c["synthetic_multiple"]} for c in study["cells"]]  # 2 and 8
    other = files_of(planted_run(tmp_path / "other", studies=[study]))
    found = compare([*atlas[:2], other])
    assert found.multiple == 4 and rows_of(found)["other"].why.why is Why.NOT_MEASURED
    assert compare([atlas[0], other]).multiple == 8  # as many runs have each: the largest
    assert {row.multiple for row in compare(atlas[:2], multiple=1.0).rows} == {1.0}


def test_a_generator_without_the_amount_is_named_where_others_of_its_run_have_it(tmp_path):
    part = planted_study(0.01, generator="control")
    part["cells"] = [cell for cell in part["cells"] if cell["synthetic_multiple"] == 1]
    both = files_of(planted_run(tmp_path / "both", studies=[planted_study(0.03), part]))
    alone = files_of(planted_run(tmp_path / "alone", studies=[part]))
    refused = [line for line in warnings(compare([both, alone], multiple=4.0)) if "not estimable" in line]
    assert len(refused) == 1 and refused[0].startswith("both (control) and alone: ")


def test_a_property_that_goes_with_the_gain(atlas):
    """The planted gains grow with the error, and with nothing else that differs."""
    (group,) = compare(atlas).groups
    found = {one.name: one for one in group.explanations}
    error = found["error without synthetic images"]
    assert error.slope.slope.low > 0 and error.slope.explained > 0.9
    assert found["classes"].slope.slope.low < 0 < found["classes"].slope.slope.high
    assert found["near-copies"].slope is None and "same in all" in found["near-copies"].why
    tried = [one for one in group.explanations if one.slope]
    assert all(one.p >= one.slope.p for one in tried) and error.p == min(one.p for one in tried)


def test_gains_are_those_of_the_trials_or_the_row_says_so(atlas, tmp_path):
    """A row whose laws.json is of other trials, such as a copy of which one file is old, is found."""
    for run in atlas:
        assert not any("tables disagree" in note for note in compare([run]).rows[0].notes)
        assert gain_of_trials(run.trials, compare([run]).rows[0], 12) == pytest.approx(GAINS[run.name], abs=1e-12)
    other = dataclasses.replace(atlas[0], trials=atlas[1].trials)
    (row,) = compare([other]).rows
    (note,) = row.notes
    assert "-0.40 points" in note and "+3.10" in note
    assert compare([dataclasses.replace(other, trials=atlas[1].trials[1:-1])]).rows[0].notes == ()  # some are missing
    for lost in ("draw", "num_synthetic"):
        assert compare([dataclasses.replace(other, trials=atlas[1].trials.drop(columns=[lost]))]).rows[0].notes == ()


def test_how_little_few_data_sets_tell():
    assert "cannot be said of 3 data sets" in what_they_can_tell(3, 0, 0.9)
    told = what_they_can_tell(10, 5, 0.95)
    assert "10 data sets do not tell far" in told and "0.76" in told and "not an answer" in told
