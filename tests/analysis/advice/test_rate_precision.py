"""Exchange rates that are too uncertain are not given: by one rule in tables, the calculator and ``predict``."""

import dataclasses
import json
from types import SimpleNamespace

import pytest

from synaug_ray.analysis.advice.calculator import expectation
from synaug_ray.analysis.advice.prediction_text import expectation_sentences
from synaug_ray.analysis.advice.rate_precision import TOO_WIDE, UNDECIDED, decided_sizes, undecided, vague
from synaug_ray.analysis.advice.recommendation import estimable
from synaug_ray.analysis.exchange import IMPRECISE, precise, withheld_at
from synaug_ray.analysis.results import Exchange
from synaug_ray.laws.results import Estimate

NOTHING = Estimate(None)


@pytest.mark.parametrize(
    "rate,given",
    [
        (Estimate(5.0, 3.0, 9.0), True),
        (Estimate(5.0, 0.1, 10.0), True),  # a factor of 100
        (Estimate(5.0, 0.1, 10.1), False),
        (Estimate(2_008_590.0, 0.431, None), False),
        (Estimate(2.8, None, 9.0), False),
        (Estimate(2.8, 0.0, 9.0), False),
        (Estimate(43.6, None, None), False),  # open at both ends
    ],
)
def test_a_rate_needs_an_interval_that_says_something(rate, given):
    assert vague(rate, drawn=True) is not given
    assert not vague(rate, drawn=False)  # without replicates there are no intervals, and the page says so


def test_a_size_is_decided_by_any_amount():
    gains = [(20, -0.02, 0.03), (20, 0.01, 0.05), (40, -0.02, 0.03), (80, -0.09, -0.01), (160, None, None)]
    cells = [SimpleNamespace(num_real=n, gain_simultaneous=Estimate(0.0, low, high)) for n, low, high in gains]
    sizes = decided_sizes(cells)
    assert sizes == ((20, True), (40, False), (80, True), (160, True))
    assert undecided(sizes, 40) and not any(undecided(sizes, n) for n in (10, 20, 30, 60, 80, 500))
    assert undecided([[40, False], [80, False]], 60) and undecided([[40, False]], 10) and not undecided((), 40)


def exchange(**rates):
    found = {"marginal": Estimate(5.0, 3.0, 9.0), "average": Estimate(4.0, 3.0, 6.0)} | rates
    return Exchange(num_real=120, num_synthetic=480, reachable=True, limit=None, **found)


@pytest.mark.parametrize(
    "rates,gone,note",
    [
        ({}, (), ""),
        ({"marginal": Estimate(440_609.0, 2.0, None)}, ("marginal",), IMPRECISE),
        ({"average": Estimate(8_312.0, 1.0, 1e6)}, ("average",), "on average " + IMPRECISE),
        (
            {"average": Estimate(3.0, 1.0, None), "marginal": Estimate(3.0, 1.0, None)},
            ("average", "marginal"),
            IMPRECISE,
        ),
        ({"tradeoff": Estimate(3.0, None, 8.0)}, (), ""),
    ],
)
def test_the_table_withholds_what_is_vague_and_its_note_says_why_once(rates, gone, note):
    found = precise(exchange(**rates), drawn=True)
    assert found.note == note and found.tradeoff == NOTHING
    for name in ("average", "marginal"):
        assert (getattr(found, name) == NOTHING) == (name in gone)
    assert withheld_at([found]) == (((120, 480, gone),) if gone else ())
    assert estimable({"exchange": dataclasses.asdict(found)})  # of advice: only how much is not known well
    assert precise(exchange(**rates), drawn=False) == exchange(**rates)


def grid(**more):
    """Constant tables: 44 real images' worth, 8 synthetic ones for the next."""
    tables = {"error": (0.3, 0.2, 0.4), "equivalent": (44.0, 20.0, 90.0), "marginal": (8.0, 4.0, 16.0)}
    tables |= {name: more.pop(name) for name in tables if name in more}
    flat = {
        name + end: [[value] * 2] * 2
        for name, of in tables.items()
        for end, value in zip(("", "_low", "_high"), of, strict=True)
    }
    ranges = {"measured_num_real": [60, 240], "measured_real_only": [60, 240], "measured_num_synthetic": 960,
              "measured_multiple": 4.0}  # fmt: skip
    axes = {"num_real": [60.0, 240.0], "num_synthetic": [0.0, 960.0]}
    return json.loads(json.dumps(axes | ranges | flat | more))


@pytest.mark.parametrize(
    "changed,gone,why",
    [
        ({}, (), ""),
        ({"equivalent": (44.0, -26.0, 424.0)}, ("average",), TOO_WIDE),
        ({"marginal": (2_008_590.0, 0.431, None)}, ("marginal",), TOO_WIDE),
        ({"decided": [[120, False], [240, True]]}, ("equivalent", "average", "marginal"), UNDECIDED),
        ({"decided": [[120, True], [240, False]]}, (), ""),
        ({"withheld": [[120, 120, ["average"]], [240, 120, ["marginal"]]]}, ("average",), TOO_WIDE),
    ],
)
def test_predict_gives_no_number_that_the_tables_do_not_give(changed, gone, why):
    at = expectation(grid(**changed), 120, 120)
    assert (at.not_estimable, at.why) == (gone, why) and at.error.value == pytest.approx(0.3)
    for name in ("equivalent", "average", "marginal"):
        assert (getattr(at, name).value is None) == (name in gone)
    said = " ".join(expectation_sentences(at, 0.9, "test_error"))
    assert "not reachable" not in said and said.count(why or "not estimable") == bool(why)
    if "equivalent" in gone:
        assert f"Worth in real images: not estimable (20 to 90): {UNDECIDED}." in said
    assert json.dumps(dataclasses.asdict(at), allow_nan=False)


def test_without_intervals_predictions_stay_as_they_were():
    bare = grid(error=(0.3, None, None), equivalent=(44.0, None, None), marginal=(8.0, None, None))
    at = expectation(bare, 120, 120)
    assert (at.average.value, at.marginal.value) == (pytest.approx(120 / 44), pytest.approx(8.0)) and not at.why
