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
