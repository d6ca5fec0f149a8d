"""Grids: what they mean, and what a user reads who got one wrong."""

import pytest
import yaml
from helpers.grids import small_grid
from helpers.paths import REPOSITORY

from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.load import load_grid, validate_grid
from synaug_ray.config.presets import CLASSIFIERS, GENERATORS, SAMPLERS, sampler_of
from synaug_ray.config.spec import CellSpec, GridSpec, write_grid
from synaug_ray.config.yaml_source import Lines

SHIPPED = sorted((REPOSITORY / "grids").glob("*.yaml"))
TEXT = """# a grid
dataset: digits
num_real: [20, 40, 80]
synthetic_multiples: [0, 1, 2.5]
real_share: [proportional, 0.5]
generators: [edm-tiny, jitter]
classifiers: [mlp]
draws: 3
seeds: 2
"""


def load(folder, text=TEXT, *overrides):
    path = folder / "g.yaml"
    path.write_text(text)
    return load_grid(path, list(overrides))


def refused(folder, text=TEXT, *overrides):
    with pytest.raises(UsageProblem) as caught:
        load(folder, text, *overrides)
    assert all("\n" not in s for s in caught.value.sentences)
    return [s.replace(f"{folder}/", "") for s in caught.value.sentences]


def replaced(old, new):
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def test_a_grid_and_its_defaults(tmp_path):
    spec = load(tmp_path)
    assert spec.num_real == (20, 40, 80) and spec.synthetic_multiples == (0, 1, 2.5)
    assert spec.generators == (GENERATORS["edm-tiny"], GENERATORS["jitter"])
    assert spec.classifiers == (CLASSIFIERS["mlp"],) and spec.sampler == SAMPLERS["dpmpp-8"]
    assert (spec.protocols, spec.delta, spec.confidence, spec.stratify) == (("mixed",), 1.0, 0.9, "natural")


@pytest.mark.parametrize(
    "wrong,sentence",
    [
        # users.md, section 7: 1, 3, 4, 10 to 12 and what resembles them; the line, the value, what is allowed
        (
            ("draws: 3", "drews: 3"),
            "g.yaml:8: drews: unknown key 'drews'. Did you mean 'draws'? Allowed: blocks, classifiers",
        ),
        (
            ("draws: 3", "epochs_of_training: 3"),
            "g.yaml:8: epochs_of_training: unknown key 'epochs_of_training'. Allowed: ",
        ),
        (("draws: 3", "draws: three"), "g.yaml:8: draws: input should be a whole number from 1 on, got 'three'"),
        (("draws: 3", "draws: 0"), "g.yaml:8: draws: input should be greater than or equal to 1, got 0"),
        (("draws: 3", "draws: 2.5"), "g.yaml:8: draws: input should be a whole number from 1 on, got 2.5"),
        (("draws: 3", "draws: yes"), "g.yaml:8: draws: input should be a whole number from 1 on, got True"),
        (("draws: 3", "draws:"), "g.yaml:8: draws: input should be a whole number from 1 on, got None"),
        (("[20, 40, 80]", "[]"), "g.yaml:3: num_real: list should have at least 1 item"),
        (("[20, 40, 80]", "[20, -40]"), "g.yaml:3: num_real[1]: input should be greater than or equal to 1, got -40"),
        (("[20, 40, 80]", "[20, 40, 20]"), "g.yaml:3: num_real: repeats 20; give each value once"),
        (
            ("[20, 40, 80]", f"[{10**400}]"),
            "g.yaml:3: num_real[0]: input should be less than or equal to 1000000000000, got 1",
        ),
        (
            ("[20, 40, 80]", "[20,\n  40,\n  x]"),
            "g.yaml:5: num_real[2]: input should be a whole number from 1 on, got 'x'",
        ),
        (
            ("[0, 1, 2.5]", "[0, -1]"),
            "g.yaml:4: synthetic_multiples[1]: input should be greater than or equal to 0, got -1",
        ),
        (("[0, 1, 2.5]", "[.nan]"), "g.yaml:4: synthetic_multiples[0]: input should be a finite number, got nan"),
        (("[0, 1, 2.5]", "[.inf]"), "g.yaml:4: synthetic_multiples[0]: input should be"),
        (
            ("[0, 1, 2.5]", "[0, 5000]"),
            "g.yaml:4: synthetic_multiples[1]: input should be less than or equal to 1000, got 5000",
        ),
        (("[0, 1, 2.5]", "[0, yes]"), "g.yaml:4: synthetic_multiples[1]: input should be a number, got True"),
        (("[0, 1, 2.5]", "[1, 1.0]"), "g.yaml:4: synthetic_multiples: repeats 1.0; give each value once"),
        (
            ("proportional, 0.5", "propotional"),
            "g.yaml:5: real_share[0]: input should be 'proportional' or input should be a "
            "valid number, unable to parse string as a number, got 'propotional'. Did you mean 'proportional'?",
        ),
        (
            ("proportional, 0.5", "1.0"),
            "g.yaml:5: real_share[0]: input should be 'proportional' or input should be less than 1",
        ),
        (
            ("edm-tiny, jitter", "edm-tny"),
            "g.yaml:6: generators[0]: no preset 'edm-tny'. Did you mean 'edm-tiny'? Available: ",
        ),
        (("edm-tiny, jitter", "jitter, {preset: [1]}"), "g.yaml:6: generators[1]: no preset [1]. Available: "),
        (
            ("edm-tiny, jitter", "jitter, jitter"),
            "g.yaml:6: generators: has two named jitter; give each its own `name:`",
        ),
        (("edm-tiny, jitter", "7"), "g.yaml:6: generators[0]: input should be a valid dictionary"),
        (("edm-tiny, jitter", "{name: x}"), "g.yaml:6: generators[0]: needs `preset:` ("),
        (
            ("edm-tiny, jitter", "{family: emd, name: x}"),
            "g.yaml:6: generators[0]: no family 'emd'. Did you mean 'edm'? Allowed: ",
        ),
        (
            ("edm-tiny, jitter", "{preset: jitter, nois: 1}"),
            "g.yaml:6: generators[0].nois: unknown key 'nois'. Did you mean 'noise'? Allowed: ",
        ),
        (
            ("edm-tiny, jitter", "{preset: edm-tiny, nimgs: 1}"),
            "g.yaml:6: generators[0].nimgs: unknown key 'nimgs'. Did you mean 'nimg'? Allowed: attention, ",
        ),
        (
            ("edm-tiny, jitter", "{preset: edm-tiny, channels: [8, 16, 32]}"),
            "g.yaml:6: generators[0]: edm-tiny has 3 channels and 2 attention entries",
        ),
        (
            ("edm-tiny, jitter", "{preset: edm-tiny, name: ../x}"),
            "g.yaml:6: generators[0].name: string should match pattern",
        ),
        (
            ("[mlp]", "[mpl]"),
            "g.yaml:7: classifiers[0]: no preset 'mpl'. Did you mean 'mlp'? Available: cnn, mlp, mlp-smoke, resnet18",
        ),
        (
            ("[mlp]", "[{preset: mlp, optimiser: {learning_rat: 1}}]"),
            "g.yaml:7: classifiers[0].optimiser.learning_rat: unknown key 'learning_rat'. Did you mean 'learning_rate'?",
        ),
        (
            ("[mlp]", "[{preset: mlp, optimiser: {family: adam}}]"),
            "g.yaml:7: classifiers[0].optimiser.family: input should be 'adamw' or 'sgd', got 'adam'. Did you mean 'adamw'?",
        ),
        (
            ("draws: 3", "protocols: [mixd]"),
            "g.yaml:8: protocols[0]: input should be 'mixed', 'synthetic-only' or 'pretrain', got 'mixd'. Did you mean 'mix",
        ),
        (
            ("draws: 3", "stratify: balancd"),
            "g.yaml:8: stratify: input should be 'natural' or 'balanced', got 'balancd'. Did you mean 'balanced'?",
        ),
        (
            ("draws: 3", "data: {siz: 8}"),
            "g.yaml:8: data.siz: unknown key 'siz'. Did you mean 'size'? Allowed: duplicates, group, ",
        ),
        (
            ("draws: 3", "data: {mode: grey}"),
            "g.yaml:8: data.mode: input should be 'rgb' or 'gray', got 'grey'. Did you mean 'gray'?",
        ),
        (
            ("draws: 3", "data: {split_seed: 4294967295}"),
            "g.yaml:8: data.split_seed: input should be less than 4294967295",
        ),
        (
            ("draws: 3", "sampler: heun-81"),
            "g.yaml:8: sampler: no preset 'heun-81'. Did you mean 'heun-18'? Available: ",
        ),
        (
            ("draws: 3", "sampler: {stps: 4}"),
            "g.yaml:8: sampler.stps: unknown key 'stps'. Did you mean 'steps'? Allowed: batch",
        ),
        (
            ("draws: 3", "sampler: {sigma_min: 90}"),
            "g.yaml:8: sampler: dpmpp-8: sigma_min 90 is not below sigma_max 80",
        ),
        (("draws: 3", "delta: 0"), "g.yaml:8: delta: input should be greater than 0, got 0"),
        (("draws: 3", "confidence: 0.5"), "g.yaml:8: confidence: input should be greater than 0.5, got 0.5"),
        (("draws: 3", "blocks: 3"), "g.yaml:8: blocks: input should be a valid list, got 3"),
        (("draws: 3", "blocks: [3]"), "g.yaml:8: blocks[0]: input should be a valid dictionary, got 3"),
        (
            ("draws: 3", "blocks:\n  - draws: 2\n  - drews: 2"),
            "g.yaml:10: blocks[1].drews: unknown key 'drews'. Did you mean 'draws'? Allowed: classifiers, draws, filters",
        ),
        (
            ("draws: 3", "blocks:\n  - dataset: x"),
            "g.yaml:9: blocks[0].dataset: unknown key 'dataset'. Allowed: classifiers",
        ),
        (
            ("draws: 3", "blocks:\n  - generators: [edm-tny]"),
            "g.yaml:9: blocks[0].generators[0]: no preset 'edm-tny'. Did you mean 'edm-tiny'?",
        ),
        (
            ("draws: 3", "blocks:\n  - seeds: 0"),
            "g.yaml:9: blocks[0].seeds: input should be greater than or equal to 1, got 0",
        ),
        (("dataset: digits", "dataset: 3"), "g.yaml:2: dataset: input should be a valid string, got 3"),
        (("dataset: digits", "dataset: ''"), "g.yaml:2: dataset: string should have at least 1 character, got ''"),
        (("dataset: digits\n", ""), "g.yaml: dataset: missing; every grid needs it"),
        (("seeds: 2", "seeds: 1000000"), "g.yaml: 117,000,000 cells; a grid may have 1,000,000. Lower draws or seeds"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path, wrong, sentence):
    (said,) = refused(tmp_path, replaced(*wrong))
    assert said.startswith(sentence)


def test_a_slip_that_would_sample_for_years_is_told(tmp_path):
    said = refused(tmp_path, replaced("[20, 40, 80]", "[1000000]").replace("2.5", "1000"))
    assert said == [
        "g.yaml: 6,000,000,000 synthetic images in 23,437,500 shards; a grid may have 1,000,000 shards. "
        "Lower num_real or synthetic_multiples, or raise sampler.shard_size"
    ]


def test_all_problems_at_once_and_each_once(tmp_path):
    text = replaced("draws: 3", "drews: 3").replace("[mlp]", "[mpl]").replace("[0, 1, 2.5]", "[0, -1]")
    said = refused(tmp_path, text, "seeds=0", "nonsense", "dataset=", "blocks=[{num_real: [0]}]")
    words = (
        "'drews'",
        "'mpl'",
        "synthetic_multiples[1]",
        "override 'seeds=0': seeds",
        "'nonsense' is no override",
        "override 'dataset='",
    )
    for word in words:
        assert sum(word in s for s in said) == 1, word
    assert len(said) == len(words)


@pytest.mark.parametrize(
    "text,said",
    [
        ("draws=three", "override 'draws=three': draws: input should be a whole number from 1 on, got 'three'"),
        ("dras=3", "override 'dras=3': dras: unknown key 'dras'. Did you mean 'draws'?"),
        ("data.size=big", "override 'data.size=big': data.size: input should be a whole number from 1 on, got 'big'"),
        (
            "generators.0.nimgs=7",
            "override 'generators.0.nimgs=7': generators[0].nimgs: unknown key 'nimgs'. Did you mean 'nimg'?",
        ),
        (
            "num_real=[20, x]",
            "override 'num_real=[20, x]': num_real[1]: input should be a whole number from 1 on, got 'x'",
        ),
    ],
)
def test_overrides_are_named_in_what_is_said(tmp_path, text, said):
    (sentence,) = refused(tmp_path, TEXT, text)
    assert sentence.startswith(said)


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


def test_the_real_share_is_void_but_in_mixtures():
    spec = grid(protocols=["mixed", "synthetic-only", "pretrain"], real_share=["proportional", 0.5, 0.75])
    made = [(c.protocol, c.real_share) for c in spec.cells() if c.generator]
    assert made == [("mixed", None), ("mixed", 0.5), ("mixed", 0.75), ("synthetic-only", None), ("pretrain", None)]


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
    made = [c.num_synthetic for c in grid(num_real=[n], synthetic_multiples=[multiple]).cells()]
    assert made == [0] if num_synthetic is None else [0, num_synthetic]


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


@pytest.mark.parametrize(
    "generators,said",
    [
        ([{"preset": "jitter", "noise": 0.5}], "generators: 'jitter' stands for two different recipes"),
        ([{"preset": "jitter", "name": "again"}], "generators: 'jitter' and 'again' are the same recipe; keep one"),
    ],
)
def test_a_name_stands_for_one_recipe_in_all_blocks(generators, said):
    """Tables go by names: two recipes under one would be averaged together."""
    with pytest.raises(UsageProblem, match=said):
        grid(blocks=[{"generators": generators}])
    assert len(grid(blocks=[{"generators": ["jitter"]}]).products()) == 2


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
    )


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_every_shipped_grid_written_out_is_the_same_grid(path, tmp_path):
    spec = load_grid(path, [])
    text = write_grid(spec)
    again = load(tmp_path, text)
    assert again == spec and write_grid(again) == text
    assert list(again.cells()) == list(spec.cells())


def test_a_written_grid_spells_every_default_out(tmp_path):
    written = yaml.safe_load(write_grid(load(tmp_path)))
    assert set(written) == set(GridSpec.model_fields)
    assert written["generators"][0]["nimg"] == GENERATORS["edm-tiny"].nimg and written["sampler"]["steps"] == 8


def test_shipped_grids():
    assert {p.stem for p in SHIPPED} >= {"smoke", "digits", "digits-controls", "cifar10", "cifar100"}


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


@pytest.mark.parametrize(
    "filters,said",
    [
        ("confidnt", "Did you mean 'confident'?"),
        ([{"preset": "confident", "share": 1.0}], "less than 1"),
        (["confident", {"preset": "confident", "name": "again"}], "'confident' and 'again' are the same recipe"),
    ],
)
def test_filters_that_cannot_be(filters, said):
    with pytest.raises(UsageProblem, match=said):
        small_grid(filters=filters)
