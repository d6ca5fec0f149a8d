"""Wrong grid files, values and overrides: the code, place and value of each message; its text: ``messages.json``."""

import pytest
from helpers.grids import WRITTEN as GRID

from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.load import load_grid
from synaug_ray.config.yaml_source import MAX_BYTES


@pytest.fixture
def refused(tmp_path, monkeypatch, told):
    """``refused(text, *overrides)``: (code, place, value) of each message."""
    monkeypatch.chdir(tmp_path)

    def load(text=GRID, *overrides):
        path = tmp_path / "g.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(UsageProblem) as caught:
            load_grid(path.relative_to(tmp_path), list(overrides))
        told(caught.value.sentences)
        assert all("\n" not in s and len(s) < 1_000 for s in caught.value.sentences)
        return [(m.code, m.place, m.value) for m in caught.value.messages]

    return load


def replaced(old, new):
    assert GRID.count(old) == 1
    return GRID.replace(old, new)


def label(row):
    """A test's id: the start of the wrong text."""
    return str(row[1 if len(row) == 5 else 0])[:44] or "empty"


FILES = [
    ("a: 1\nb: c: d\n", "not-yaml", ":2:5", ""),
    ("a: [1, 2\n", "not-yaml", ":2:1", ""),
    ("\ta: 1\n", "not-yaml", ":1:1", ""),
    ("a: 1\n---\nb: 2\n", "not-yaml", ":2:1", ""),
    ("a: \x07\n", "not-yaml", "", ""),
    ("", "not-a-mapping", "", "NoneType"),
    ("- a\n", "not-a-mapping", "", "list"),
    ("digits\n", "not-a-mapping", "", "str"),
    ("a: 1\nb: 2\na: 3\n", "duplicate-key", ":3", "'a'"),
    ("b:\n  - {x: 1, x: 2}\n", "duplicate-key", ":2", "'x'"),
    ("a: &x [1]\nb: 2\n", "anchor", ":1", "'x'"),
    ("a: 1\nb: *a\n", "anchor", ":2", "'a'"),
    (
        "a: 1\nb: !!python/object/apply:os.system [ls]\n",
        "tag",
        ":2",
        "'tag:yaml.org,2002:python/object/apply:os.system'",
    ),
    ("a: !!bool maybe\n", "tag", ":1", "'tag:yaml.org,2002:bool'"),
    ("a: !!timestamp never\n", "tag", ":1", "'tag:yaml.org,2002:timestamp'"),
    ("a: !mine 3\n", "tag", ":1", "'!mine'"),
    ("a: 1\nb: 2026-11-21\n", "not-plain", ":2", "'2026-11-21'"),
    ("a: 1\nb: 2026-13-45\n", "not-plain", ":2", "'2026-13-45'"),
    ("a: 1\n3: 2\n", "key-not-text", ":2", "'3'"),
    ("a:\n  true: 2\n", "key-not-text", ":2", "'true'"),
    ("? [a]\n: 1\n", "key-not-text", ":1", "a list or mapping"),
    ("<<: {a: 1}\n", "key-not-text", ":1", "'<<'"),
    (b"a: \xff\n", "not-utf-8", "", ""),
    ("a: 1\n".encode("utf-16"), "not-utf-8", "", ""),
    ("[" * 5_000 + "]" * 5_000, "too-deep", ":1", ""),
    ("\n".join(" " * i + "a:" for i in range(200)), "too-deep", ":21", ""),
    ("a: " + "9" * 5_000, "not-yaml", "", ""),
]


VALUES = [
    ("draws: 3", "drews: 3", "unknown-key", ":8: drews", "'drews'"),
    ("draws: 3", "epochs_of_training: 3", "unknown-key", ":8: epochs_of_training", "'epochs_of_training'"),
    ("draws: 3", "draws: three", "not-an-integer", ":8: draws", "'three'"),
    ("draws: 3", "draws: 0", "out-of-range", ":8: draws", "0"),
    ("draws: 3", "draws: 2.5", "not-an-integer", ":8: draws", "2.5"),
    ("draws: 3", "draws: yes", "not-an-integer", ":8: draws", "'yes'"),
    ("draws: 3", "draws: true", "not-an-integer", ":8: draws", "True"),
    ("draws: 3", "draws:", "not-an-integer", ":8: draws", "None"),
    ("[20, 40, 80]", "[]", "too-short", ":3: num_real", ""),
    ("[20, 40, 80]", "[20, -40]", "out-of-range", ":3: num_real[1]", "-40"),
    ("[20, 40, 80]", "[20, 40, 20]", "duplicate-value", ":3: num_real", ""),
    (
        "[20, 40, 80]",
        f"[{10**400}]",
        "out-of-range",
        ":3: num_real[0]",
        "10000000000000000000000000000000000000000000000000000000000000000000000000000000...",
    ),
    ("[20, 40, 80]", "[20,\n  40,\n  x]", "not-an-integer", ":5: num_real[2]", "'x'"),
    ("[0, 1, 2.5]", "[0, -1]", "out-of-range", ":4: synthetic_multiples[1]", "-1"),
    ("[0, 1, 2.5]", "[.nan]", "not-finite", ":4: synthetic_multiples[0]", "nan"),
    ("[0, 1, 2.5]", "[.inf]", "not-finite", ":4: synthetic_multiples[0]", "inf"),
    ("[0, 1, 2.5]", "[0, 5000]", "out-of-range", ":4: synthetic_multiples[1]", "5000"),
    ("[0, 1, 2.5]", "[0, true]", "not-a-number", ":4: synthetic_multiples[1]", "True"),
    ("edm-tiny, jitter", "{preset: edm-tiny, flip: maybe}", "bool-type", ":6: generators[0].flip", "'maybe'"),
    (
        "edm-tiny, jitter",
        "{preset: edm-tiny, guide: {strength: 1, of: held-out}}",
        "out-of-range",
        ":6: generators[0].guide",
        "",
    ),
    (
        "edm-tiny, jitter",
        "{preset: edm-tiny, guide: {strength: 0.3, of: heldout}}",
        "not-a-choice",
        ":6: generators[0].guide.of",
        "'heldout'",
    ),
    (
        "edm-tiny, jitter",
        "{preset: edm-tiny, trained_on: 800, guide: {strength: 0.3, of: held-out}}",
        "held-out-but-seen",
        ":6: generators[0]",
        "",
    ),
    (
        "draws: 3",
        "sampler: {preset: dpmpp-8, strength: 0.3, start: held-out}",
        "held-out-by-all",
        ":8: sampler.start",
        "held-out",
    ),
    (
        "jitter]",
        "{preset: jitter, of: held-out}]\nprotocols: [local-replacement]",
        "protocol",
        ":7: protocols",
        "local-replacement",
    ),
    (
        "edm-tiny, jitter",
        "{preset: edm-tiny, guide: {strength: 0.3, off: held-out}}",
        "unknown-key",
        ":6: generators[0].guide.off",
        "'off'",
    ),
    ("draws: 3", "draws: 3\nfewer_draws: [{num_real: 30, draws: 2}]", "not-measured", ":9: fewer_draws[0]", "30"),
    ("draws: 3", "draws: 3\nfewer_draws: [{num_real: 40, draws: 4}]", "more-than-draws", ":9: fewer_draws[0]", "4"),
    (
        "draws: 3",
        "draws: 3\nfewer_draws: [{num_real: 40, draws: 1}, {num_real: 40, draws: 2}]",
        "duplicate-value",
        ":9: fewer_draws[1]",
        "40",
    ),
    (
        "draws: 3",
        "draws: 3\nfewer_draws: [{num_real: 40, draws: 1, generators: [edm-tiny, edm]}]",
        "not-measured",
        ":9: fewer_draws[0]",
        "edm",
    ),
    (
        "draws: 3",
        "draws: 3\nfewer_draws: [{num_real: 40, draws: 1}, {num_real: 40, draws: 2, generators: [jitter]}]",
        "duplicate-value",
        ":9: fewer_draws[1]",
        "40",
    ),
    ("edm-tiny, jitter", "{preset: mixup, of: held-out}", "not-of-held-out", ":6: generators[0]", ""),
    ("edm-tiny, jitter", "{preset: label-shuffle, share: 0}", "out-of-range", ":6: generators[0].share", "0"),
    ("[0, 1, 2.5]", "[0, 0.001, 0.006]", "no-synthetic-images", ":4: synthetic_multiples", "0.006"),
    ("[0, 1, 2.5]", "[0, 0100]", "not-decimal", ":4", "'0100'"),
    ("[20, 40, 80]", "[1:20]", "not-decimal", ":3", "'1:20'"),
    ("edm-tiny, jitter", "{preset: edm-tiny, nimg: 0x10}", "not-decimal", ":6", "'0x10'"),
    ("[0, 1, 2.5]", "[1, 1.0]", "duplicate-value", ":4: synthetic_multiples", ""),
    ("proportional, 0.5", "propotional", "not-a-choice", ":5: real_share[0]", "'propotional'"),
    ("proportional, 0.5", "1.0", "not-a-choice", ":5: real_share[0]", "1.0"),
    ("draws: 3", "real_weight: [shared]", "not-a-choice", ":8: real_weight[0]", "'shared'"),
    ("draws: 3", "real_weight: [0.5, 0]", "not-a-choice", ":8: real_weight[1]", "0"),
    ("draws: 3", "real_weight: 1", "not-a-choice", ":8: real_weight[0]", "1"),
    ("draws: 3", "real_weight: 1.5", "not-a-choice", ":8: real_weight[0]", "1.5"),
    ("draws: 3", "real_weight: .nan", "not-a-choice", ":8: real_weight[0]", "nan"),
    ("draws: 3", "real_weight: yes", "not-a-choice", ":8: real_weight[0]", "'yes'"),
    ("draws: 3", "real_weight: []", "too-short", ":8: real_weight", ""),
    ("draws: 3", "real_weight: [0.9, share, 0.9]", "duplicate-value", ":8: real_weight", ""),
    ("draws: 3", "protocols: pretrain\nreal_weight: [share, 0.9]", "protocol", ":9: real_weight", "0.9"),
    (
        "draws: 3",
        "blocks:\n  - {protocols: [synthetic-only], real_weight: 0.9}",
        "protocol",
        ":9: blocks[0].real_weight",
        "0.9",
    ),
    (
        "draws: 3",
        "blocks:\n  - {num_real: [0], num_synthetic: [9], generators: [real-holdout], real_weight: 0.9}",
        "protocol",
        ":9: blocks[0].real_weight",
        "0.9",
    ),
    (
        "draws: 3",
        "protocols: [{family: bridged, name: b, first_share: 0.3}, synthetic-only]\nreal_weight: [0.9, 0.25]",
        "protocol",
        ":9: real_weight",
        "0.9, 0.25",
    ),
    ("edm-tiny, jitter", "edm-tny", "unknown-preset", ":6: generators[0]", "'edm-tny'"),
    ("edm-tiny, jitter", "jitter, {preset: [1]}", "unknown-preset", ":6: generators[1]", "[1]"),
    ("edm-tiny, jitter", "jitter, jitter", "duplicate-name", ":6: generators", ""),
    ("edm-tiny, jitter", "7", "not-a-mapping", ":6: generators[0]", "7"),
    ("edm-tiny, jitter", "{name: x}", "no-preset-or-family", ":6: generators[0]", ""),
    ("edm-tiny, jitter", "{family: emd, name: x}", "unknown-family", ":6: generators[0]", "'emd'"),
    ("edm-tiny, jitter", "{preset: jitter, nois: 1}", "unknown-key", ":6: generators[0].nois", "'nois'"),
    ("edm-tiny, jitter", "{preset: edm-tiny, nimgs: 1}", "unknown-key", ":6: generators[0].nimgs", "'nimgs'"),
    ("edm-tiny, jitter", "{preset: edm-tiny, channels: [8, 16, 32]}", "unequal-lengths", ":6: generators[0]", ""),
    ("edm-tiny, jitter", "{preset: edm-tiny, name: ../x}", "not-a-name", ":6: generators[0].name", "'../x'"),
    ("[mlp]", "[mpl]", "unknown-preset", ":7: classifiers[0]", "'mpl'"),
    (
        "[mlp]",
        "[{preset: mlp, optimiser: {learning_rat: 1}}]",
        "unknown-key",
        ":7: classifiers[0].optimiser.learning_rat",
        "'learning_rat'",
    ),
    (
        "[mlp]",
        "[{preset: mlp, optimiser: {family: adam}}]",
        "not-a-choice",
        ":7: classifiers[0].optimiser.family",
        "'adam'",
    ),
    ("draws: 3", "protocols: [mixd]", "not-a-choice", ":8: protocols[0]", "'mixd'"),
    ("draws: 3", "protocols: [7]", "not-a-choice", ":8: protocols[0]", "7"),
    ("draws: 3", "protocols: bridgd", "not-a-choice", ":8: protocols[0]", "'bridgd'"),
    ("draws: 3", "protocols: [{preset: bridgd}]", "unknown-preset", ":8: protocols[0]", "'bridgd'"),
    ("draws: 3", "budget: 2", "budget", ":8: budget", "2"),
    ("draws: 3", "budget: two hours", "budget", ":8: budget", "'two hours'"),
    ("draws: 3", "budget: 0h", "budget", ":8: budget", "'0h'"),
    ("draws: 3", "until: {half_width: 1}", "without-budget", ":8: until", "until"),
    ("draws: 3", "budget: 2h\nuntil: {decide: no}", "until", ":9: until", ""),
    ("draws: 3", "budget: 2h\nuntil: {num_real: [40, 41]}", "not-measured", ":9: until.num_real[1]", "41"),
    ("draws: 3", "budget: 2h\nuntil: {half_width: 0}", "out-of-range", ":9: until.half_width", "0"),
    ("draws: 3", "protocols: [{family: bridged}]", "missing-key", ":8: protocols[0].name", "name"),
    ("draws: 3", "protocols: [{family: x, name: y}]", "not-a-choice", ":8: protocols[0].family", "'x'"),
    ("draws: 3", "protocols: [{preset: bridged, reset: no}]", "unknown-key", ":8: protocols[0].reset", "'reset'"),
    ("draws: 3", "protocols: [{preset: bridged, mixup: -1}]", "out-of-range", ":8: protocols[0].mixup", "-1"),
    ("draws: 3", "protocols: {preset: bridged, first_share: 1}", "out-of-range", ":8: protocols[0].first_share", "1"),
    (
        "draws: 3",
        "protocols: [{preset: bridged, reset_head: 2}]",
        "bool-type",
        ":8: protocols[0].reset_head",
        "2",
    ),
    ("draws: 3", "protocols: [{preset: bridged, name: mixed}]", "reserved-name", ":8: protocols[0].name", "'mixed'"),
    ("draws: 3", "protocols: [mixed, mixed]", "duplicate-value", ":8: protocols", ""),
    ("draws: 3", "protocols: [bridged, {preset: bridged}]", "duplicate-name", ":8: protocols", ""),
    ("draws: 3", "protocols: [bridged, {preset: bridged, mixup: 0}]", "duplicate-name", ":8: protocols", ""),
    (
        "[mlp]",
        "[{preset: mlp, nimg: 64}]\nprotocols: bridged",
        "too-short-for-stages",
        ":8: protocols",
        "64",
    ),
    ("draws: 3", "stratify: balancd", "not-a-choice", ":8: stratify", "'balancd'"),
    ("draws: 3", "data: {siz: 8}", "unknown-key", ":8: data.siz", "'siz'"),
    ("draws: 3", "data: {mode: grey}", "not-a-choice", ":8: data.mode", "'grey'"),
    ("draws: 3", "data: {split_seed: 4294967295}", "out-of-range", ":8: data.split_seed", "4294967295"),
    ("draws: 3", "sampler: heun-81", "unknown-preset", ":8: sampler", "'heun-81'"),
    ("draws: 3", "sampler: {stps: 4}", "unknown-key", ":8: sampler.stps", "'stps'"),
    ("draws: 3", "sampler: {sigma_min: 90}", "sigma-order", ":8: sampler", ""),
    ("draws: 3", "delta: 0", "out-of-range", ":8: delta", "0"),
    ("draws: 3", "confidence: 0.5", "out-of-range", ":8: confidence", "0.5"),
    ("draws: 3", "blocks: 3", "not-a-list", ":8: blocks", "3"),
    ("draws: 3", "blocks: [3]", "not-a-mapping", ":8: blocks[0]", "3"),
    ("draws: 3", "blocks:\n  - draws: 2\n  - drews: 2", "unknown-key", ":10: blocks[1].drews", "'drews'"),
    ("draws: 3", "blocks:\n  - dataset: x", "unknown-key", ":9: blocks[0].dataset", "'dataset'"),
    ("draws: 3", "blocks:\n  - generators: [edm-tny]", "unknown-preset", ":9: blocks[0].generators[0]", "'edm-tny'"),
    ("draws: 3", "blocks:\n  - seeds: 0", "out-of-range", ":9: blocks[0].seeds", "0"),
    ("dataset: digits", "dataset: 3", "not-text", ":2: dataset", "3"),
    ("dataset: digits", "dataset: ''", "too-short", ":2: dataset", "''"),
    ("seeds: 2", "seeds: 1000000", "too-many-cells", "", "117,000,000"),
]


OVERRIDES = [
    ("draws=three", "not-an-integer", ": draws", "'three'"),
    ("dras=3", "unknown-key", ": dras", "'dras'"),
    ("data.size=big", "not-an-integer", ": data.size", "'big'"),
    ("generators.0.nimgs=7", "unknown-key", ": generators[0].nimgs", "'nimgs'"),
    ("synthetic_multiples=0.001", "no-synthetic-images", ": synthetic_multiples", "0.001"),
    ("num_real=[20, x]", "not-an-integer", ": num_real[1]", "'x'"),
]


@pytest.mark.parametrize("text,code,place,value", FILES, ids=map(label, FILES))
def test_files(refused, text, code, place, value):
    assert refused(text) == [(code, f"g.yaml{place}", value)]


@pytest.mark.parametrize("old,new,code,place,value", VALUES, ids=map(label, VALUES))
def test_values(refused, old, new, code, place, value):
    assert refused(replaced(old, new)) == [(code, f"g.yaml{place}", value)]


@pytest.mark.parametrize("override,code,place,value", OVERRIDES, ids=map(label, OVERRIDES))
def test_values_of_overrides(refused, override, code, place, value):
    assert refused(GRID, override) == [(code, f"override {override!r}{place}", value)]


@pytest.mark.parametrize(
    "block,code,value",
    [
        ("{preset: real-then-real, name: again}", "duplicate-recipe", "'again'"),  # as the control of bridged
        ("{preset: bridged, mixup: 0}", "ambiguous-name", "'bridged'"),  # and not its control, too
    ],
)
def test_protocols_of_two_products(refused, block, code, value):
    text = replaced("draws: 3", f"protocols: bridged\nblocks: [{{protocols: {block}}}]")
    assert refused(text) == [(code, "protocols", value)]


@pytest.mark.parametrize("protocol", ["pretrain", "bridged", "real-then-real", "soft-labels"])
def test_a_head_on_frozen_features_is_fitted_at_once(refused, protocol):
    head = f"{{family: timm, name: h, model: resnet18, weights: /x.safetensors, content: {'a' * 64}, tune: head}}"
    text = replaced("[mlp]", f"[mlp, {head}]\nprotocols: [mixed, {protocol}]")
    assert refused(text) == [("protocol", "g.yaml:8: protocols", protocol)]


def test_only_variations_of_single_images_replace_them(refused):
    text = replaced("draws: 3", "draws: 3\nprotocols: local-replacement\nfilters: [none, inliers]")
    place = "g.yaml:9: protocols"
    assert refused(text) == [("protocol", place, "local-replacement")] * 2
    head = f"{{family: timm, name: h, model: resnet18, weights: /x.safetensors, content: {'a' * 64}, tune: head}}"
    guided = "jitter, augment, {preset: edm-tiny, name: guided, guide: {strength: 0.3}}"
    block = f"protocols: local-replacement, classifiers: [{head}], generators: [{guided}]"
    fitted = [code for code, *_ in refused(f"{GRID}blocks: [{{{block}}}]\n")]
    assert fitted == ["protocol"]  # of the head alone: no generator is refused
    others = f"{guided}, real-holdout, {{preset: edm-tiny, name: wider, guide: {{strength: 0.3}}, trained_on: 80}}"
    assert len(refused(f"{GRID}blocks: [{{protocols: local-replacement, generators: [{others}]}}]\n")) == 1


def test_protocol_joint_needs_a_head_and_the_cells_own_images(refused):
    own = "{preset: vit-gan-tiny, name: wide, trained_on: 80}, {preset: vit-gan-tiny, patch: 2}"
    text = replaced("edm-tiny, jitter", f"edm-tiny, {own}").replace("[mlp]", "[mlp]\nprotocols: [joint]")
    assert refused(text) == [("protocol", "g.yaml:8: protocols", "joint")] * 2
    block = f"{GRID}blocks: [{{protocols: [mixed, joint], generators: [vit-gan-tiny]}}, {{protocols: [joint]}}]\n"
    assert refused(block) == [("protocol", "g.yaml:10: blocks[1].protocols", "joint")]
    alone = "{preset: vit-gan-tiny, adversarial: no, name: alone}"
    assert refused(replaced("edm-tiny, jitter", alone)) == [("no-synthetic-images", "g.yaml: protocols", "alone")]
    assert refused(replaced("edm-tiny, jitter", "{preset: vit-gan-tiny, patch: 3}")) == [
        ("image-size", "g.yaml:6: generators[0]", "8 pixels")
    ]
    none = f"{GRID}blocks: [{{protocols: [joint], num_real: [0], generators: [vit-gan-tiny], num_synthetic: [9]}}]\n"
    assert ("protocol", "g.yaml:10: blocks[0].protocols", "joint") in refused(none)


def test_a_file_without_a_key_that_every_grid_needs(refused):
    assert refused(replaced("dataset: digits\n", "")) == [("missing-key", "g.yaml: dataset", "dataset")]


def test_too_many_images_for_any_machine(refused):
    text = replaced("[20, 40, 80]", "[1000000]").replace("2.5", "1000")
    assert refused(text) == [("too-many-shards", "g.yaml", "23,437,500")]


def test_all_problems_at_once_and_each_once(refused):
    text = replaced("draws: 3", "drews: 3").replace("[mlp]", "[mpl]").replace("[0, 1, 2.5]", "[0, -1]")
    overrides = ["seeds=0", "nonsense", "dataset=", "blocks=[{num_real: [0]}]"]
    assert refused(text, *overrides) == [
        ("not-an-override", "", "'nonsense'"),
        ("unknown-preset", "g.yaml:7: classifiers[0]", "'mpl'"),
        ("out-of-range", "g.yaml:4: synthetic_multiples[1]", "-1"),
        ("out-of-range", "override 'seeds=0': seeds", "0"),
        ("not-text", "override 'dataset=': dataset", "None"),
        ("unknown-key", "g.yaml:8: drews", "'drews'"),
    ]


def test_every_duplicate_key(refused):
    assert refused("a: 1\na: 2\nb: {c: 1, c: 2}\n") == [
        ("duplicate-key", "g.yaml:2", "'a'"),
        ("duplicate-key", "g.yaml:3", "'c'"),
    ]


def test_a_long_wrong_line_is_cut(refused):
    assert refused("a: [" + "x, " * 1_000 + "\n") == [("not-yaml", "g.yaml:2:1", "")]


def test_a_huge_file_is_not_read(refused):
    assert refused("a: " + "x" * MAX_BYTES) == [("file-too-large", "g.yaml", f"{MAX_BYTES + 3:,} bytes")]


def test_a_small_file_cannot_become_a_large_value(refused):
    """Nine levels of ten aliases would be 10^9 values."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert refused("\n".join(levels)) == [("anchor", "g.yaml:1", "'a0'")]


@pytest.mark.parametrize(
    "generators,code,value",
    [
        ("{preset: jitter, noise: 0.5}", "ambiguous-name", "'jitter'"),
        ("{preset: jitter, name: again}", "duplicate-recipe", "'again'"),
    ],
)
def test_a_name_is_of_one_recipe_in_all_blocks(refused, generators, code, value):
    """Tables identify recipes by name: two recipes under one name would be averaged together."""
    text = f"{GRID}blocks: [{{generators: [{generators}]}}]\n"
    assert refused(text) == [(code, "generators", value)]


def test_a_block_without_a_synthetic_image(refused):
    text = f"{GRID}blocks: [{{synthetic_multiples: [0.25], num_real: [1, 2]}}]\n"
    assert refused(text) == [("no-synthetic-images", "g.yaml:10: blocks[0].synthetic_multiples", "0.25")]


def test_a_recipe_may_be_in_several_blocks(tmp_path):
    (tmp_path / "g.yaml").write_text(f"{GRID}blocks: [{{generators: [jitter]}}]\n")
    assert len(load_grid(tmp_path / "g.yaml", []).products()) == 2


@pytest.mark.parametrize(
    "filters,code,place,value",
    [
        ("confidnt", "unknown-preset", "g.yaml:10: filters[0]", "'confidnt'"),
        ("{preset: confident, share: 1.0}", "out-of-range", "g.yaml:10: filters[0].share", "1.0"),
        ("confident, {preset: confident, name: again}", "duplicate-recipe", "filters", "'again'"),
    ],
)
def test_filters(refused, filters, code, place, value):
    assert refused(f"{GRID}filters: [{filters}]\n") == [(code, place, value)]
