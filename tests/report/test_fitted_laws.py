"""The source paper's law in every study, next to its published values."""

from synaug_ray.report.sections import fitted_laws
from synaug_ray.report.text import StudyNames

STUDY = {"classifier": "mlp", "generator": "edm", "protocol": "mixed", "real_share": "0.5", "open_set": False}


def test_the_source_papers_law_is_shown_with_its_published_values():
    primary = {
        "c2": {"value": 2.0, "low": 1.5, "high": 3.0},
        "status": "converged",
        "lambda_per_image": {"value": 0.01, "low": 0.0, "high": 0.02},
    }
    laws = {
        "studies": [STUDY | {"primary": primary}, STUDY | {"real_share": "proportional", "primary": None}],
        "published": [{"dataset": "CIFAR-10", "setting": "closed-set", "c2": 2.53, "source": "arXiv 2508.09550"}],
    }
    table = fitted_laws.primary(laws, StudyNames.of(laws["studies"]))
    assert table is not None
    ours, published = ([entry.text for entry in row] for row in table.rows)
    assert "2" in ours[1] and "1.5" in ours[1] and "3" in ours[1] and ours[3] == "converged"
    assert published == ["CIFAR-10, closed-set (published)", "2.53", "–", "arXiv 2508.09550"]


def test_older_runs_without_it_have_no_such_table():
    laws = {"studies": [STUDY]}
    assert fitted_laws.primary(laws, StudyNames.of(laws["studies"])) is None


def test_the_weight_that_j3_expects_to_be_best_is_shown_only_where_it_predicted_held_out_mixtures():
    best = [
        {"num_real": 20, "num_synthetic": s, "real_weight": w, "error": 0.1, "worth": worth}
        for s, w, worth in ((20, 0.75, 12.0), (80, 0.5, None))
    ]
    fit = {"form": "J3", "formula": "", "parameters": {}, "status": "converged", "best": best, "held_out": {"cells": 4}}
    laws = {"real": [], "studies": [STUDY | {"fits": [], "chosen": None, "rivals": [fit]}]}
    for skill, shown in ((0.4, True), (-0.4, False), (None, False)):
        fit["held_out"]["skill_no_effect"] = skill
        (fitted,) = fitted_laws.all_fits(laws, StudyNames.of(laws["studies"]))
        assert (
            "real weight 0.5 at 20 real and 80 synthetic images: worth any number of more real images"
            in fitted.table.rows[0][2].text
        ) == shown
