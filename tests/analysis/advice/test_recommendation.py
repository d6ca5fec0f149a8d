"""What is recommended, from planted verdicts, rates and real-only errors, and what must never be."""

import itertools
from typing import Any

import pytest

from synaug_ray.analysis.advice.more_real import Known, more_real
from synaug_ray.analysis.advice.recommendation import (
    Advice,
    around,
    estimable,
    lead,
    recommend,
    recommendations,
    unknown_mix,
    usable,
)
from synaug_ray.analysis.guessing import guessing

STUDY = {"classifier": "mlp", "generator": "edm", "protocol": "mixed", "real_share": "0.5", "family": "edm"}
KNOWN = {"marginal": {"value": 12.0, "low": 8.0, "high": 30.0}, "reachable": True, "note": ""}
UNKNOWN = {
    "marginal": {"value": None},
    "reachable": True,
    "note": "not estimable: more real images are not shown to help",
}
SATURATED = {"marginal": {"value": None}, "reachable": False, "note": "not reachable: no amount replaces more than 9"}
OPPOSED = {
    "marginal": {"value": None},
    "reachable": True,
    "note": "not estimable: the measurement contradicts the fitted laws here",
}
OUTCOMES = ("helps", "hurts", "no effect", "undecided")


def estimate(value, half=0.01):
    return {"value": value, "low": value - half, "high": value + half}


def verdict(outcome, n=100, gain=None, exchange=KNOWN, **fields):
    typical = {"helps": 0.03, "hurts": -0.03, "no effect": 0.001, "undecided": 0.004}
    gain = typical[outcome] if gain is None else gain
    return (
        STUDY
        | {
            "num_real": n,
            "outcome": outcome,
            "best_multiple": 4.0,
            "gain": estimate(gain),
            "equivalent": {"value": 40.0 if outcome == "helps" else None, "low": None, "high": None},
            "exchange": exchange,
            "smallest_detectable_gain": 0.012,
            "open_set": False,
        }
        | fields
    )


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_training_on_synthetic_images_alone_tells_only_by_a_gain_what_adding_them_does(outcome):
    alone = verdict(outcome, protocol="synthetic-only", real_share="none")
    told = recommend(laws(), [alone], 100)
    assert (told.advice is Advice.NOT_KNOWN) == (outcome != "helps")
    if outcome != "helps":
        assert "protocols: [mixed]" in told.next_step
    beside = recommend(laws(), [alone, verdict("hurts")], 100)
    assert beside.advice is (Advice.COLLECT if outcome != "helps" else told.advice)


def laws(errors=((50, 0.30), (100, 0.25), (200, 0.20)), half=0.005, draws=6, notes=("",)) -> dict[str, Any]:
    points = [{"num_real": n, "error": estimate(e, half)} for n, e in errors]
    study = STUDY | {"exchange": [{"note": note} for note in notes], "generation": []}
    return {
        "draws": draws,
        "test_images": 600,
        "delta": 0.01,
        "real": [{"classifier": "mlp", "points": points}],
        "studies": [study],
    }


def test_helps_with_known_rates_generates_the_measured_mix():
    # The next size, 200, was measured to bring 1 point; generating brings 3.
    found = recommend(laws(errors=((50, 0.30), (100, 0.25), (200, 0.24)), half=0.001), [verdict("helps")], 100)
    assert found.advice is Advice.GENERATE and found.generates
    assert (found.generator, found.real_share, found.multiple) == ("edm", "0.5", 4.0)
    assert "400 synthetic images for 100 real ones" in found.title and "50% of each training batch real" in found.title


def test_either_where_collecting_up_to_the_next_size_brought_more():
    found = recommend(laws(), [verdict("helps")], 100)  # 0.25 -> 0.20: 5 points against 3
    assert found.advice is Advice.EITHER and "collecting up to 200 lowers it by 5 points" in found.reason
    assert "one more real image does what about 12 synthetic ones do" in found.next_step
    saturated = recommend(laws(), [verdict("helps", exchange=SATURATED)], 100)
    assert saturated.advice is Advice.EITHER and "would replace no real one" in saturated.next_step


@pytest.mark.parametrize("exchange", [UNKNOWN, OPPOSED, None, {"marginal": {"value": None}, "reachable": True}])
def test_rates_that_are_not_estimable_recommend_nothing_whatever_the_gain(exchange):
    found = recommend(laws(), [verdict("helps", gain=0.2, exchange=exchange)], 100)
    assert found.advice is Advice.NOT_KNOWN and not found.generates and found.next_step
    assert "lower the error by 20 points" in found.reason  # what was measured is said all the same


@pytest.mark.parametrize("outcome", ["no effect", "hurts"])
def test_collect_needs_more_real_images_that_were_measured_to_help(outcome):
    assert recommend(laws(), [verdict(outcome)], 100).advice is Advice.COLLECT
    flat = laws(errors=((50, 0.25), (100, 0.25), (200, 0.251)))
    found = recommend(flat, [verdict(outcome)], 100)
    assert found.advice is Advice.NOT_KNOWN and "were not shown to help" in found.reason
    told = laws(notes=("not estimable: more real images are not shown to help",))
    assert recommend(told, [verdict(outcome)], 100).advice is Advice.NOT_KNOWN


def test_at_the_largest_size_what_counts_is_the_last_step_of_the_curve():
    falling_then_flat = laws(errors=((50, 0.40), (100, 0.25), (200, 0.249)))
    assert recommend(falling_then_flat, [verdict("hurts", n=200)], 200).advice is Advice.NOT_KNOWN
    assert recommend(falling_then_flat, [verdict("hurts", n=50)], 50).advice is Advice.COLLECT


def test_two_draws_are_too_few_to_say():
    # 10 points lower with every draw, but the interval of two draws is as wide as the error.
    found = more_real(laws(errors=((50, 0.35), (100, 0.25)), half=0.2, draws=2), "mlp", 50)
    assert found.known is Known.TOO_FEW
    found = recommend(laws(errors=((50, 0.35), (100, 0.25)), half=0.2, draws=2), [verdict("no effect", n=50)], 50)
    assert found.advice is Advice.NOT_KNOWN and "too few draws" in found.reason and "draws=6" in found.next_step


def test_no_fewer_draws_are_advised_than_are_called_enough():
    """The card said 'draws=4 would probably decide it' above '3 draws are few: use six or more'."""
    few = verdict("undecided", deciding_draws=4, deciding_range=(4, 9))
    (found,) = recommendations(laws(draws=3), [few])
    assert "draws=6" in found.next_step and "use six or more" in found.sure


def test_undecided_says_what_would_decide_it_and_what_that_costs():
    found = recommend(laws(), [verdict("undecided", deciding_draws=14)], 100, draw_seconds=600)
    assert found.advice is Advice.NOT_KNOWN and "draws=14 (about 80 minutes more" in found.next_step
    found = recommend(laws(), [verdict("undecided", deciding_draws=452)], 100, draw_seconds=600)
    assert (
        "draws=" not in found.next_step and "452 draws (about 3 days" in found.next_step and "delta" in found.next_step
    )
    found = recommend(laws(), [verdict("undecided", deciding_draws=None)], 100)
    assert "more test images" in found.next_step
    found = recommend(laws(draws=1), [verdict("undecided")], 100)
    assert "draws=6" in found.next_step and "1 draw is few" in found.sure


def test_a_generator_that_saw_more_real_images_is_none_to_have():
    open_set = verdict("helps", gain=0.3, generator="edm-open", open_set=True)
    assert not usable(open_set) and usable(open_set | {"family": "pretrained"})
    assert recommend(laws(), [open_set], 100).advice is Advice.NOT_KNOWN
    assert recommend(laws(), [open_set, verdict("hurts")], 100).advice is Advice.COLLECT


def test_controls_alone_answer_nothing():
    found = recommend(laws(), [verdict("helps", generator="jitter", family="jitter")], 100)
    assert found.advice is Advice.NOT_KNOWN and "plain jitter brings 3 points" in found.reason and not found.learnt
    found = recommend(laws(), [verdict("helps", generator="twin", family="real-holdout")], 100)
    assert "plain" not in found.reason


def test_a_baseline_that_brings_as_much_is_named():
    found = recommend(laws(), [verdict("helps"), verdict("helps", gain=0.04, generator="jitter", family="jitter")], 100)
    assert found.generator == "edm" and "Plain jitter brings as much" in found.reason


def test_defects_of_the_generator_stand_in_the_reason():
    quality = {
        "columns": ["generator", "real images seen", "found", "shows the requested class", "real images do", "near-copies"],
        "rows": [
            ["edm", 100, "confuses labels in 2 of 3 draws, collapsed", "60.0%", "93.1%", "1.0%"],
            ["edm", 50, "copies", "60.0%", "93.1%", "100.0%"],
            ["other", 100, "unreal", None, None, None],
        ],
    }  # fmt: skip
    for outcome in OUTCOMES:
        reason = recommend(laws(), [verdict(outcome)], 100, quality).reason
        assert "The images of edm show the class asked for in only 60% of cases (real images: 93.1%)" in reason
        assert "have little variety" in reason and "nearly repeat" not in reason and "unlike real" not in reason
    assert "100% of cases" in recommend(laws(), [verdict("hurts", n=50)], 50, quality).reason


@pytest.mark.parametrize("outcomes", list(itertools.product(OUTCOMES, repeat=2)))
@pytest.mark.parametrize("exchange", [KNOWN, UNKNOWN, SATURATED, OPPOSED, None])
def test_whatever_the_verdicts_no_mix_is_recommended_that_they_do_not_show(outcomes, exchange):
    shares = ("proportional", "0.5")
    verdicts = [verdict(o, exchange=exchange, real_share=s) for o, s in zip(outcomes, shares, strict=True)]
    found = recommend(laws(), verdicts, 100)
    if found.generates:
        chosen = next(v for v in verdicts if v["real_share"] == found.real_share)
        assert chosen["outcome"] == "helps" and estimable(chosen)
    else:
        assert not any(v["outcome"] == "helps" and estimable(v) for v in verdicts)
    if found.advice is Advice.COLLECT:
        assert set(outcomes) <= {"hurts", "no effect"}
    assert found.reason.endswith(".") and found.next_step.endswith(".") and found.sentence


def behind(*differences, classifier="head", half=0.01):
    """What ``laws.json`` has of a classifier whose error at each amount is by so much above mlp's without any."""
    place = STUDY | {"classifier": classifier, "num_real": 100, "best": "mlp"}
    return [place | {"num_synthetic": 100 * i, "difference": estimate(d, half)} for i, d in enumerate(differences, 1)]


@pytest.mark.parametrize("differences,left_out", [((0.10, 0.08), True), ((0.10, 0.005), False), ((0.02, -0.03), False)])
def test_a_classifier_that_stays_behind_another_without_synthetic_images_advises_nothing(differences, left_out):
    """A head at 40% that synthetic images bring to 33% is of no use to who has a network at 25%."""
    told = laws() | {"behind": behind(*differences)}
    own, other = verdict("no effect"), verdict("helps", classifier="head")
    found = recommend(told, [own, other], 100)
    assert found.generates != left_out and ("head is left out" in found.sure) == left_out
    if left_out:
        assert "8.0 points (7.0 to 9.0) above that of mlp without any" in found.sure  # of the nearest of its cells
        assert recommend(told, [own], 100).advice is found.advice
    assert recommend(told, [other], 100).generates  # nothing better was measured with synthetic images
    for cell in told["behind"]:  # an end that is not known rules nothing out
        cell["difference"]["low"] = None
    assert recommend(told, [own, other], 100).generates


def test_the_card_says_where_the_end_of_the_curve_is_trained_too_short():
    lengths = [{"classifier": "mlp", "num_real": n, "ended": "not trained to its end"} for n in (50, 200)]
    found = recommend(laws() | {"training_lengths": lengths}, [verdict("no effect")], 100)
    assert "At 200 real images mlp is not trained to its end: more real images may bring more" in found.sure
    assert (
        "may bring more" not in recommend(laws() | {"training_lengths": lengths[:1]}, [verdict("no effect")], 100).sure
    )


def with_head(error):
    told = laws()
    told["real"].append({"classifier": "head", "points": [{"num_real": 100, "error": estimate(error, 0.02)}]})
    return told


@pytest.mark.parametrize("outcome", ["helps", "undecided"])
@pytest.mark.parametrize("exchange", [KNOWN, UNKNOWN])
def test_of_several_classifiers_the_advice_is_about_the_one_with_the_lowest_error(outcome, exchange):
    """12 points of a head at 36% leave 24%; 3 points of a network at 25% leave 22%."""
    both = [verdict(outcome, gain=0.03, exchange=exchange), verdict(outcome, gain=0.12, classifier="head")]
    found = recommend(with_head(0.36), both, 100)
    assert "by 3 points" in found.reason
    assert found.generates == (outcome == "helps" and exchange is KNOWN)
    assert not found.generates or found.classifier == "mlp"
    better = recommend(with_head(0.32), both, 100)  # leaves 20%
    assert "by 12 points" in better.reason and better.generates == (outcome == "helps")
    # plain jitter of the other one is no rival
    rival = verdict("helps", gain=0.2, generator="jitter", family="jitter", classifier="head")
    assert recommend(with_head(0.36), [*both, rival], 100).reason == found.reason


@pytest.mark.parametrize("own", ["undecided", "no effect"])
def test_a_gain_that_leaves_more_errors_than_another_classifier_has_generates_nothing(own):
    """9 points of a head at 40% leave 31%, and the network has 25% without any."""
    found = recommend(with_head(0.40), [verdict(own), verdict("helps", gain=0.09, classifier="head")], 100)
    assert found.advice is Advice.NOT_KNOWN
    if own == "undecided":
        assert "0.4 points" in found.reason
    else:
        assert "leaves 31.0%, and mlp has 25.0% without any" in found.reason and "Take mlp" in found.next_step


def test_the_top_of_a_page_is_the_largest_size_where_a_learner_was_measured():
    control = {"generator": "jitter", "family": "jitter"}
    verdicts = [verdict("hurts", n=50), verdict("helps", n=100), verdict("helps", n=200, **control)]
    found = recommendations(laws(), verdicts)
    assert [r.num_real for r in found] == [50, 100, 200]
    top = lead(found)
    assert top is not None and top.num_real == 100 and lead(()) is None


def test_between_sizes_both_neighbours_have_to_agree():
    found = recommendations(laws(), [verdict("helps", n=50), verdict("undecided", n=100), verdict("helps", n=200)])
    assert [r.num_real for r in around(found, 70)] == [50, 100] and [r.num_real for r in around(found, 500)] == [200]
    assert unknown_mix(found, 50, 10) == "" and unknown_mix(found, 70, 0) == ""
    assert unknown_mix(found, 70, 10).startswith("Not known yet: At 100 real images")
    assert unknown_mix((), 70, 10).startswith("Not known yet")
    hurting = recommendations(laws(), [verdict("hurts", n=50)])
    assert unknown_mix(hurting, 50, 10).startswith("Collect:")


@pytest.mark.parametrize("pair", [("hurts", "undecided"), ("undecided", "no effect"), ("no effect", "undecided")])
def test_what_one_neighbour_leaves_open_is_open_between_the_two(pair):
    """A real run: no effect at 80, undecided at 160, and at 146 'synthetic images would only add to the cost'."""
    found = recommendations(laws(), [verdict(word, n=n) for word, n in zip(pair, (50, 100), strict=True)])
    assert unknown_mix(found, 70, 1).startswith("Not known yet")


def test_an_old_or_empty_file_breaks_nothing():
    assert recommendations(None, []) == ()
    bare = {"generator": "edm", "classifier": "mlp", "protocol": "mixed", "real_share": "0.5", "num_real": 5,
            "outcome": "helps", "gain": {"value": 0.1}}  # fmt: skip
    assert recommend(None, [bare], 5, {"rows": 3}).advice is Advice.NOT_KNOWN


def curve(*words, n=100, seconds=3_600.0, generators=("edm", "edm-x4")):
    study = {k: STUDY[k] for k in ("classifier", "protocol", "real_share")}
    return study | {"num_real": n, "generators": list(generators), "words": list(words), "next_seconds": seconds}


@pytest.mark.parametrize("outcome", ["hurts", "no effect"])
@pytest.mark.parametrize(
    "words,told,step",
    [
        (("still rising", "settled"), False, "longer training of this one changes nothing"),
        (("still rising", "copying"), False, "only makes it copy"),
        (("settled", "still rising"), True, "its gain still rises with the length of training; four times as long"),
        (("still rising", "falling"), True, "for less long (budgets)"),
        (("not known", "not known"), True, "Or measure more draws"),
    ],
)
def test_no_gain_is_told_of_this_generator_at_this_budget_where_its_longest_training_is_not_settled(
    outcome, words, told, step
):
    verdicts = [
        verdict(outcome, generator=name, training=word) for name, word in zip(("edm", "edm-x4"), words, strict=True)
    ]
    found = recommend(laws() | {"budgets": [curve(*words), curve("settled", "settled", n=200)]}, verdicts, 100)
    assert found.advice is Advice.COLLECT
    assert ("with this generator at this budget" in found.reason) is told and step in found.next_step
    assert ("60 minutes of one core or GPU for each" in found.next_step) is (words[-1] == "still rising")


def test_a_length_without_others_is_told_as_such_and_an_older_run_as_before():
    one = recommend(laws(), [verdict("hurts", training="not known")], 100)
    two = [verdict("hurts", training="not known", generator=name) for name in ("edm", "edm+inliers", "gan")]
    assert "with these generators at this budget" in recommend(laws(), two, 100).reason
    assert "with this generator at this budget" in recommend(laws(), two[:2], 100).reason
    assert "at this budget" in one.reason and "budgets: [1, 4] in the grid tells" in one.next_step
    older = recommend(laws(), [verdict("hurts")], 100)
    assert "budget" not in older.reason and older.next_step == "Or try a better generator, trained longer."
    helps = recommend(laws(), [verdict("helps", training="still rising")], 100)
    assert "budget" not in helps.sentence


GUESS: dict[
    str, tuple[float, tuple[float, ...], bool]
] = {  # of the best answer without looking; errors at 50, 100, 200 real images; whether that is hardly better
    "six classes, flat": (5 / 6, (0.772, 0.774, 0.739), True),
    "six classes, learnt": (5 / 6, (0.70, 0.60, 0.55), False),
    "two classes": (0.5, (0.50, 0.49, 0.44), True),
    "two classes, learnt": (0.5, (0.45, 0.40, 0.36), False),
    "a rare class that plain error hides": (0.1, (0.10, 0.10, 0.10), True),
    "a hundred classes, a fifth of them right": (0.99, (0.90, 0.85, 0.80), False),
    "a hundred classes": (0.99, (0.99, 0.985, 0.985), True),
    "guessing only at the smallest size": (0.9, (0.89, 0.60, 0.40), False),
    "worse than guessing": (0.5, (0.55, 0.52, 0.53), True),
}


@pytest.mark.parametrize("chance,errors,hardly", GUESS.values(), ids=GUESS.keys())
@pytest.mark.parametrize("outcome", ["hurts", "no effect", "undecided"])
def test_a_classifier_that_guesses_comes_before_all_else(chance, errors, hardly, outcome):
    of = laws(errors=tuple(zip((50, 100, 200), errors, strict=True)), half=0.1, draws=2) | {"chance_error": chance}
    assert [g.num_real for g in guessing(of)] == [200] * hardly
    found = recommend(of, [verdict(outcome, n=n, deciding_draws=88) for n in (50, 200)], 200, draw_seconds=115.0)
    assert ("hardly better than guessing" in found.reason) is hardly
    if hardly:
        assert found.advice is Advice.NOT_KNOWN and "draws=" not in found.next_step
        assert (
            f"({100 * errors[-1]:.0f}% errors with 200" in found.reason and f"; {100 * chance:.0f}% by" in found.reason
        )
        assert all(word in found.next_step for word in ("classifier", "data.size", "nimg"))


def test_guessing_is_read_off_older_files_too_and_another_classifier_that_sees_decides():
    older: dict[str, Any] = laws(errors=((50, 0.80), (100, 0.75))) | {"num_classes": 6}
    assert len(guessing(older)) == 1 and guessing(laws()) == ()
    both = older | {"real": [*older["real"], {**laws()["real"][0], "classifier": "cnn"}]}
    assert recommend(both, [verdict("hurts"), verdict("hurts", classifier="cnn")], 100).advice is Advice.COLLECT
    assert recommend(both, [verdict("hurts")], 100).advice is Advice.NOT_KNOWN
    helped = recommend(older, [verdict("helps")], 100)
    assert helped.generates and "guessing" not in helped.reason


def with_cells(of, *highs, n=100):
    """``of`` with the amounts measured at ``n``: the upper ends of their own intervals."""
    cells = [{"num_real": n, "num_synthetic": n * i, "gain": estimate(h - 0.03, 0.03)} for i, h in enumerate(highs, 1)]
    return of | {"studies": [of["studies"][0] | {"cells": cells}]}


LOSING = {"gain": {"value": -0.092, "low": -0.184, "high": 0.0002}, "deciding_draws": 5}
IGNORES = {
    "columns": ["generator", "real images seen", "found", "shows the requested class", "real images do"],
    "rows": [["edm", 100, "ignores labels", "20.9%", "98.7%"]],
}


@pytest.mark.parametrize("highs,settled", [((), True), ((-0.03, 0.009), True), ((-0.05, 0.02), False)])
@pytest.mark.parametrize("beside", ["undecided", "hurts", "no effect"])
def test_an_undecided_loss_answers_whether_to_generate(highs, settled, beside):
    of = with_cells(laws(), *highs) if highs else laws()
    verdicts = [
        verdict("undecided") | LOSING,
        verdict(beside, real_share="0.9") | (LOSING if beside == "undecided" else {}),
    ]
    found = recommend(of, verdicts, 100)
    assert (found.advice is Advice.COLLECT) is settled
    assert settled or "draws=" in found.next_step
    flat = recommend(of | {"real": laws(errors=((50, 0.25), (100, 0.25), (200, 0.25)))["real"]}, verdicts, 100)
    assert flat.advice is Advice.NOT_KNOWN and ("synthetic images of edm do not pay here" in flat.title) is settled


def test_a_margin_as_large_as_the_error_settles_nothing():
    small = laws(errors=((50, 0.05), (100, 0.03), (200, 0.02)), half=0.001)
    tied = verdict("undecided", gain=-0.002)  # below 0.8 points, of an error of 3
    assert recommend(small, [tied], 100).advice is Advice.NOT_KNOWN
    assert recommend(laws(), [tied], 100).advice is Advice.COLLECT


@pytest.mark.parametrize(
    "one", [verdict("undecided", deciding_draws=9), verdict("undecided") | LOSING, verdict("hurts")]
)
def test_a_generator_that_ignores_labels_is_the_reason_and_is_trained_longer_not_drawn_more(one):
    found = recommend(laws(), [one], 100, IGNORES, draw_seconds=170.0)
    told = "The images of edm hardly depend on the class asked for, which 20.9% show (real images: 98.7%)."
    assert found.reason.startswith(told) and "draws=" not in found.next_step
    assert "longer" in found.next_step and "budgets" in found.next_step and "nimg" in found.next_step
    assert recommend(laws(), [verdict("helps")], 100, IGNORES).generates  # what helps, helps


def test_the_cost_of_more_draws_says_of_what():
    found = recommend(laws(), [verdict("undecided", deciding_draws=14)], 100, draw_seconds=600)
    assert "about 80 minutes more of one core or GPU for the whole grid" in found.next_step


def test_the_numbers_of_a_claim_are_of_the_interval_that_it_rests_on():
    """The interval for all cells at once leaves room for a gain; that of the cell alone, which decides, does not."""
    told = laws()
    own = {"value": -0.012, "low": -0.029, "high": 0.004}
    told["studies"][0]["cells"] = [{"num_real": 100, "num_synthetic": 400, "gain": own}]
    wide = verdict("undecided") | {"gain": {"value": -0.012, "low": -0.044, "high": 0.019}}
    found = recommend(told, [wide], 100)
    assert found.advice is Advice.COLLECT
    assert "1.2 points (-0.4 to 2.9) higher" in found.reason and "4.4" not in found.reason
