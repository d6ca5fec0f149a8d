"""Bad inputs to generators that start from files: pipelines of diffusers, and what they are asked to do."""

import json

from tests.bad_inputs.test_grid_cases import replaced


def pipeline(folder, kind, scheduler="DDIMScheduler", **parts):
    """As far as a grid looks at it."""
    folder.mkdir(parents=True)
    index = {"_class_name": kind, "scheduler": ["diffusers", scheduler]} | parts
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def test_pipelines_that_cannot_start_from_real_images(door, told):
    for name, of in {
        "whole": ("DDPMPipeline",),
        "flow": ("StableDiffusion3Pipeline", "FlowMatchEulerDiscreteScheduler"),
        "quiet": ("StableDiffusionPipeline", "IPNDMScheduler"),
        "good": ("StableDiffusionPipeline",),
    }.items():
        pipeline(door.folder / name, *of)
    names = ("whole", "flow", "quiet", "good")
    given = ", ".join(
        f"{{family: pretrained, name: {n}, pipeline: '{door.folder / n}', guide: {{strength: 0.5}}}}" for n in names
    )
    told(door.refused(2, text=replaced("[jitter]", f"[{given}]")))
    assert door.found == [("pipeline-cannot-guide", f"g.yaml:4: generators[{i}].guide", "") for i in range(3)]


def test_a_guided_pipeline_without_real_images(door, told):
    pipeline(door.folder / "p", "DiTPipeline")
    given = f"[{{family: pretrained, name: p, pipeline: '{door.folder / 'p'}', guide: {{strength: 0.5}}}}]"
    text = replaced("[jitter]", given).replace("[20, 40, 60, 80]", "[0, 20, 40, 60, 80]") + "num_synthetic: [20]\n"
    told(door.refused(2, text=text))
    assert door.found == [("needs-real-images", "g.yaml:2: num_real[0]", "0")]


def test_what_is_trained_of_a_text_to_image_pipeline(door, told):
    """The base, and how it is asked: all at once."""
    pipeline(door.folder / "sd", "StableDiffusionPipeline")
    pipeline(door.folder / "dit", "DiTPipeline")
    pipeline(door.folder / "xl", "StableDiffusionXLPipeline")
    at = {name: f"base: '{door.folder / name}'" for name in ("sd", "dit", "xl", "none")}
    given = [
        f"{{family: lora, name: a, {at['dit']}, rank: 0}}",
        f"{{family: lora, name: b, {at['none']}, text_encoder: false}}",
        f"{{family: lora, name: c, {at['sd']}, per_class: true, max_passes: 3}}",
        f"{{family: lora, name: d, {at['sd']}, p_mean: 1}}",
        f"{{family: lora, name: e, {at['sd']}, prompt: a photo}}",
        f"{{family: inversion, name: f, {at['sd']}, prompt: 'a {{label}}'}}",
        f"{{family: inversion, name: g, {at['sd']}, token: style, rank: 4}}",
        f"{{family: inversion, name: h, {at['sd']}, guide: {{strength: 0.5, of: held-out}}, trained_on: 80}}",
        f"{{family: lora, name: i, {at['xl']}}}",
        f"{{family: lora, name: j, {at['sd']}, validation_share: 0.2}}",
    ]
    told(door.refused(2, text=replaced("[jitter]", f"[{', '.join(given)}]")))
    assert [(code, place.partition("generators")[2]) for code, place, _ in door.found] == [
        ("not-a-text-base", "[0].base"),
        ("out-of-range", "[0].rank"),
        ("no-such-base", "[1].base"),
        ("passes-per-class", "[2]"),
        ("unknown-key", "[3].p_mean"),
        ("prompt-without-label", "[4]"),
        ("prompt-without-token", "[5]"),
        ("token-form", "[6].token"),
        ("unknown-key", "[6].rank"),
        ("held-out-but-seen", "[7]"),
        ("not-a-text-base", "[8].base"),
        ("unknown-key", "[9].validation_share"),
    ]
