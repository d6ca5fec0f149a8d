"""What mixtures are called in tables, and how a person reads it."""

import pytest

from synaug_ray.analysis.advice.recommendation_text import mixing
from synaug_ray.analysis.mixing import mix_name, real_weight, share_and_weight
from synaug_ray.analysis.verdict_text import setting
from synaug_ray.report.text import StudyNames


@pytest.mark.parametrize(
    "share,weight,name,in_loss,clause,advice,on_page",
    [
        (None, None, "proportional", None, "mixed in proportion", "mixed in proportion to their numbers",
         "edm · mixed in proportion"),
        (0.75, None, "0.75", 0.75, "75% real in each batch", "75% of each training batch real",
         "edm · 75\u202f% of a batch real"),
        (0.75, 0.9, "0.75@0.9", 0.9, "75% real in each batch, weighted 0.9",
         "75% of each training batch real, and real images weighted 0.9 in the loss",
         "edm · 75\u202f% of a batch real, weighted 0.9"),
        (None, 0.9, "proportional@0.9", 0.9, "mixed in proportion, real images weighted 0.9",
         "mixed in proportion to their numbers, and real images weighted 0.9 in the loss",
         "edm · mixed in proportion, weighted 0.9"),
    ],
)  # fmt: skip
def test_a_mixture_by_its_name_and_in_words(share, weight, name, in_loss, clause, advice, on_page):
    assert mix_name(share, weight) == name and real_weight(name) == in_loss
    assert share_and_weight(name) == (name.split("@")[0], "" if weight is None else "0.9")
    assert setting(name, "mixed") == clause and mixing(name, "mixed") == advice
    study = {"classifier": "mlp", "generator": "edm", "protocol": "mixed", "real_share": name}
    assert StudyNames.of([study]).name(study) == on_page


def test_what_is_no_mixture_has_no_weight():
    with pytest.raises(ValueError, match="none"):
        real_weight("none")
