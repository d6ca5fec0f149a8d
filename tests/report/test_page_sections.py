"""What the sections of the page say of unusual runs: balanced errors, margins, looks, costs, samples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.html_page import Page, drawn_as, entry, numbered, rebuilt, triple

from synaug_ray.report import page
from synaug_ray.report import text as report_text
from synaug_ray.report.run_view import read
from synaug_ray.report.sections.fitted_laws import AVERAGE


def test_balanced_error_is_called_so_everywhere(run_folder: Path) -> None:
    built = rebuilt(run_folder, "laws.json", error="balanced_error")
    assert "Balanced error against real images" in built.words
    assert "test error" not in built.words.lower().replace("test errors are too low", "")
    layouts = [figure["layout"] for figure in built.figures.values()]
    axes = [layout[axis]["title"]["text"] for layout in layouts for axis in ("xaxis", "yaxis")]
    assert "balanced error (%)" in axes and "gain in balanced error (points)" in axes
    assert not [title for title in axes if "test error" in title]


def test_held_out_is_said_only_where_cells_were(run_folder: Path, built: Page, laws: dict) -> None:
    assert "Filled markers are held-out cells" in built.words
    for study in laws["studies"]:
        for cell in study["cells"]:
            cell["held_out"] = False
    built = rebuilt(run_folder, "laws.json", studies=laws["studies"])
    assert "Filled markers" not in built.words and "No cell was held out" in built.words


def test_the_cost_of_deciding_is_marked_as_rough(run_folder: Path, built: Page) -> None:
    undecided = [row for row in built.tables["Verdicts, table"][1:] if row[2][0] == "undecided"]
    assert {(row[8][0], row[9][0]) for row in undecided} == {("≈ 10", "≈ 10 min")}
    assert "estimate from 6 draws" in built.words
    assert "4 in 5 such verdicts would be decided" in built.words
    assert "estimate from 2 draws" in rebuilt(run_folder, "laws.json", draws=2).words
    assert [report_text.rough(v) for v in (0.0, 7.0, 14.0, 86.0, 1520.0)] == [
        "≈ 0",
        "≈ 7",
        "≈ 10",
        "≈ 90",
        "≈ 2,000",
    ]


def test_the_trade_off_has_a_figure_and_table_of_its_own(built: Page, laws: dict) -> None:
    rows = built.tables["Synthetic images per real image at the working point, table"][1:]
    wanted = [e for s in laws["studies"] for e in s["exchange"]]
    assert [entry(row[3][1]) for row in rows] == [triple(e["tradeoff"]) for e in wanted]
    drawn = {y for t in built.figures["trade-off"]["data"] if t.get("yaxis") != "y2" for y in t["y"] if y is not None}
    assert drawn == {drawn_as(e["tradeoff"]["value"]) for e in wanted if e["tradeoff"]["value"] is not None}


def test_censored_cells_are_drawn_with_or_without_a_bound(run_folder: Path, laws: dict) -> None:
    cells = laws["studies"][2]["cells"]
    censored = [c for c in cells if c["censoring"] == "above"]
    assert len(censored) > 3
    censored[0]["equivalent"]["low"] = None
    built = rebuilt(run_folder, "laws.json", studies=laws["studies"])
    traces = [t for t in built.figures["equivalents-2"]["data"] if isinstance(t.get("marker", {}).get("symbol"), list)]
    arrows = [s for t in traces for s, y in zip(t["marker"]["symbol"], t["y"], strict=True) if y is not None]
    assert sorted(arrows) == sorted(["arrow-up-open"] + ["arrow-up"] * (len(censored) - 1))
    row = built.tables[numbered("Real-equivalents", 2)][1 + cells.index(censored[0])]
    assert "its interval is open" in row[3][0]


def test_data_audit_and_quality_are_shown_with_their_warnings_at_the_top(built: Page) -> None:
    audit = built.tables["Data audit, table"]
    assert [row[3][0] for row in audit[1:]] == ["ok", "note", "warning"]
    assert audit[3][0][0] == "patients in training and test" and audit[3][1][0] == "41"
    quality = built.tables["Quality of the generators, table"]
    assert [head[0] for head in quality[0]] == ["generator", "num real", "near-copies", "label fidelity"]
    assert entry(quality[1][2][1]) == (0.41, 0.36, 0.47) and quality[2][3][0] == "–"
    top = built.words.index("The verdicts")
    assert built.words.index("Data audit, patients in training and test: 41. Test errors are too low.") < top
    assert built.words.index("do not share its images") < top
    assert "near-duplicates in training" not in built.words[:top]


def test_who_judges_labels_is_said_below_the_quality_checks(run_folder: Path) -> None:
    quality = json.loads((run_folder / "quality.json").read_text())
    (run_folder / "quality.json").write_text(json.dumps(quality | {"notes": ["judged by <9> images"]}))
    words = Page(page.build(str(run_folder))).words
    assert words.index("How good are the generators?") < words.index("judged by <9> images")


@pytest.mark.parametrize("name", ["audit.json", "quality.json"])
@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"rows": 3}', '{"columns": ["a"], "rows": [[1, 2], 5], "warnings": 1}', '{"rows']
)
def test_malformed_audit_and_quality_files_do_not_break_the_page(run_folder: Path, name: str, text: str) -> None:
    (run_folder / name).write_text(text)
    assert "The verdicts" in Page(page.build(str(run_folder))).words


def test_run_says_what_it_cost_and_how_to_cite_it(built: Page) -> None:
    assert "Total: 14.1 min of one device (generators 6.7 min, pool shards 93 s, trials 5.8 min)." in built.words
    assert "journal = {arXiv preprint arXiv:2508.09550}" in built.words and "note = {commit 9c1f0e2}" in built.words


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../x", "..\\x"])
def test_samples_come_from_the_run_alone(run_folder: Path, name: str) -> None:
    index = json.loads((run_folder / "samples/index.json").read_text())
    (run_folder / "secret.png").write_bytes((run_folder / "samples/real.png").read_bytes())
    index[0]["real"] = name
    (run_folder / "samples/index.json").write_text(json.dumps(index))
    view = read(str(run_folder))
    assert set(view.samples[0].images) == {"synthetic", "nearest"}
    assert any("not a file name" in problem for problem in view.problems)


def test_failed_control_is_said_at_the_top(run_folder: Path) -> None:
    laws = json.loads((run_folder / "laws.json").read_text())
    laws["controls"][0]["passed"] = False
    (run_folder / "laws.json").write_text(json.dumps(laws))
    words = Page(page.build(str(run_folder))).words
    assert words.index("A control failed (real-holdout)") < words.index("The verdicts")


def test_forms_are_listed_with_their_numbers(built: Page, laws: dict) -> None:
    for i, study in enumerate(laws["studies"]):
        rows = built.tables[numbered("Forms of the equivalence", i)][1:]
        fits = sorted(study["fits"], key=lambda fit: fit["form"] != study["chosen"])
        for row, fit in zip(rows, fits, strict=True):
            assert row[0][0] == fit["form"] + (" (chosen)" if fit["form"] == study["chosen"] else "")
            assert row[1][0] == fit["formula"] and row[3][0] == fit["status"]
            assert entry(row[5][1])[0] == fit["rmse_log_error"] and entry(row[6][1])[0] == fit["aicc"]
            skills = [entry(row[k][1])[0] for k in (9, 10, 11)]
            held_out = fit["held_out"]
            assert skills == [held_out[k] for k in ("skill_no_effect", "skill_constant_rate", "coverage")]
            for name in fit["parameters"]:
                assert f"{name} = {fit['parameters'][name]['value']:.4g} [" in row[2][0]
    chosen = {row[0][0]: row[1][0] for row in built.tables["Chosen forms, table"][1:]}
    assert chosen["real only"] == "power law with floor" and list(chosen.values()).count("none chosen") == 2


def test_the_average_of_the_forms_has_its_own_error_beside_the_chosen_ones(run_folder: Path) -> None:
    averaged = {"cells": 9, "rmse_log_error": 0.051, "skill_no_effect": 0.527, "skill_constant_rate": 0.2,
                "coverage": 0.875}  # fmt: skip
    laws = json.loads((run_folder / "laws.json").read_text())
    laws["studies"][2] |= {"held_out": averaged, "overdispersion": 6.25}
    built = rebuilt(run_folder, "laws.json", studies=laws["studies"])
    chosen = {row[0][0]: row for row in built.tables["Chosen forms, table"][1:]}
    told = {name: [entry(row[k][1])[0] for k in (3, 4, 5)] for name, row in chosen.items() if "none" not in row[1][0]}
    assert [0.412, 0.527, 2.5] in told.values() and [0.412, None, None] in told.values()
    rows = built.tables[numbered("Forms of the equivalence", 2)][1:]
    assert "chosen" in rows[0][0][0] and rows[1][0][0] == AVERAGE and len(rows) == len(laws["studies"][2]["fits"]) + 1
    assert [entry(rows[1][k][1])[0] for k in range(7, 12)] == list(averaged.values())


def test_no_gain_is_called_detectable_where_there_is_no_interval(run_folder: Path) -> None:
    """A run of two draws that was half done said that it could detect 0.00 points."""
    verdict = json.loads((run_folder / "verdict.json").read_text())
    for one in verdict["verdicts"]:
        one["smallest_detectable_gain"] = 0.0
    (run_folder / "verdict.json").write_text(json.dumps(verdict))
    built = Page(page.build(str(run_folder)))
    assert "smallest gain this run could detect" not in built.words and "0.00 points." not in built.words


def test_looks_and_groups_are_told_beside_the_intervals(run_folder: Path) -> None:
    assert "This is the first look" in rebuilt(run_folder, "laws.json", looks=[6]).words
    third = rebuilt(run_folder, "laws.json", looks=[5, 6, 8], test_groups=37).words
    assert "This is look 3 at these results (after 5, 6 and 8 draws)" in third
    assert "resampled by group (data.group): 37 groups" in third


def test_a_relative_margin_is_shown_as_such(run_folder: Path) -> None:
    rebuilt(run_folder, "verdict.json", relative_delta=0.1)
    shown = rebuilt(run_folder, "laws.json", relative_delta=0.1).words
    assert "the interval is within ±10% of the real-only error" in shown
    assert "Grey band: ±10% of the smallest real-only error" in shown


def test_each_generator_has_a_line_of_its_cost_beside_its_gain(built: Page, finished: Path, laws: dict) -> None:
    """The planted costs: 6.5 s + n / 100 to train, 1.1 ms an image."""
    verdicts = json.loads((finished / "verdict.json").read_text())["verdicts"]
    rows = built.tables["Costs, table"]
    assert [text for text, _ in rows[0][3:6]] == [f"{what} (core-hours)" for what in ("training", "sampling", "in all")]
    for row, verdict in zip(rows[1:], verdicts, strict=True):
        n, images = verdict["num_real"], verdict["best_multiple"] * verdict["num_real"]
        assert entry(row[2][1])[0] == images
        seconds = [3600 * (entry(row[i][1])[0] or 0.0) for i in (3, 4, 5)]
        assert seconds == pytest.approx([6.5 + n / 100, 0.0011 * images, 6.5 + n / 100 + 0.0011 * images])
        assert entry(row[6][1]) == triple(verdict["gain"]) and entry(row[7][1]) == triple(verdict["equivalent"])
        worth, low = verdict["equivalent"]["value"], verdict["equivalent"]["low"]
        each = entry(row[8][1])[0]
        known = worth is not None and low is not None and low > 0
        assert (each is not None) == known and (not known or each == pytest.approx(sum(seconds[:2]) / 3600 / worth))
    studies = {tuple(v[k] for k in ("classifier", "generator", "protocol", "real_share")) for v in verdicts}
    assert built.words.count("of one core to train it and make") == len(studies)


def test_costs_name_the_hardware_and_are_left_out_where_nothing_was_timed(run_folder: Path, laws: dict) -> None:
    assert "of one GPU to train it" in rebuilt(run_folder, "env.json", device="cuda").words
    untimed = [study | {"generation": []} for study in laws["studies"]]
    built = rebuilt(run_folder, "laws.json", studies=untimed)
    assert "What it costs" not in built.words and "Costs, table" not in built.tables


def test_a_second_test_set_and_contrasts_have_sections_and_warnings(run_folder: Path, built: Page) -> None:
    assert "another test set" not in built.words

    def around(value: float) -> dict:
        return {"value": value, "low": value - 0.01, "high": value + 0.01}

    verdict = json.loads((run_folder / "verdict.json").read_text())
    study = {name: verdict["verdicts"][0][name] for name in ("classifier", "generator", "protocol", "real_share")}
    cell = {"num_real": 50, "num_synthetic": 200, "synthetic_multiple": 4.0, "error": around(0.31)}
    cell |= {"gain": around(0.01), "gain_simultaneous": around(0.011), "difference": around(-0.04)}
    told = study | {"num_real": 50, "multiple": 4.0, "first_outcome": "helps", "first_gain": around(0.051)}
    told |= {"outcome": "no effect", "gain": around(0.011), "difference": around(-0.04), "cells": [cell]}
    told |= {"carries": "does not carry over", "sentence": "On b<b>, it does not."}
    real = {"classifier": "mlp", "num_real": 50, "first_error": around(0.2), "error": around(0.4)}
    second = {"name": "b<b>", "error": "test2_error", "images": 1234, "groups": 41, "headline": "On b<b>: so."}
    second |= {"real": [real], "verdicts": [told], "warnings": ["On b<b>: few."]}
    contrast = {"factor": "filter", "level": "inliers", "reference": "none", "generator": "gan", "versus": "edm<b>"}
    contrast |= {"cells": 12, "unit": "points", "change": around(0.02), "simultaneous": around(0.021)}
    contrasts = [
        contrast | {"num_real": n, "outcome": "more", "sentence": f"The filter inliers, {n}<b>."} for n in (None, 50)
    ]
    page = rebuilt(run_folder, "verdict.json", second_test=second, contrasts=contrasts)
    assert "What changes the gain?" in page.words and "The filter inliers, None<b>." in page.words
    assert "The filter inliers, 50<b>." not in page.words and "What changes the gain?" not in built.words
    rows = page.tables["Contrasts of gains, table"][1:]
    assert [[e[0] for e in row[:6]] for row in rows] == [
        ["inliers", "none", "gan", "edm<b>", n, "12"] for n in ("all", "50")
    ]
    assert entry(rows[1][8][1]) == triple(around(0.021))
    assert "Does the gain carry over to another test set? The same classifiers, measured on 1,234" in page.words
    assert "(41 groups)" in page.words and "On b<b>, it does not." in page.words and "On b<b>: few." in page.words
    assert page.words.index("On b<b>: so.") < page.words.index("The verdicts")
    row = page.tables["Verdicts on both test sets, table"][1]
    assert [e[0] for e in row[1:4]] == ["50", "4×", "helps"] and row[8][0] == "does not carry over"
    assert entry(row[4][1]) == triple(around(0.051)) and entry(row[7][1]) == triple(around(-0.04))
    assert entry(page.tables["Cells on the second test set, table"][1][3][1]) == triple(around(0.31))
    assert len(page.tables["Errors without synthetic images on both test sets, table"]) == 2


def test_the_gap_has_a_section_figure_and_table(run_folder: Path, built: Page) -> None:
    def around(value: float) -> dict:
        return {"value": value, "low": value - 0.01, "high": value + 0.01}

    def part(name: str, value: float) -> dict:
        found = {"part": name, "before": "real-holdout", "after": "edm<b>", "outcome": "costs"}
        return found | {"change": around(value), "simultaneous": around(value)}

    gap = {"generator": "edm<b>", "remade": "again", "classifier": "mlp", "protocol": "synthetic-only"}
    gap |= {"real_share": "none", "cells": 2, "num_synthetic": None, "judges": None, "sentence": "So<b>, all."}
    gap |= {"parts": [part("appearance", 0.02), part("content", 0.05)], "whole": part("whole", 0.07)}
    one = gap | {"num_real": 50, "num_synthetic": 200, "judges": part("judges", 0.004), "sentence": "At 50."}
    page = rebuilt(run_folder, "verdict.json", gaps=[gap | {"num_real": None}, one, gap | {"num_real": None}])
    heading = "Why are synthetic images worse than as many real ones?"
    assert heading in page.words and heading not in built.words
    assert "So<b>, all." in page.words and "At 50." not in page.words
    rows = page.tables["The gap, part by part, table"][1:]
    assert [row[3][0] for row in rows[3:7]] == ["appearance", "content", "the whole gap", "judges' own mistakes"]
    assert rows[0][0][0] == "edm<b> by again" and entry(rows[1][6][1]) == triple(around(0.05))
    first, *_ = page.figures["gap-parts"]["data"]
    assert first["y"] == [drawn_as(100 * value) for value in (0.02, 0.05, 0.07)]
    assert page.figures["gap-parts"]["layout"]["xaxis"]["ticktext"] == ["appearance", "content", "the whole gap"]


def test_heads_of_discriminators_have_a_section_and_a_table(run_folder: Path, built: Page) -> None:
    def around(value: float) -> dict:
        return {"value": value, "low": value - 0.01, "high": value + 0.01}

    mlp = {"classifier": "mlp", "error": 0.13, "gain": around(-0.02)}
    cell = {"generator": "vit<b>", "arm": "selected", "num_real": 50, "draws": 4, "nimg": 64_000, "error": 0.15}
    cell |= {"over_alone": around(0.01), "over_unselected": around(0.005), "classifiers": [mlp]}
    cell |= {"fakes_selected": 0.4, "weight_real": 1.2, "weight_fakes": 2.1}
    alone = cell | {"generator": "vit-alone", "arm": "alone", "over_alone": None, "over_unselected": None}
    alone |= {"fakes_selected": None, "weight_fakes": None, "classifiers": []}
    page = rebuilt(run_folder, "laws.json", joint=[cell, alone], joint_words=["vit<b> gains."])
    heading = "Trained together: the discriminator as the classifier"
    assert heading in page.words and heading not in built.words and "vit<b> gains." in page.words
    first, second = page.tables["Heads of discriminators as classifiers, table"][1:]
    assert first[0][0] == "vit<b>" and entry(first[6][1]) == triple(around(0.01)) and first[8][0] == "mlp"
    assert [second[k][0] for k in (6, 7, 8, 10, 11)] == ["\u2014"] * 5


def test_the_share_of_low_rank_changes_that_is_applied_is_told_where_images_chose_it(
    run_folder: Path, built: Page
) -> None:
    assert not any("applied" in title for title, *_ in built.tables["Generators, table"][0])
    made = [{"generator": "adapted", "num_real": 50, "draw": 0, "seconds": 6, "nimg": 12_800, "applied": 0.25}]
    made += [{"generator": "edm", "num_real": 50, "draw": 0, "seconds": 6, "nimg": 6_400}]
    header, first, second = rebuilt(run_folder, "status.json", generators=made).tables["Generators, table"]
    assert header[-1][0] == "of its changes applied" and (first[-1][0], second[-1][0]) == ("25\u202f%", "–")
