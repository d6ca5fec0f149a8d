"""Verdicts say what pretrained parts have seen besides the grid's images."""

from dataclasses import dataclass

import pandas as pd

from synaug_ray.analysis.seen_before import OF_BASE, seen_before


@dataclass(frozen=True)
class Said:
    classifier: str
    generator: str
    sentence: str = "It helps."
    classifier_saw: str = ""


def test_each_verdict_is_completed_with_what_its_own_parts_saw():
    rows = pd.DataFrame(
        {
            "classifier": ["cnn", "lite", "cnn", "lite"],
            "generator": ["latent", "latent", "edm", "edm"],
            "classifier_saw": ["", "ImageNet", "", "ImageNet"],
            "generator_saw": ["other images", "other images", "", ""],
        }
    )
    seen = seen_before(rows)
    verdicts = [Said(c, g) for c, g in zip(rows["classifier"], rows["generator"], strict=True)]
    said = [(v.sentence, v.classifier_saw) for v in seen.told(verdicts)]
    autoencoder, classifier = (
        " The generator's autoencoder has seen other images.",
        " The classifier has seen other images (ImageNet).",
    )
    assert said == [
        (f"It helps.{autoencoder}", ""),
        (f"It helps.{autoencoder}{classifier}", "ImageNet"),
        ("It helps.", ""),
        (f"It helps.{classifier}", "ImageNet"),
    ]
    assert len(seen.notes()) == 2
    based = seen_before(rows.assign(generator_saw=[OF_BASE, OF_BASE, "", ""]))
    assert based.told(verdicts[:1])[0].sentence == "It helps. The generator's base has seen other images."
    assert based.notes()[0].startswith("The base of latent has seen other images")
    old = seen_before(rows[["classifier", "generator"]])
    assert old.told(verdicts) == tuple(verdicts) and not old.notes()
