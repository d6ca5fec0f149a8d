"""Absolute amounts of synthetic images (``num_synthetic``), and cells without any real image (``num_real: 0``)."""

import pytest

from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.load import validate_grid
from synaug_ray.config.spec import write_grid
from synaug_ray.config.unanswerable import unanswerable
from synaug_ray.config.warnings import grid_warnings
from synaug_ray.config.yaml_source import Lines, parse_yaml
from synaug_ray.plan.plan import make_plan
from synaug_ray.plan.subset import DataIdentity

DATA = DataIdentity("digits", "fp")
OPEN = {"preset": "edm-tiny", "name": "open", "trained_on": 300}


def grid(**values):
    base = {
        "dataset": "digits",
        "num_real": [0, 20, 40],
        "num_synthetic": [60, 80],
        "generators": [OPEN],
        "classifiers": ["mlp"],
        "draws": 2,
        "seeds": 2,
    }
    return validate_grid(base | values, Lines("g.yaml"))


def cells(spec):
    return {(c.num_real, c.num_synthetic, c.protocol) for c in spec.cells()}


def test_amounts_are_the_same_at_every_size_and_stand_beside_multiples():
    spec = grid(num_real=[20, 40], synthetic_multiples=[0, 2], num_synthetic=[80, 30])
    assert spec.amounts(20) == (40, 80, 30) and spec.amounts(40) == (80, 30)  # 2 x 40 is 80: one cell
    assert len([c for c in spec.cells() if c.num_real == 40]) == 2 * 2 * 3
    assert grid(num_real=20, num_synthetic=80).synthetic_multiples == (0,)  # absolute amounts alone are enough


def test_an_amount_is_the_trial_of_the_multiple_that_it_coincides_with():
    """So that results of a grid with multiples are found again: the same keys of trials, shards and generators."""
    wanted = make_plan(grid(num_real=[20], synthetic_multiples=[0, 4], num_synthetic=[]), DATA)
    made = make_plan(grid(num_real=[20], num_synthetic=[80]), DATA)
    assert made.trials.keys() == wanted.trials.keys() and made.shards.keys() == wanted.shards.keys()


def test_without_real_images_every_protocol_is_synthetic_only_and_there_is_no_real_only_cell():
    spec = grid(protocols=["mixed", "pretrain", "synthetic-only"], real_share=["proportional", 0.5])
    at_zero = [c for c in spec.cells() if c.num_real == 0]
    assert {(c.num_synthetic, c.protocol, c.real_share) for c in at_zero} == {
        (60, "synthetic-only", None),
        (80, "synthetic-only", None),
    }
    assert len(at_zero) == 2 * 2 * 2  # amounts, draws, seeds: each once
    assert not any(c.num_real == 0 for c in spec.training_checks())
    made = make_plan(spec, DATA)
    trials = [t for t in made.trials.values() if t.subset.num_real == 0]
    assert len(trials) == 8 and all(t.pool.generator.subset.num_real == 300 for t in trials if t.pool)
    # the pool is that of the other sizes, and nothing is checked against no images
    assert {q.pool.generator.subset.num_real for q in made.qualities.values()} == {300}
    held = make_plan(grid(generators=["real-holdout"]), DATA)
    assert all(q.pool.generator.subset.num_real for q in held.qualities.values())


@pytest.mark.parametrize("generator", [OPEN, "real-holdout", "label-shuffle"])
def test_generators_that_need_no_image_of_the_cell(generator):
    assert (0, 60, "synthetic-only") in cells(grid(generators=[generator]))


def test_all_problems_at_once_with_their_places(tmp_path):
    path = tmp_path / "g.yaml"
    path.write_text(
        "dataset: digits\nnum_real: [20, 0]\nsynthetic_multiples: [0, 1]\ngenerators: [edm-tiny, jitter, real-holdout]"
        "\nclassifiers: [mlp]\nfilters: [none, confident]\nblocks:\n  - num_real: [0]\n    filters: [none]\n"
    )
    raw, lines = parse_yaml(path)
    with pytest.raises(UsageProblem) as refused:
        validate_grid(raw, lines)
    places = [(m.code, m.place.rpartition("g.yaml")[2], m.value) for m in refused.value.messages]
    assert places == [
        ("needs-real-images", ":2: num_real[1]", "0"),
        ("needs-real-images", ":2: num_real[1]", "0"),
        ("no-synthetic-images", ":2: num_real[1]", "0"),
        ("needs-real-images", ":8: blocks[0].num_real[0]", "0"),
        ("no-synthetic-images", ":8: blocks[0].num_real[0]", "0"),
    ]
    texts = [m.text for m in refused.value.messages]
    assert "edm-tiny and jitter are made from" in texts[0] and "confident compares" in texts[1]


def test_nothing_but_0_has_nothing_to_compare_with():
    with pytest.raises(UsageProblem) as refused:
        grid(num_real=[0])
    assert [m.code for m in refused.value.messages] == ["no-real-images"]


def test_0_is_no_size_of_a_law_and_no_rounded_multiple():
    assert any("2 sizes of num_real" in said for said in unanswerable(grid()))
    assert not any("0 images" in said for said in grid_warnings(grid(synthetic_multiples=[1])))
    assert not any("synthetic_multiples is only 0" in said for said in unanswerable(grid()))


def test_a_grid_written_out_is_the_same_grid(tmp_path):
    path = tmp_path / "g.yaml"
    path.write_text(write_grid(grid()))
    raw, lines = parse_yaml(path)
    assert validate_grid(raw, lines) == grid()
