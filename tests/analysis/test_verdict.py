"""The four verdicts from intervals, what deciding would cost, and the sentences."""

import math
from dataclasses import replace

import pytest

from synaug_ray.analysis.deciding import CellNoise
from synaug_ray.analysis.results import Cell, Censoring, Outcome
from synaug_ray.analysis.study_key import StudyKey
from synaug_ray.analysis.verdict import Failures, Margin, judge, outcome_of
from synaug_ray.analysis.verdict_text import headline, span
from synaug_ray.laws.results import Estimate
from synaug_ray.laws.simultaneous import Look


def gains(*pairs):
    return [Estimate((low + high) / 2, low, high) for low, high in pairs]


@pytest.mark.parametrize(
    ("intervals", "outcome"),
    [
        (gains((0.001, 0.02), (-0.03, -0.01)), Outcome.HELPS),
        (gains((-0.001, 0.02), (-0.03, -0.01)), Outcome.HURTS),
        (gains((-0.009, 0.009), (-0.002, 0.008)), Outcome.NO_EFFECT),
        (gains((-0.009, 0.009), (-0.002, 0.012)), Outcome.UNDECIDED),
        ([Estimate(0.3)], Outcome.UNDECIDED),
        ([Estimate(0.0), *gains((-0.001, 0.001))], Outcome.UNDECIDED),
    ],
)
def test_outcome(intervals, outcome):
    assert outcome_of(intervals, intervals, 0.01) is outcome


def test_no_effect_rests_on_each_cell_s_own_interval_and_effects_on_the_wider_ones():
    own, wider = gains((-0.009, 0.009), (0.001, 0.008)), gains((-0.02, 0.02), (-0.004, 0.013))
    assert outcome_of(wider, own, 0.01) is Outcome.NO_EFFECT
    assert outcome_of(own, own, 0.01) is Outcome.HELPS


def cell(multiple, low, high, n=40):
    gain = Estimate((low + high) / 2, low, high)
    return Cell(
        num_real=n,
        num_synthetic=int(n * multiple),
        synthetic_multiple=multiple,
        trials=12,
        error=Estimate(0.2),
        gain=gain,
        gain_simultaneous=gain,
        equivalent=Estimate(5.0, 2.0, 9.0),
        equivalent_simultaneous=Estimate(5.0, 1.0, 1_400.0),
        censoring=Censoring.NONE,
        held_out=False,
    )


NOISE = CellNoise(3.0, 2.0, 2e-5, 1e-6, 15.0)


def verdict(*cells, noise=NOISE, draws=6, error=0.2, delta=0.01, relative_delta=None, failures=None):
    return judge(
        StudyKey("mlp", "edm", "mixed", "0.5"),
        list(cells),
        {},
        {(c.num_real, c.num_synthetic): noise for c in cells},
        margin=Margin.at(error, delta, relative_delta),
        spread=1e-4,
        looks=[Look(draws, 0.6)],
        failures=failures or {},
        seconds_per_draw=30.0,
        why_undecided="",
    )


def test_helps_speaks_of_the_best_amount_and_says_that_more_hurts():
    answer = verdict(cell(1, 0.01, 0.03), cell(4, 0.02, 0.06), cell(8, -0.05, -0.01))
    assert answer.outcome is Outcome.HELPS
    assert answer.best_multiple == 4
    assert "adding 4 synthetic images per real one lowers the error by 4.0 points (+2.0 to +6.0)" in answer.sentence
    assert "Adding 8 synthetic images per real one hurts." in answer.sentence


def test_gain_and_worth_have_intervals_of_one_kind():
    """Those of all cells at once, and for "no effect" those of the cell, which decide it."""
    answer = verdict(replace(cell(4, 0.02, 0.06), num_real=3_020))
    assert answer.gain == cell(4, 0.02, 0.06).gain_simultaneous and answer.equivalent == Estimate(5.0, 1.0, 1_400.0)
    assert (
        "At 3,020 real images" in answer.sentence and "worth about 5 more real images (1 to 1,400)" in answer.sentence
    )
    assert verdict(cell(1, -0.003, 0.015)).equivalent == Estimate(5.0, 1.0, 1_400.0)
    nothing = verdict(cell(1, -0.003, 0.004))
    assert nothing.outcome is Outcome.NO_EFFECT and nothing.equivalent == Estimate(5.0, 2.0, 9.0)


def test_hurts_states_the_harm_as_a_positive_number():
    answer = verdict(cell(1, -0.01, 0.01), cell(8, -0.05, -0.01))
    assert answer.outcome is Outcome.HURTS
    assert "adding 8 synthetic images per real one raises the error by 3.0 points (+1.0 to +5.0)" in answer.sentence


def test_undecided_says_what_deciding_costs():
    answer = verdict(cell(1, -0.003, 0.015))
    assert answer.outcome is Outcome.UNDECIDED
    assert answer.deciding_draws is not None and answer.deciding_range is not None
    even, likely = answer.deciding_range
    assert 6 < even <= answer.deciding_draws <= (likely or math.inf)
    assert answer.deciding_seconds == (answer.deciding_draws - 6) * 30.0
    assert f"About {answer.deciding_draws} draws instead of 6 would decide it with a chance of 80%" in answer.sentence
    assert f"({even} draws for an even chance" in answer.sentence
    assert answer.smallest_detectable_gain == pytest.approx(0.009)
    limited = verdict(cell(1, -0.003, 0.015), noise=replace(NOISE, image=1e-4))
    assert (limited.deciding_draws, limited.deciding_range) == (None, None)
    assert "the test set is too small" in limited.sentence


def test_no_effect_is_refused_where_the_margin_is_large_against_the_error():
    """At an error of 1%, +-1 point holds everything from no error at all to twice as many."""
    small = cell(1, -0.004, 0.006)
    assert verdict(small).outcome is Outcome.NO_EFFECT
    refused = verdict(small, error=0.01)
    assert refused.outcome is Outcome.UNDECIDED and refused.margin == 0.01
    assert "All lies within ±1 point, but the real-only error here is 1.0 points" in refused.sentence
    assert "Set relative_delta: 0.1" in refused.sentence
    assert verdict(small, error=0.04).outcome is Outcome.NO_EFFECT  # a quarter is the widest
    assert verdict(small, error=0.0399).outcome is Outcome.UNDECIDED


def test_a_relative_margin_follows_the_error():
    small = cell(1, -0.004, 0.006)
    wide, narrow = (verdict(small, error=e, relative_delta=0.1) for e in (0.2, 0.02))
    assert (wide.outcome, wide.margin) == (Outcome.NO_EFFECT, pytest.approx(0.02))
    assert "no effect larger than 2 points" in wide.sentence
    assert (narrow.outcome, narrow.margin) == (Outcome.UNDECIDED, pytest.approx(0.002))


def test_failed_generators_are_told_with_every_verdict():
    found = verdict(cell(4, 0.02, 0.06), failures={160: Failures(2, 8, 0.013)})
    assert (found.failed_draws, found.tried_draws, found.gain_if_failed) == (2, 8, 0.013)
    assert found.sentence.endswith(
        "This is given that the generator trains: 2 of 8 did not (25%). With the worst gain seen in their place it would "
        "be +1.3 points."
    )


def test_headline_puts_learnt_generators_before_controls_and_says_when_jitter_is_as_good():
    helps = verdict(cell(4, 0.02, 0.06))
    text = headline((helps,), {"edm": ("plain jitter of the real images", "classical augmentation")})
    assert text.startswith("edm helps at 40 real images")
    assert "is not shown to beat plain jitter of the real images or classical augmentation" in text
    assert "jitter" not in headline((helps,), {})
    assert headline((), {}) == "No cell with synthetic images has been measured yet."


def test_headline_names_the_classifier_where_they_differ():
    """One that is hurt says nothing about another."""
    hurts, unclear = verdict(cell(4, -0.06, -0.02)), verdict(cell(4, -0.03, 0.03))
    both = headline((replace(hurts, classifier="cnn"), replace(unclear, classifier="frozen")), {})
    assert both.startswith("edm: with cnn, it hurts at 40 real images") and "with frozen, it is undecided" in both
    alike = headline((replace(hurts, classifier="cnn"), replace(hurts, classifier="frozen")), {})
    assert alike.startswith("edm hurts at 40 real images")


def test_headline_is_about_adding_images_where_that_was_measured():
    alone = replace(verdict(cell(4, -0.06, -0.02)), protocol="synthetic-only")
    unclear = verdict(cell(4, -0.03, 0.03))
    assert headline((alone, unclear), {}).startswith("edm is undecided at 40")
    assert headline((alone,), {}).startswith("edm hurts at 40")


def test_open_ends_are_said_as_such():
    assert span(Estimate(None, 0.01, None)) == "at least +1.0"
    assert span(Estimate(None, None, 0.01)) == "at most +1.0"


def test_headline_says_which_generator_saw_more_real_images():
    helps = verdict(cell(4, 0.02, 0.06))
    closed, opened = replace(helps, generator="z-edm"), replace(helps, generator="a-edm", open_set=True)
    text = headline((opened, closed), {})
    assert text.index("z-edm helps") < text.index("a-edm (open-set: trained on more real images) helps")
    some = (replace(closed, open_set=True), replace(closed, num_real=80))
    for order in (some, some[::-1]):
        assert "z-edm (open-set at 40: trained on more real images)" in headline(order, {})
    adapted = replace(helps, generator="adapted", family="lora")
    assert headline((adapted,), {}).startswith("adapted (open-set by its base) helps")
    assert "more real images) helps" in headline((replace(adapted, open_set=True),), {})


def test_headline_tells_the_ways_of_mixing_apart_where_one_helps_and_another_hurts():
    """ "Helps at 40, hurts at 40" would leave a reader without an answer."""
    helps, hurts = verdict(cell(4, 0.02, 0.06)), verdict(cell(1, -0.05, -0.01))
    against = replace(hurts, real_share="proportional")
    assert headline((helps, against), {"edm": ("jitter",)}) == (
        "edm: 50% real in each batch, it helps at 40 real images (largest gain: +4.0 points, +2.0 to +6.0, with 4 per real one at 40, "
        "worth 5 more real images); mixed in proportion, it hurts at 40 real images (largest loss: 3.0 points, 1.0 to 5.0, with 1 per real one at "
        "40), and is not shown to beat jitter."
    )
    elsewhere = replace(against, num_real=80)
    assert headline((helps, elsewhere), {}).startswith("edm helps at 40 real images (largest gain: ")
    assert "at 80, mixed in proportion)" in headline((helps, elsewhere), {})
