"""Warnings about a valid grid: what its multiples come to in whole images."""

import pytest

from synaug_ray.config.load import validate_grid
from synaug_ray.config.spec import GridSpec
from synaug_ray.config.warnings import grid_warnings
from synaug_ray.config.yaml_source import Lines


def grid(num_real, multiples, **values) -> GridSpec:
    base = {"dataset": "digits", "generators": ["jitter"], "classifiers": ["mlp"], "draws": 6}
    return validate_grid(base | {"num_real": num_real, "synthetic_multiples": multiples} | values, Lines("g.yaml"))


def of_multiples(spec):
    return [said for said in grid_warnings(spec) if "synthetic_multiples" in said]


SIZES = [20, 40, 100, 1_000]


@pytest.mark.parametrize(
    "multiples,said",
    [
        ([0, 1, 2.5], []),
        ([0, 0.333], []),  # 7 of 20 is 0.35: near enough
        ([0, 0.01], ["0.01 x 20 = 0 images, 0.01 x 40 = 0 images, to the nearest"]),
        ([1, 1.01], ["1 x 20 and 1.01 x 20 = 20 images, 1 x 40 and 1.01 x 40 = 40 images, to the nearest"]),
        ([0.03], ["0.03 x 20 = 1 images, "]),
        ([0.001, 0.002, 1], ["0.001 x 20 = 0 images, 0.002 x 20 = 0 images, 0.001 x 40 = 0"]),
    ],
)
def test_what_a_multiple_comes_to_is_said(multiples, said):
    found = of_multiples(grid(SIZES, multiples))
    assert len(found) == len(said) and all(part in whole for part, whole in zip(said, found, strict=True))


def test_the_amounts_that_are_said_are_those_of_the_cells():
    """An oracle: every multiple and size whose cell is not in the plan, or shared, stands in the warning."""
    multiples = [0.004, 0.02, 0.025, 1, 1.001]
    spec = grid(SIZES, multiples)
    made = {(c.num_real, c.num_synthetic) for c in spec.cells() if c.generator}
    none, same = of_multiples(spec)[:2]
    for n in SIZES:
        counts = [round(n * m) for m in multiples]
        assert made == made | {(n, c) for c in counts if c} and (n, 0) not in made
        for m, count in zip(multiples, counts, strict=True):
            assert (f"{m:g} x {n:,} = 0 images" in none) == (count == 0)
            if counts.count(count) > 1 and count:
                assert f"{m:g} x {n:,}" in same


def test_a_block_is_told_as_well_and_what_it_shares_is_told_once():
    assert of_multiples(grid(SIZES, [1], blocks=[{"synthetic_multiples": [0.01]}, {"seeds": 3}]))
    assert len(of_multiples(grid(SIZES, [0.01], blocks=[{"seeds": 3}]))) == 1


def test_a_preset_that_is_trained_much_shorter_is_told():
    def said(**changes):
        generator = {"preset": "edm-16px-2", "name": "brief"} | changes
        spec = grid([100, 400], [1], generators=[generator], dataset="usps")
        return [line for line in grid_warnings(spec) if "says little of the preset's" in line]

    assert not said() and not said(nimg=64_000) and not said(nimg=6_400, dropout=0.0)
    (line,) = said(nimg=6_400)
    assert "brief sees 6,400 images in training, edm-16px-2 128,000" in line


def test_widths_of_packs_at_which_the_place_matters_are_told():
    classifiers = [{"preset": "mlp", "name": f"mlp-{k}", "pack": k} for k in (1, 2, 4, 6, 16)]
    said = [line for line in grid_warnings(grid([20], [1], classifiers=classifiers)) if "in packs of" in line]
    assert [line.split()[1] for line in said] == ["mlp-2", "mlp-6"]


def test_arms_of_the_gap_need_held_out_images_beside_them():
    remade = {"preset": "edm-tiny", "name": "remade", "guide": {"strength": 0.3, "of": "held-out"}}
    arms = {"generators": ["edm-tiny", remade], "blocks": [{"filters": ["relabelled"], "generators": ["edm-tiny"]}]}
    [said] = [said for said in grid_warnings(grid(SIZES, [0, 1], **arms)) if "gap" in said]
    assert said.startswith("generator remade and filter relabelled: ") and said.endswith("add generator real-holdout")
    arms["generators"].append("real-holdout")
    assert not [said for said in grid_warnings(grid(SIZES, [0, 1], **arms)) if "gap" in said]
