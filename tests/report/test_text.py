"""How studies are named: by what tells them apart, and a real share only where batches mix."""

from synaug_ray.report.text import StudyNames, real_share


def study(**changes):
    return {"classifier": "mlp", "generator": "edm", "protocol": "mixed", "real_share": "0.5"} | changes


def test_a_study_without_mixed_batches_has_no_real_share():
    studies = [study(), study(protocol="synthetic-only", real_share="none")]
    names = StudyNames.of(studies)
    assert [names.name(s) for s in studies] == ["edm · mixed · 50\u202f% of a batch real", "edm · synthetic-only"]
    studies = [study(real_share="proportional"), study(protocol="bridged", real_share="none")]
    assert [StudyNames.of(studies).name(s) for s in studies] == ["edm · mixed in proportion", "edm · bridged"]
    assert names.parts(study(protocol="synthetic-only", real_share="none")) == ["edm", "synthetic-only", "\u2014"]


def test_shares_read_as_percent():
    assert [real_share(s) for s in ("0.5", "0.75", "proportional")] == ["50\u202f%", "75\u202f%", "in proportion"]
