"""Grids and what they mean; wrong ones are in ``test_wrong_grids``."""

from pathlib import Path

import pytest
import yaml
from helpers.grids import WRITTEN as TEXT
from helpers.grids import small_grid
from helpers.paths import DESIGNS, REPOSITORY, SHIPPED, overrides_of

from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.cells import CellSpec
from synaug_ray.config.fewer_draws import FewerDraws, merged
from synaug_ray.config.load import available, find_grid, load_grid, validate_grid
from synaug_ray.config.presets import CLASSIFIERS, GENERATORS, SAMPLERS, sampler_of
from synaug_ray.config.spec import GridSpec, write_grid
from synaug_ray.config.yaml_source import Lines


def load(folder, text=TEXT, *overrides):
    path = folder / "g.yaml"
    path.write_text(text)
    return load_grid(path, list(overrides))


def replaced(old, new):
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def test_a_grid_and_its_defaults(tmp_path):
    spec = load(tmp_path)
    assert spec.num_real == (20, 40, 80) and spec.synthetic_multiples == (0, 1, 2.5)
    assert spec.generators == (GENERATORS["edm-tiny"], GENERATORS["jitter"])
    assert spec.classifiers == (CLASSIFIERS["mlp"],) and spec.sampler == SAMPLERS["dpmpp-8"]
    assert (spec.protocols, spec.delta, spec.confidence, spec.stratify) == (("mixed",), 1.0, 0.9, "natural")


def test_overrides_count(tmp_path):
    spec = load(tmp_path, TEXT, "generators.0.nimg=7", "sampler.steps=4", "draws=1", "data.size=16")
    assert spec.generators[0].nimg == 7 and spec.generators[1] == GENERATORS["jitter"]
    assert spec.sampler == SAMPLERS["dpmpp-8"].model_copy(update={"steps": 4})
    assert spec.draws == 1 and spec.data.size == 16


def test_one_value_stands_for_a_list_of_one(tmp_path):
    text = replaced("[20, 40, 80]", "20").replace("[edm-tiny, jitter]", "jitter").replace("[mlp]", "mlp")
    spec = load(tmp_path, text)
    assert spec.num_real == (20,) and [g.name for g in spec.generators] == ["jitter"]


def test_numbers_that_yaml_takes_for_text_are_numbers(tmp_path):
    """YAML 1.1 wants a dot: 1e-3 is text to it, and a learning rate to everybody else."""
    assert load(tmp_path, TEXT, "generators.0.learning_rate=1e-3").generators[0].learning_rate == 1e-3


@pytest.mark.parametrize("word,truth", [("yes", True), ("On", True), ("no", False), ("off", False), ("true", True)])
def test_words_for_true_and_false_count_where_nothing_else_is_meant(tmp_path, word, truth):
    """YAML 1.1 makes a truth value of every one; here a recipe may be named no."""
    spec = load(tmp_path, TEXT, f"generators.0.flip={word}", "generators.1.name=no")
    assert spec.generators[0].flip is truth and spec.generators[1].name == "no"  # type: ignore[union-attr]


def grid(**values):
    base = {
        "dataset": "digits",
        "num_real": [20],
        "synthetic_multiples": [0, 1],
        "generators": ["jitter"],
        "classifiers": ["mlp"],
        "draws": 1,
        "seeds": 1,
    }
    return validate_grid(base | values, Lines("g.yaml"))


def test_cells_are_the_product_with_real_only_cells_once():
    spec = grid(
        num_real=[20, 40],
        synthetic_multiples=[0, 1, 2],
        real_share=["proportional", 0.5],
        draws=3,
        seeds=2,
        generators=["jitter", "duplicate"],
    )
    cells = list(spec.cells())
    assert len(cells) == len(set(cells)) == 2 * 3 * 2 * (1 + 2 * 2 * 2)
    real = [c for c in cells if c.generator is None]
    assert len(real) == 2 * 3 * 2 and {c.num_synthetic for c in real} == {0}
    assert {(c.protocol, c.real_share) for c in real} == {("real-only", None)}
    assert {(c.protocol, c.real_share) for c in cells if c.generator} == {("mixed", None), ("mixed", 0.5)}


def test_real_only_cells_exist_without_a_zero_among_the_multiples():
    cells = list(grid(synthetic_multiples=[1]).cells())
    assert [c.num_synthetic for c in cells] == [0, 20]


def test_synthetic_images_have_fewer_draws_where_the_grid_says_so():
    cells = grid(draws=3, seeds=1, num_real=[20, 40], fewer_draws=[{"num_real": 40, "draws": 1}]).cells()
    made = {(c.num_real, c.generator is not None, c.draw) for c in cells}
    assert made == {(20, True, d) for d in range(3)} | {(n, False, d) for n in (20, 40) for d in range(3)} | {
        (40, True, 0)
    }


def test_one_generator_has_fewer_draws_where_the_grid_says_so():
    fewer = [{"num_real": 20, "draws": 1, "generators": ["jitter"]}]
    spec = grid(draws=3, seeds=1, num_real=[20, 40], generators=["edm-tiny", "jitter"], fewer_draws=fewer)
    made = {(c.num_real, c.arm, c.draw) for c in spec.cells()}
    every = {(n, arm, d) for n in (20, 40) for arm in ("none", "edm-tiny", "jitter") for d in range(3)}
    assert made == every - {(20, "jitter", 1), (20, "jitter", 2)}
    assert spec.arms(20) == {"edm-tiny", "jitter"} and spec.arms(7) == set()
    both = merged(spec, [FewerDraws(num_real=20, draws=2), FewerDraws(num_real=40, draws=2)])  # a round's, and its own
    jitter, edm = (FewerDraws(num_real=20, draws=d, generators=(g,)) for d, g in ((1, "jitter"), (2, "edm-tiny")))
    assert both == (jitter, edm, FewerDraws(num_real=40, draws=2))


def test_the_real_share_is_void_but_in_mixtures():
    spec = grid(
        protocols=["mixed", "synthetic-only", "local-replacement", "soft-labels"],
        real_share=["proportional", 0.5],
        real_weight=["share", 0.9],
    )
    made = [(c.protocol, c.real_share) for c in spec.cells() if c.generator]
    mixed = [("mixed", share) for share in (None, None, 0.5, 0.5)]
    others = [(protocol, share) for protocol in ("local-replacement", "soft-labels") for share in (None, 0.5)]
    assert made == [*mixed, ("synthetic-only", None), *others]


def test_a_real_weight_is_of_mixtures_and_one_equal_to_the_share_is_none():
    spec = grid(
        protocols=["mixed", "synthetic-only"], real_share=["proportional", 0.5], real_weight=["share", 0.5, 0.9]
    )
    made = [(c.protocol, c.real_share, c.real_weight) for c in spec.cells() if c.generator]
    assert made == [
        ("mixed", None, None),
        ("mixed", None, 0.5),
        ("mixed", None, 0.9),
        ("mixed", 0.5, None),
        ("mixed", 0.5, None),
        ("mixed", 0.5, 0.9),
        ("synthetic-only", None, None),
    ]


@pytest.mark.parametrize(
    "n,multiple,num_synthetic",
    [
        (20, 0.5, 10),
        (3, 0.5, 2),
        (1, 0.5, None),
        (1, 0.4, None),
        (7, 1.5, 10),
        (9, 1.5, 14),
        (20, 1 / 3, 7),
        (10, 0, None),
    ],
)
def test_amounts_are_rounded_to_whole_images(n, multiple, num_synthetic):
    """To the nearest, halves to even; what rounds to nothing is the real-only cell."""
    cells = grid(num_real=[n, 1_000], synthetic_multiples=[multiple]).cells()
    made = [c.num_synthetic for c in cells if c.num_real == n]
    assert made == [0] if num_synthetic is None else [0, num_synthetic]


@pytest.mark.parametrize(
    "protocols,names",
    [
        (["bridged"], ["real-then-real", "bridged"]),
        (["mixed", {"preset": "bridged", "mixup": 0}], ["real-then-real", "mixed", "bridged"]),
        ([{"preset": "bridged", "name": "plain", "reset_head": "no"}], ["plain-control", "plain"]),
        (
            ["bridged", {"family": "bridged", "name": "bridged-no-reset", "reset_head": False}],
            ["real-then-real", "real-then-real-no-reset", "bridged", "bridged-no-reset"],
        ),
        (["bridged", {"family": "real-then-real", "name": "same"}], ["same", "bridged"]),  # its own name for it
        (["bridged", {"preset": "real-then-real", "mixup": 0}], ["real-then-real", "bridged-control", "bridged"]),
        (["real-then-real"], ["real-then-real"]),
        (["bridged", "real-then-real"], ["real-then-real", "bridged"]),
        (["mixed"], ["mixed"]),
    ],
)
def test_a_bridged_protocol_comes_with_the_same_stages_on_real_images(protocols, names):
    cells = [c for c in grid(protocols=protocols, seeds=1).cells() if c.protocol != "real-only"]
    assert [c.protocol for c in cells] == names
    for c in cells:
        alone = c.stages is not None and not c.stages.synthetic
        assert (c.generator is None, c.num_synthetic == 0) == (alone, alone)
        assert (c.stages is not None) == (c.protocol != "mixed")
    keys = {
        alone: {c.stages.options_key for c in cells if c.stages and c.stages.synthetic != alone}
        for alone in (True, False)
    }
    assert keys[True] >= keys[False]


def test_without_synthetic_images_only_the_controls_that_are_asked_for_run():
    assert [c.protocol for c in grid(protocols=["bridged"], synthetic_multiples=[0], seeds=1).cells()] == ["real-only"]
    asked = grid(protocols=["bridged", {"preset": "real-then-real", "mixup": 0}], synthetic_multiples=[0], seeds=1)
    assert [c.protocol for c in asked.cells()] == ["real-only", "real-then-real"]


def test_protocols_with_options_are_the_same_written_out(tmp_path):
    text = TEXT + "protocols: [mixed, bridged, {preset: bridged, name: b, mixup: 0}]\nblocks: [{protocols: pretrain}]\n"
    spec = load(tmp_path, text)
    assert load(tmp_path, write_grid(spec)) == spec
    assert [getattr(p, "mixup", None) for p in spec.protocols] == [None, 0.2, 0.0]


def test_blocks_make_a_union():
    spec = grid(blocks=[{"num_real": [40], "seeds": 2}, {"generators": ["duplicate"], "synthetic_multiples": [4]}])
    made = {(c.num_real, c.num_synthetic, c.generator.name if c.generator else "", c.seed) for c in spec.cells()}
    assert made == {
        (20, 0, "", 0),
        (20, 20, "jitter", 0),
        (40, 0, "", 0),
        (40, 0, "", 1),
        (40, 40, "jitter", 0),
        (40, 40, "jitter", 1),
        (20, 80, "duplicate", 0),
    }


def test_the_order_of_factors_inside_a_cell():
    assert CellSpec._fields == (
        "num_real",
        "num_synthetic",
        "generator",
        "classifier",
        "protocol",
        "real_share",
        "draw",
        "seed",
        "filter",
        "real_weight",
        "stages",
    )


@pytest.mark.parametrize("path", DESIGNS, ids=lambda p: p.stem)
def test_every_shipped_grid_written_out_is_the_same_grid(path, tmp_path):
    spec = load_grid(path, overrides_of(path, tmp_path))
    text = write_grid(spec)
    again = load(tmp_path, text)
    assert again == spec and write_grid(again) == text
    assert list(again.cells()) == list(spec.cells())


def test_a_written_grid_spells_every_default_out(tmp_path):
    written = yaml.safe_load(write_grid(load(tmp_path)))
    assert set(written) == set(GridSpec.model_fields)
    assert written["generators"][0]["nimg"] == GENERATORS["edm-tiny"].nimg and written["sampler"]["steps"] == 8


def test_shipped_grids():
    large = {"cifar10", "cifar100", "bloodmnist", "imagenet100"}
    assert {p.stem for p in SHIPPED} >= {"smoke", "digits", "digits-controls"} | large


def test_rows_of_the_atlas_have_one_design():
    """They can be compared because they differ in their images and in nothing that was chosen for these."""
    own = ("dataset", "data", "num_real", "generators")
    designs = []
    for path in (path for path in SHIPPED if path.parent.name == "atlas"):
        told = {k: v for k, v in yaml.safe_load(path.read_text()).items() if k not in own}
        told["classifiers"][0].pop("flip", None)  # of the images, too: tests/data/audit/test_mirrored.py
        told["blocks"] = [{k: v for k, v in block.items() if k != "num_real"} for block in told["blocks"]]
        designs.append(told)
    assert len(designs) >= 10 and all(design == designs[0] for design in designs)


def test_a_grid_in_a_folder_has_it_in_its_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grids" / "mine").mkdir(parents=True)
    (tmp_path / "grids" / "mine" / "digits.yaml").write_text(TEXT)
    assert find_grid("mine/digits") == Path("grids/mine/digits.yaml")
    assert find_grid("digits").parent == find_grid("atlas/digits").parent.parent == REPOSITORY / "grids"
    assert {"mine/digits", "digits", "atlas/digits"} <= set(available())
    for name in ("../grids/digits", "mine", "mine/", "atlas/none", "atlas/../digits"):
        with pytest.raises(UsageProblem):
            find_grid(name)


def test_one_precision_for_all_networks_blocks_and_sampler_included():
    gan = {"preset": "gan-tiny", "precision": "fp32"}
    spec = small_grid(precision="bf16", generators=["jitter", gan])
    products = spec.products()
    assert [r.precision for f in products for r in (*f.generators, *f.classifiers) if hasattr(r, "precision")] == (
        4 * ["bf16"]
    )
    assert spec.sampler.precision == "bf16"
    assert sampler_of(products[0].generators[1], spec.sampler).precision == "bf16"
    assert sampler_of(products[0].generators[0], spec.sampler) == small_sampler_of_jitter()
    assert validate_grid(yaml.safe_load(write_grid(spec)), Lines("again.yaml")) == spec


def small_sampler_of_jitter():
    """What learnt nothing is sampled alike at any precision, so its pools stand for both."""
    spec = small_grid(generators=["jitter"])
    return sampler_of(spec.generators[0], spec.sampler)


def test_a_grid_without_a_precision_leaves_it_to_its_recipes():
    edm = {"preset": "edm-tiny", "precision": "bf16", "name": "short"}
    assert [g.precision for g in small_grid(generators=[edm, "gan-tiny"]).generators] == ["bf16", "fp32"]


def test_filters_are_a_factor_and_their_arms_have_names():
    spec = small_grid(filters=["none", {"preset": "confident", "name": "surest", "share": 0.4}], blocks=[])
    arms = {cell.arm for cell in spec.cells()}
    assert arms == {"none", "duplicate", "duplicate+surest"}
    assert validate_grid(yaml.safe_load(write_grid(spec)), Lines("again.yaml")) == spec
