"""Bad inputs by number, 31 to 33: classifiers that timm lacks or that do not fit the images."""

from __future__ import annotations

import pytest

from tests.bad_inputs.test_grid_cases import replaced


def timm(model, **more):
    fields = {"family": "timm", "name": "net", "model": model, "pack": 1, "nimg": 640} | more
    return "classifiers=[{" + ", ".join(f"{k}: {v!r}" for k, v in fields.items()) + "}]"


def test_case_31_unknown_timm_model(door):
    """All of them, in a real run: a dry run does without timm."""
    two = timm("resnet-18")[:-1] + ", {family: timm, name: other, model: vgg, pack: 1}]"
    said = door.refused_in_a_run(2, two)
    assert (
        said[0]
        == ("classifiers: net: timm has no 'resnet-18'. Did you mean 'resnet18'? timm.list_models() lists all models")
        and len(said) == 2
    )
    assert said[1].startswith("classifiers: other: timm has no 'vgg'. Did you mean 'vgg1")


def test_case_31_a_model_that_nothing_resembles(door):
    (said,) = door.refused_in_a_run(2, timm("xyzzy"))
    assert said == "classifiers: net: timm has no 'xyzzy'. timm.list_models() lists all models"


def test_case_33_a_generator_from_elsewhere_is_a_note(door):
    """It has seen other images, so its verdict is not one about these alone."""
    text = replaced("[jitter]", f"[{{family: pretrained, name: far, pipeline: some/where@{'0' * 40}}}]")
    code, out, _ = door.run("--dry-run", text=text)
    assert code == 0 and "note     generators: far was trained on images outside this data set" in out


def test_case_32_a_model_of_a_fixed_size(door):
    """The grid alone shows it, where it tells the size of the images."""
    (said,) = door.refused_in_a_run(2, timm("vit_tiny_patch16_224"))
    assert said == (
        "classifiers: net (vit_tiny_patch16_224) needs 224 x 224 pixels, and the images have 8 x 8 pixels; "
        "set data.size: 224, or choose another model"
    )


def test_case_32_images_too_small_for_a_model(door):
    (said,) = door.refused_in_a_run(2, timm("vgg11"))
    assert said.startswith("classifiers: net (vgg11) cannot be trained on images of 8 x 8 pixels in batches of 64 (")
    assert said.endswith("); set data.size, or choose another model")


@pytest.mark.parametrize(
    "model,code",
    [
        ("resnet18.a1_in1k", "pretrained-weights"),
        ("hf-hub:timm/resnet18.a1_in1k", "pretrained-weights"),
        ("local-dir:/x", "pretrained-weights"),
        ("", "model-missing"),
    ],
)
def test_case_33_pretrained_weights_asked_for(door, told, model, code):
    told(door.refused(2, timm(model)))
    assert [(found, value) for found, _, value in door.found] == [(code, repr(model) if model else "")]


@pytest.mark.parametrize(
    "override,code,place,value",
    [
        (timm("resnet18", pretrained=1), "unknown-key", "classifiers[0].pretrained", "'pretrained'"),  # case 33
        (
            "classifiers=[{family: mlp, name: a, model: resnet18}]",
            "model-without-timm",
            "classifiers[0]",
            "'resnet18'",
        ),
        ("classifiers=[{preset: cnn, pack: 4}]", "pack", "classifiers[0]", "4"),  # batch normalisation
    ],
)
def test_classifiers_that_cannot_be(door, told, override, code, place, value):
    told(door.refused(2, override))
    ((found, where, wrong),) = door.found
    assert (
        (found, wrong) == (code, value)
        and where.startswith(("override 'classifiers=", 'override "classifiers='))
        and where.endswith(f": {place}")
    )


def test_networks_with_batch_normalisation_cannot_be_packed(door):
    (said,) = door.refused_in_a_run(2, timm("resnet18", pack=16))
    assert said.endswith("it needs pack: 1, got 16")


def test_pretrained_classifiers_that_cannot_be_are_told_of_at_once(door, told):
    (door.folder / "here" / "pickle.bin").write_bytes(b"x")
    (door.folder / "here" / "some.safetensors").write_bytes(b"x")
    said = door.refused(
        2,
        "classifiers=[{family: timm, name: a, model: resnet18, weights: gone.safetensors}, "
        "{family: timm, name: b, model: resnet18, weights: pickle.bin}, "
        "{family: timm, name: c, model: resnet18, weights: some.safetensors, tune: both}, "
        "{family: timm, name: d, model: resnet18, weights: some.safetensors, size: 0}]",
    )
    told(said)
    assert [code for code, _, _ in door.found] == ["no-such-weights", "weights-format", "not-a-choice", "out-of-range"]


def test_fields_of_pretrained_classifiers_are_refused_without_weights(door, told):
    (door.folder / "here" / "some.safetensors").write_bytes(b"x")
    said = door.refused(
        2,
        "classifiers=[{preset: mlp, name: a, tune: head}, {preset: cnn, name: b, size: 64, batch_norm: adapted}, "
        "{preset: cnn, name: c, weights: some.safetensors}, "
        "{family: timm, name: d, model: resnet18.a1_in1k, weights: some.safetensors, pack: 4, size: 5000}]",
    )
    told(said)
    assert [(code, value) for code, _, value in door.found] == [
        ("needs-weights", "head"),
        ("needs-weights", "64"),
        ("needs-weights", "adapted"),
        ("weights-without-timm", repr(f"{door.folder}/here/some.safetensors")),
        ("image-size", "5,000"),
        ("pack", "4"),
    ]


def test_fields_of_another_kind_of_tuning_are_refused(door, told):
    (door.folder / "here" / "some.safetensors").write_bytes(b"x")
    start = "family: timm, model: resnet18, weights: some.safetensors"
    said = door.refused(
        2,
        f"classifiers=[{{{start}, name: a, lora_rank: 4}}, {{{start}, name: b, head: knn}}, "
        f"{{{start}, name: c, tune: head, layer_decay: 0.8}}, {{{start}, name: d, tune: lora, lora_alpha: 8, pack: 2}}]",
    )
    told(said)
    assert [(code, value) for code, _, value in door.found] == [
        ("no-such-field", "lora_rank"),
        ("no-such-field", "head"),
        ("no-such-field", "layer_decay"),
        ("pack", "2"),
    ]


def test_a_file_that_holds_no_weights_of_the_model_is_refused_in_a_run(door):
    (door.folder / "here" / "some.safetensors").write_bytes(b"x")
    said = door.refused_in_a_run(
        2,
        "classifiers=[{family: timm, name: a, model: resnet-18, weights: some.safetensors}, "
        "{family: timm, name: b, model: resnet18, weights: some.safetensors}]",
    )
    assert said[0].startswith("classifiers: a: timm has no 'resnet-18'. Did you mean 'resnet18'?")
    assert said[1].startswith("classifiers: b: here/some.safetensors cannot be used as resnet18 (")
