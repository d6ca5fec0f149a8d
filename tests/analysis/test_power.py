"""What a grid will show: more with more draws and test images, and as often as planted gains are really shown."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.pairs import planted_shares, simulate_pairs

from synaug_ray.analysis.cells.cell_noise import measure
from synaug_ray.analysis.cells.paired_cells import pair_cells
from synaug_ray.analysis.power import Amount, Design, Noise, Rule, cheapest_seeds, draws_needed, power
from synaug_ray.analysis.power_noise import noise_of
from synaug_ray.analysis.results import Outcome
from synaug_ray.analysis.study_key import StudyKey
from synaug_ray.analysis.verdict import outcome_of
from synaug_ray.laws.simultaneous import single_look

RULE = Rule()
IMAGE, DRAW = planted_shares(0.1, 0.3)
NOISE = Noise(error=0.3, discordance=0.1, image=IMAGE, draw=DRAW, spread=0.03)


def design(draws=6, seeds=2, images=600, sizes=(100, 200), multiples=(1, 4), noise=NOISE):
    study = StudyKey("mlp", "edm", "mixed", "0.5")
    amounts = tuple(Amount(study, "edm", n, n * m) for n in sizes for m in multiples)
    return Design(amounts, draws, seeds, (images // 2, images // 2), noise)


def test_more_draws_seeds_and_test_images_show_more_and_more_spread_less():
    by_draws = [power(design(draws), 0.02, RULE, verdicts=60) for draws in (3, 6, 12, 24)]
    assert [p.helps for p in by_draws] == sorted(p.helps for p in by_draws) and by_draws[-1].helps > 0.4
    assert [p.smallest for p in by_draws] == sorted((p.smallest for p in by_draws), reverse=True)
    by_images = [power(design(images=images), 0.02, RULE, verdicts=60).smallest for images in (100, 400, 1_600, 6_400)]
    assert by_images == sorted(by_images, reverse=True)
    assert power(design(seeds=6), 0.02, RULE, verdicts=60).smallest < by_draws[1].smallest
    assert power(design(noise=replace(NOISE, spread=0.2)), 0.02, RULE, verdicts=60).smallest > by_draws[1].smallest


def test_the_smallest_gain_has_the_power_that_was_wanted():
    rule = replace(RULE, wanted=0.7)
    found = power(design(images=4_000), power(design(images=4_000), 0.02, rule).smallest, rule, seed=1)
    assert found.helps == pytest.approx(0.7, abs=3 * np.sqrt(0.3 * 0.7 / found.verdicts) + 0.02)


def test_draws_needed_show_the_gain_and_fewer_do_not():
    alone = design(sizes=(100,), multiples=(1,))
    found = [draws_needed(alone, 0.05, RULE, start=start, verdicts=60) for start in (4, 12)]
    assert None not in found and abs(found[0] - found[1]) <= 2
    shown = [power(replace(alone, draws=draws), 0.05, RULE, verdicts=60).helps for draws in (found[0], found[0] // 2)]
    assert shown[0] >= 0.8 > shown[1]
    assert draws_needed(alone, 0.002, RULE, most=20, verdicts=60) is None  # an image's own noise stays


@pytest.mark.parametrize("dearer,spread", [(1.0, 0.03), (20.0, 0.03), (20.0, 0.0), (5.0, 0.3)])
def test_the_cheapest_seeds_show_the_gain_at_the_least_cost(dearer, spread):
    """Against what the simulated power says: the draws that it takes, times the cost of one, for each number of seeds."""
    alone = design(sizes=(100,), multiples=(1,), noise=replace(NOISE, spread=spread))
    variances = {s: power(replace(alone, draws=30, seeds=s), 0.0, RULE, verdicts=60).smallest ** 2 for s in range(1, 9)}
    cost = {s: variance * (dearer + s) for s, variance in variances.items()}
    assert cost[cheapest_seeds(alone.noise, alone.images, dearer)] < 1.15 * min(cost.values())


def test_no_effect_is_said_where_there_is_none_and_one_draw_says_nothing():
    precise = design(draws=24, images=10_000, noise=replace(NOISE, spread=0.0))
    assert power(precise, 0.0, RULE).no_effect > 0.9
    alone = power(design(draws=1), 0.05, RULE)
    assert alone.helps == 0 and alone.smallest == np.inf


def test_it_is_the_power_of_tables_of_wrong_answers():
    """Planted image by image, read by ``pair_cells``: no Gaussian, no common code."""
    planted = {"gain": 0.035, "spread": NOISE.spread, "sizes": (100, 200), "multiples": (1, 4)}
    shown = []
    for seed in range(25):
        cells = pair_cells(*simulate_pairs(np.random.default_rng(seed), **planted))
        found = measure(
            cells,
            confidence=0.9,
            simultaneous_confidence=0.95,
            replicates=1,
            rng=np.random.default_rng(seed),
            looks=single_look(len(cells.draws)),
        )
        for n in planted["sizes"]:
            at = [i for i, cell in enumerate(cells.mixed) if cell.num_real == n]
            gains = [found.simultaneous(i + len(cells.real), i) for i in at]
            shown.append(outcome_of(gains, [found.estimate(i + len(cells.real)) for i in at], 0.01) is Outcome.HELPS)
    image, draw = planted_shares(0.1, 0.3, planted["gain"])
    expected = power(design(noise=replace(NOISE, image=image, draw=draw)), planted["gain"], RULE).helps
    assert 0.2 < expected < 0.8  # where a difference would show
    assert np.mean(shown) == pytest.approx(expected, abs=3 * np.sqrt(expected * (1 - expected) / len(shown)))


def test_planted_noise_is_measured_and_too_little_of_it_stays_assumed():
    tables = simulate_pairs(
        np.random.default_rng(3), gain=0.0, image=0.2, draw=0.3, spread=0.06, sizes=(50, 100, 200), multiples=(1, 2),
        draws=20, images=2_000,
    )  # fmt: skip
    noise, at = noise_of(*tables, replace(NOISE, error=0.9))
    assert noise.error == pytest.approx(0.3, abs=0.02) and set(at) == {50, 100, 200}
    assert noise.discordance == pytest.approx(0.1 + 0.8 * 0.3 * 0.06, abs=0.01)  # true gains add to it
    image, draw = planted_shares(0.2, 0.3)
    assert noise.image == pytest.approx(image, abs=0.04) and noise.draw == pytest.approx(draw, abs=0.04)
    assert noise.spread == pytest.approx(0.06, abs=0.02)
    few = simulate_pairs(np.random.default_rng(3), gain=0.0, draws=2)
    assert noise_of(*few, NOISE) == (NOISE, {})
