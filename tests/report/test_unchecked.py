"""What a run did not check is said where the page tells how sure it is."""

import pytest

from synaug_ray.report.sections import quality, training

VERDICTS = [
    {"generator": "edm", "family": "edm", "classifier": "mlp"},
    {"generator": "edm+inliers", "family": "edm", "classifier": "mlp"},
    {"generator": "pixels", "family": "pretrained", "classifier": "cnn"},
    {"generator": "jitter", "family": "jitter", "classifier": "mlp"},
]


@pytest.mark.parametrize(
    "rows,told", [([], "edm, edm+inliers, pixels"), ([["edm", 100]], "pixels"), ([["edm", 100], ["pixels", 100]], "")]
)
def test_generators_whose_images_nobody_looked_at(rows, told):
    found = quality.unchecked({"columns": ["generator", "real images seen"], "rows": rows}, VERDICTS)
    assert len(found) == bool(told) and all(
        f"the images of {told}:" in line and "quality_draws" in line for line in found
    )
    assert quality.unchecked(None, VERDICTS[3:]) == []  # a control has nothing to learn


@pytest.mark.parametrize("seen,told", [((), "cnn, mlp"), (("mlp",), "cnn"), (("mlp", "cnn"), "")])
def test_classifiers_whose_length_of_training_nobody_checked(seen, told):
    found = training.unchecked([{"classifier": name} for name in seen], VERDICTS)
    assert len(found) == bool(told) and all(f"of training of {told}:" in f and "training_check" in f for f in found)


@pytest.mark.parametrize("grid,told", [("classifiers: [{name: cnn, tune: head}, {name: mlp}]", "mlp"), ("", "cnn, mlp"),
                                       ("blocks: [{classifiers: [{name: cnn, tune: head}]}]", "mlp"), ("[", "cnn, mlp"),
                                       ("blocks: 3", "cnn, mlp"), ("classifiers: [cnn]", "cnn, mlp")])  # fmt: skip
def test_a_head_that_is_fitted_has_no_length_of_training(grid, told):
    assert f"of training of {told}:" in training.unchecked([], VERDICTS, grid)[0]
