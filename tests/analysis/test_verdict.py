"""The four verdicts from intervals, what deciding would cost, and the sentences."""

import math
from dataclasses import replace

import pytest

from synaug_ray.analysis.paired_cells import StudyKey
from synaug_ray.analysis.results import Cell, Censoring, Outcome
from synaug_ray.analysis.verdict import CellNoise, draws_to_decide, judge, outcome_of
from synaug_ray.analysis.verdict_text import headline, span
from synaug_ray.laws.results import Estimate


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


def test_draws_to_decide_shrink_only_the_part_between_draws():
    # Half width 3 sqrt(v / D + 1e-6) must fall to the gain 0.006: v / D = 3e-6.
    noise = CellNoise(3.0, 3.0, 3e-5, 1e-6)
    assert draws_to_decide([0.006], [noise], 0.001) == 10
    # As an equivalence: what is left of delta is 0.012 - 0.006, the same width.
    assert draws_to_decide([0.0], [noise], 0.006) == 10
    # The cell's own interval is narrower and needs less: 1.4 sqrt(v / D + 1e-6) = 0.006, v / D = 1.74e-5.
    assert draws_to_decide([0.0], [replace(noise, own=1.4)], 0.006) == 2
    # A half width of 3 sqrt(1e-6) = 0.003 stays for any number of draws.
    assert draws_to_decide([0.002], [noise], 0.004) is None


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
        censoring=Censoring.NONE,
        held_out=False,
    )


def verdict(*cells, noise=CellNoise(3.0, 3.0, 3e-5, 1e-6), draws=6):  # noqa: B008
    return judge(
        StudyKey("mlp", "edm", "mixed", "0.5"),
        list(cells),
        {},
        {(c.num_real, c.num_synthetic): noise for c in cells},
        delta=0.01,
        draws=draws,
        seconds_per_draw=30.0,
        why_undecided="",
    )


def test_helps_speaks_of_the_best_amount_and_says_that_more_hurts():
    answer = verdict(cell(1, 0.01, 0.03), cell(4, 0.02, 0.06), cell(8, -0.05, -0.01))
    assert answer.outcome is Outcome.HELPS
    assert answer.best_multiple == 4
    assert "4x synthetic images lower the error by 4.0 points (+2.0 to +6.0)" in answer.sentence
    assert "8x hurts." in answer.sentence


def test_hurts_states_the_harm_as_a_positive_number():
    answer = verdict(cell(1, -0.01, 0.01), cell(8, -0.05, -0.01))
    assert answer.outcome is Outcome.HURTS
    assert "8x synthetic images raise the error by 3.0 points (+1.0 to +5.0)" in answer.sentence


def test_undecided_says_what_deciding_costs():
    answer = verdict(cell(1, -0.003, 0.015))
    assert answer.outcome is Outcome.UNDECIDED
    assert answer.deciding_draws is not None and answer.deciding_draws > 6
    assert answer.deciding_seconds == (answer.deciding_draws - 6) * 30.0
    assert f"About {answer.deciding_draws} draws instead of 6" in answer.sentence
    assert answer.smallest_detectable_gain == pytest.approx(0.009)
    limited = verdict(cell(1, -0.003, 0.015), noise=CellNoise(3.0, 3.0, 3e-5, 1e-4))
    assert limited.deciding_draws is None
    assert "the test set is too small" in limited.sentence


def test_few_draws_give_a_rough_range_of_what_deciding_takes_or_nothing():
    rough = verdict(cell(1, -0.003, 0.015), draws=3)
    assert (rough.deciding_draws, rough.deciding_seconds) == (None, None)
    # v / D = 3e-6 decides (see above); 3 draws say v to within 2 / 5.99 to 2 / 0.1026.
    assert rough.deciding_range == (4, math.ceil(3e-5 * 2 / 0.102587 / 3e-6))
    assert "From 3 draws, the number that would decide it is known only roughly: 4 to 195." in rough.sentence
    open_ended = verdict(cell(1, -0.003, 0.015), draws=2, noise=CellNoise(3.0, 3.0, 3e-3, 1e-6))
    assert open_ended.deciding_range is not None and open_ended.deciding_range[1] is None
    assert f"at least {open_ended.deciding_range[0]}, and perhaps no number is enough" in open_ended.sentence
    never = verdict(cell(1, -0.003, 0.015), draws=3, noise=CellNoise(3.0, 3.0, 3e-5, 1e-4))
    assert never.deciding_range is None and "test set is too small" in never.sentence


def test_headline_puts_learnt_generators_before_controls_and_says_when_jitter_is_as_good():
    helps = verdict(cell(4, 0.02, 0.06))
    text = headline((helps,), {"edm": ("plain jitter of the real images", "classical augmentation")})
    assert text.startswith("edm helps at 40 real images")
    assert "is not shown to beat plain jitter of the real images or classical augmentation" in text
    assert "jitter" not in headline((helps,), {})
    assert headline((), {}) == "No cell with synthetic images has been measured yet."


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


def test_headline_tells_the_ways_of_mixing_apart_where_one_helps_and_another_hurts():
    """ "Helps at 40, hurts at 40" would leave a reader without an answer."""
    helps, hurts = verdict(cell(4, 0.02, 0.06)), verdict(cell(1, -0.05, -0.01))
    against = replace(hurts, real_share="proportional")
    assert headline((helps, against), {"edm": ("jitter",)}) == (
        "edm: 50% real in each batch, it helps at 40 real images (largest gain: +4.0 points, +2.0 to +6.0, with 4x at 40, "
        "worth 5 more real images); mixed in proportion, it hurts at 40 real images (largest loss: -3.0 points, -5.0 to -1.0, with 1x at "
        "40), and is not shown to beat jitter."
    )
    elsewhere = replace(against, num_real=80)
    assert headline((helps, elsewhere), {}).startswith("edm helps at 40 real images (largest gain: ")
    assert "at 80, mixed in proportion)" in headline((helps, elsewhere), {})
