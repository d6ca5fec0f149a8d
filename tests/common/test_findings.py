"""Lines of a check: how they look, and what exit code they come to."""

from synaug_ray.common.errors import RESOURCES, STORAGE, StorageProblem
from synaug_ray.common.findings import WIDTH, Finding, problem, table


def test_a_long_sentence_goes_on_below_itself_and_loses_nothing():
    words = " ".join(f"word{i}" for i in range(60))
    lines = table([Finding("storage", words, "problem"), Finding("cluster", "1 node")]).splitlines()
    assert lines[0].startswith("problem  storage    word0 ") and lines[-1] == "ok       cluster    1 node"
    assert all(len(line) <= WIDTH for line in lines)
    assert " ".join(line[20:] for line in lines[:-1]) == words
    assert all(line.startswith(" " * 20) for line in lines[1:-1])


def test_a_path_is_not_broken():
    path = "/data/" + "x" * 150 + "-y"
    assert path in table([Finding("storage", path)])


def test_all_problems_are_one_of_the_kind_that_shows_earliest():
    found = [
        Finding("slots", "no core", "problem"),
        Finding("b", "as it should be"),
        Finding("c", "beware", "note"),
        Finding("shared", "not shared", "problem", StorageProblem),
    ]
    whole = problem(found)
    assert whole is not None and whole.exit_code == STORAGE and whole.sentences == ["no core", "not shared"]
    assert [m.code for m in whole.messages] == ["cluster-slots", "cluster-shared"]
    assert (only := problem(found[:3])) is not None and only.exit_code == RESOURCES
    assert problem(found[1:3]) is None
