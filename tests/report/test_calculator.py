"""The calculator in a real browser against synaug_ray.analysis.advice.calculator on the same JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.chromium import Chromium, Tab, open_page

from synaug_ray.analysis.advice import calculator
from synaug_ray.analysis.exchange import NOT_ESTIMABLE
from synaug_ray.laws.results import Estimate
from synaug_ray.report import page

CLOSE = 1e-9  # relative: logarithms of two libraries, a few roundings apart


@pytest.fixture(scope="module")
def studies(finished: Path) -> list[dict[str, Any]]:
    return json.loads((finished / "laws.json").read_text())["studies"]


@pytest.fixture(scope="module")
def tab(browser: Chromium, finished: Path) -> Iterator[Tab]:
    opened = open_page(browser, finished / "report.html")
    yield opened
    assert opened.complaints == [] and opened.requests == [(finished / "report.html").as_uri()]
    opened.close()


def shown(tab: Tab, identity: str) -> dict[str, Any]:
    found = tab.evaluate(f"({{...document.getElementById('calc-{identity}').dataset}})")
    return {name: float(value) for name, value in found.items()}


def text(tab: Tab, identity: str) -> str:
    return tab.evaluate(f"document.getElementById('calc-{identity}').textContent")


def numbers(estimate: Estimate) -> dict[str, float]:
    ends = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {name: end for name, end in ends.items() if end is not None}


def choose(tab: Tab, study: int) -> None:
    tab.evaluate(
        f"""{{ const list = document.getElementById("calc-study");
        list.value = "{study}"; list.dispatchEvent(new Event("change")); }}"""
    )


# num_real, num_synthetic: measured sizes, between them, at and beyond the edges of the measured range and of the grid
POINTS = [(50, 0), (50, 25), (50, 400), (73, 91), (100, 400), (137, 1000), (400, 800), (799, 6400), (800, 50), (30, 60),
          (1500, 12_000), (100, 2000), (26, 0), (1599, 3), (5000, 100), (800, 90_000)]  # fmt: skip


@pytest.mark.parametrize("study", [0, 3])
def test_shows_what_predict_answers(tab: Tab, studies: list[dict[str, Any]], study: int) -> None:
    choose(tab, study)
    grid = studies[study]["surface"]
    answered = outside = 0
    for n, s in POINTS:
        tab.fill("calc-real", str(n))
        tab.fill("calc-synthetic", str(s))
        wanted = calculator.expectation(grid, n, s)
        for name in ("error", "equivalent", "average", "marginal"):
            assert shown(tab, name) == pytest.approx(numbers(getattr(wanted, name)), rel=CLOSE), (n, s, name)
        answered += wanted.error.value is not None
        outside += bool(wanted.outside)
        assert tab.evaluate("document.getElementById('calc-outside').hidden") == (not wanted.outside), (n, s)
        for axis, at in (
            ("real", n),
            ("synthetic", s),
        ):  # the solid bar under a slider holds what was measured
            bar = tab.evaluate(f"expectation.measured({json.dumps(grid)}, {n}, {s}).{axis}")
            inside = bar is not None and bar[0] <= at <= bar[1]
            assert inside == (not wanted.outside), (n, s, axis)
        said = text(tab, "outside").replace(",", "")
        assert all(reason.replace(",", "").split(" measured")[0].split()[-1] in said for reason in wanted.outside)
    assert answered >= 12 and outside >= 4


def test_beyond_a_fall_the_page_predicts_as_little(tab: Tab, studies: list[dict[str, Any]]) -> None:
    grid = studies[0]["surface"] | {"falls": "the error rises"}
    unknown = 0
    for n, s in POINTS:
        wanted = calculator.expectation(grid, n, s)
        found = tab.evaluate(f"expectation.at({json.dumps(grid)}, {n}, {s})")
        for name in ("error", "equivalent", "average", "marginal"):
            assert numbers(Estimate(**found[name])) == pytest.approx(numbers(getattr(wanted, name)), rel=CLOSE), (n, s)
        assert ("the error rises" in found["outside"]) == ("the error rises" in wanted.outside)
        unknown += "the error rises" in wanted.outside
    assert unknown >= 3


@pytest.mark.parametrize("study", [0, 3])
@pytest.mark.parametrize(
    ("target", "real", "synthetic", "hour", "own"),
    [(3.0, 1, 0, 0.05, 50), (3.0, 1, 0.3, 0, 50), (5.0, 0.2, 0.01, 10, 0), (2.1, 4, 0.001, 1, 300),
     (8.0, 1, 50, 0, 100), (0.4, 1, 0.01, 0, 100), (5.0, 1, 0.01, 0, 5000), (50.0, 1, 1, 1, 0)],
)  # fmt: skip
def test_finds_the_mix_that_predict_finds(
    tab: Tab,
    studies: list[dict[str, Any]],
    study: int,
    target: float,
    real: float,
    synthetic: float,
    hour: float,
    own: int,
) -> None:
    choose(tab, study)
    prices = {"cost-real": real, "cost-synthetic": synthetic, "cost-hour": hour}
    for field, value in {"target": target, "own": own, **prices}.items():
        tab.fill(f"calc-{field}", str(value))
    costs = calculator.Costs(real, synthetic, hour, own)
    wanted = calculator.cheapest(studies[study]["surface"], studies[study]["generation"], target / 100, costs)
    found = shown(tab, "mix")
    doubt = text(tab, "mix") if text(tab, "mix").startswith(("Not known yet", "Collect:")) else ""
    assert tab.evaluate("document.getElementById('calc-use').hidden") == (wanted.mix is None or bool(doubt))
    if doubt:  # the numbers of a mix that must not be recommended are found, and not shown
        assert study == 0 and wanted.mix is not None and wanted.mix.num_synthetic and found == {}
        prices = json.dumps({"real": real, "synthetic": synthetic, "coreHour": hour, "have": own})
        own_study = f"surfaces.surface, surfaces.generation, {target} / 100, {prices}"
        surfaces = f"JSON.parse(document.getElementById('surfaces').textContent).studies[{study}]"
        mix = tab.evaluate(f"(surfaces => expectation.cheapest({own_study}).mix)({surfaces})")
        assert (mix["real"], mix["synthetic"]) == (wanted.mix.num_real, wanted.mix.num_synthetic)
        return
    if wanted.mix is None:
        assert found == {}
        assert text(tab, "mix").startswith("No ")
        if wanted.reached is not None and wanted.reached.error.value is not None:
            assert f"{100 * wanted.reached.error.value:.2f} %" in text(tab, "mix")
        return
    assert found["real"] == wanted.mix.num_real and found["synthetic"] == wanted.mix.num_synthetic
    assert found["value"] == pytest.approx(wanted.mix.cost, rel=CLOSE)
    alone = wanted.collect_only
    assert shown(tab, "alone") == ({} if alone is None else {"value": pytest.approx(alone.cost, rel=CLOSE)})


def test_the_script_and_predict_agree_everywhere(tab: Tab, studies: list[dict[str, Any]]) -> None:
    """Three hundred points and forty mixes, on surfaces with holes: the script's functions, past the fields."""
    rng = random.Random(4)
    grid = json.loads(json.dumps(studies[2]["surface"]))
    for name in ("error_high", "equivalent", "marginal", "marginal_low"):
        for _ in range(12):
            grid[name][rng.randrange(len(grid[name]))][rng.randrange(len(grid["num_synthetic"]))] = None
    grid |= {"decided": [[50, True], [200, False], [400, False], [800, True]], "withheld": [[100, 100, ["average"]]]}
    points = [
        (round(18 * 140 ** rng.random()), round(rng.choice((0, 1)) * 20 * 900 ** rng.random())) for _ in range(300)
    ] + [(100, 100), (100, 101), (200, 100), (300, 300), (400, 100)]
    tab.evaluate(f"window.holed = {json.dumps(grid)}; 0")
    found = tab.evaluate(f"{json.dumps(points)}.map(([n, s]) => expectation.at(holed, n, s))")
    nothing = withheld = 0
    for (n, s), answer in zip(points, found, strict=True):
        wanted = calculator.expectation(grid, n, s)
        names = {"error": "error", "errorRealOnly": "error_real_only", "equivalent": "equivalent", "average": "average",
                 "marginal": "marginal"}  # fmt: skip
        for script, python in names.items():
            got = {name: value for name, value in answer[script].items() if value is not None}
            assert got == pytest.approx(numbers(getattr(wanted, python)), rel=CLOSE), (n, s, script)
            nothing += got == {}
        assert len(answer["outside"]) == len(wanted.outside)
        assert (tuple(answer["notEstimable"]), answer["why"]) == (wanted.not_estimable, wanted.why)
        withheld += bool(wanted.not_estimable)
    assert nothing > 50 and 20 < withheld < 200

    generation = studies[2]["generation"] + [{"num_real": 1000, "generator_seconds": 50.0, "seconds_per_image": 0.002}]
    for _ in range(40):
        target = rng.uniform(0.012, 0.2)
        prices = (10 ** rng.uniform(low, high) for low, high in ((-1, 1), (-4, 0), (-2, 2)))
        costs = calculator.Costs(*prices, have=rng.randrange(900))
        asked = {
            "real": costs.real,
            "synthetic": costs.synthetic,
            "coreHour": costs.core_hour,
            "have": costs.have,
        }
        answer = tab.evaluate(f"expectation.cheapest(holed, {json.dumps(generation)}, {target!r}, {json.dumps(asked)})")
        mixes = calculator.cheapest(grid, generation, target, costs)
        for name, mix in (
            ("mix", mixes.mix),
            ("collectOnly", mixes.collect_only),
            ("reached", mixes.reached),
        ):
            if mix is None:
                assert answer[name] is None
                continue
            assert answer[name]["real"] == mix.num_real and answer[name]["synthetic"] == mix.num_synthetic
            assert answer[name]["cost"] == pytest.approx(mix.cost, rel=CLOSE)


def test_works_by_keyboard_and_is_announced(tab: Tab) -> None:
    tab.evaluate("document.getElementById('calc-study').focus()")
    tab.fill("calc-synthetic", "200")
    tab.fill("calc-real", "100")
    tab.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "calc-real-slider"
    before = shown(tab, "error")["value"]
    for _ in range(50):
        tab.press("ArrowRight")
    assert float(tab.evaluate("document.getElementById('calc-real').value")) > 110
    assert shown(tab, "error")["value"] < before
    assert tab.evaluate("document.activeElement.getAttribute('aria-valuetext')") == tab.evaluate(
        "document.getElementById('calc-real').value"
    )
    tab.press("End")
    assert not tab.evaluate("document.getElementById('calc-outside').hidden")
    tab.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "calc-synthetic"
    tab.wait_for("document.querySelector('[aria-live=polite]').textContent.includes('extrapolated')")


def test_the_state_is_kept_in_the_address(tab: Tab, browser: Chromium, finished: Path) -> None:
    choose(tab, 2)
    for field, value in (("real", 321), ("synthetic", 1234), ("target", 4.5), ("cost-synthetic", 0.02)):
        tab.fill(f"calc-{field}", str(value))
    address = tab.evaluate("location.hash")
    again = open_page(browser, finished / "report.html", address)
    for identity in ("error", "equivalent", "marginal", "mix"):
        assert text(again, identity) == text(tab, identity)
    assert again.evaluate("document.getElementById('calc-study').value") == "2"
    again.evaluate("location.hash = '#real=70&synthetic=-5&target=zero&study=99'")
    again.wait_for("document.getElementById('calc-real').value === '70'")
    assert float(again.evaluate("document.getElementById('calc-synthetic').value")) >= 0
    assert again.complaints == []
    again.close()


def test_invalid_entries_change_nothing(tab: Tab) -> None:
    tab.fill("calc-real", "200")
    before = text(tab, "error")
    for wrong in ("-3", "0", "2.5"):
        tab.fill("calc-real", wrong)
        assert tab.evaluate("document.getElementById('calc-real').getAttribute('aria-invalid')") == "true"
        assert text(tab, "error") == before
    tab.press("Tab")
    assert tab.evaluate("document.getElementById('calc-real').value") == "200"


def test_the_button_shows_the_error_of_the_mix(tab: Tab) -> None:
    choose(tab, 2)
    for field, value in (("target", 3), ("own", 50), ("cost-synthetic", 0.001)):
        tab.fill(f"calc-{field}", str(value))
    mix = shown(tab, "mix")
    tab.evaluate("document.getElementById('calc-use').click()")
    assert float(tab.evaluate("document.getElementById('calc-real').value")) == mix["real"]
    assert 100 * shown(tab, "error")["value"] <= 3 * (1 + 1e-6)


def test_curves_and_their_table_show_the_prediction_grid(tab: Tab, studies: list[dict[str, Any]]) -> None:
    choose(tab, 3)
    tab.fill("calc-real", "200")
    tab.fill("calc-synthetic", "400")
    tab.wait_for("page.figures['expected-real'].data[5].hovertext?.[0]?.startsWith('200')")
    grid = studies[3]["surface"]
    rows = tab.evaluate(
        """[...document.querySelectorAll('#figure-expected-real ~ details tbody tr')]
        .map(r => [...r.cells].map(c => ({...c.dataset})))"""
    )
    assert len(rows) >= len(grid["num_real"])
    for count, error, equivalent, _ in rows:
        wanted = calculator.expectation(grid, float(count["value"]), 400)  # type: ignore[arg-type]
        assert {k: float(v) for k, v in error.items()} == pytest.approx(numbers(wanted.error), rel=CLOSE)
        assert {k: float(v) for k, v in equivalent.items()} == pytest.approx(numbers(wanted.equivalent), rel=CLOSE)
    drawn = tab.evaluate("page.figures['expected-real'].data[3].y")
    everything = tab.evaluate("page.figures['expected-real'].data[2].y")
    assert 0 < len(drawn) < len(everything)  # the solid line ends where the measured range does


def test_why_nothing_is_estimable_is_said_in_the_calculator(browser: Chromium, run_folder: Path) -> None:
    """One study whose laws do not hold has no rate for the next image; of one with a flat curve nothing is known."""
    laws = json.loads((run_folder / "laws.json").read_text())
    refused, flat = laws["studies"][2], laws["studies"][3]
    known = laws["studies"][1]["surface"]
    known["equivalent_low"] = [[value and value / 2 for value in row] for row in known["equivalent"]]
    refused["misfit"] = refused["surface"]["misfit"] = "no fitted law describes the measurements"
    for name in ("marginal", "marginal_low", "marginal_high"):
        refused["surface"][name] = [[None] * len(row) for row in refused["surface"][name]]
    for name in (f"{what}{end}" for what in ("equivalent", "marginal") for end in ("", "_low", "_high")):
        flat["surface"][name] = [[None] * len(row) for row in flat["surface"][name]]
    flat["exchange"] = [e | {"note": NOT_ESTIMABLE} for e in flat["exchange"]]
    (run_folder / "laws.json").write_text(json.dumps(laws))
    page.write(str(run_folder))
    tab = open_page(browser, run_folder / "report.html")
    said = {}
    for study in (1, 2, 3):
        choose(tab, study)
        tab.fill("calc-real", "200")
        tab.fill("calc-synthetic", "400")
        hidden = tab.evaluate("document.getElementById('calc-caution').hidden")
        said[study] = [hidden, *(text(tab, name) for name in ("caution", "equivalent", "average", "marginal"))]
    assert said[1][0] and said[3][0] and not said[2][0] and "not estimable" not in " ".join(said[1][1:])
    assert said[2][1].startswith("Caution: no fitted law describes the measurements; between the measured cells")
    assert said[2][2].endswith("real") and said[2][3].endswith("synthetic") and said[2][4] == "not estimable"
    assert said[3][2:] == ["not estimable: more real images are not shown to help"] * 3
    tab.fill("calc-own", "0")  # of the flat one: collecting is not recommended either
    assert "Collect" not in text(tab, "mix") + text(tab, "parts") + text(tab, "alone")
    assert text(tab, "mix").startswith(("Not known yet", "No mix"))
    assert tab.complaints == []
    tab.close()


def test_a_run_without_prediction_grids_has_no_calculator(run_folder: Path) -> None:
    laws = json.loads((run_folder / "laws.json").read_text())
    for study in laws["studies"]:
        for field in ("surface", "generation", "family", "open_set"):
            study.pop(field)
        for exchange in study["exchange"]:
            exchange.pop("tradeoff")
            exchange.pop("limit_interval")
    (run_folder / "laws.json").write_text(json.dumps(laws))
    html = page.build(str(run_folder))
    assert 'id="calculator"' not in html and "expectation" not in html.split("plotly.js")[0]
