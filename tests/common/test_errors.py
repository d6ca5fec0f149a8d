"""Problems: sentences, an exit code each, and safe passage between processes."""

import pickle

import pytest

from synaug_ray.common.errors import (
    DataProblem,
    Message,
    Problem,
    ResourceProblem,
    StorageProblem,
    UsageProblem,
    collect_problems,
)


@pytest.mark.parametrize("kind,code", [(UsageProblem, 2), (DataProblem, 3), (StorageProblem, 5), (ResourceProblem, 6)])
def test_exit_codes_and_the_way_through_pickle(kind, code):
    """Ray carries exceptions between processes by pickling them."""
    problem = kind(["one", "two"])
    again = pickle.loads(pickle.dumps(problem))
    assert type(again) is kind and again.sentences == ["one", "two"] and again.exit_code == code
    assert str(again) == "one\ntwo" and isinstance(again, Problem)
    assert kind("alone").sentences == ["alone"] and kind(["a", "b", "a"]).sentences == ["a", "b"]


def test_independent_checks_are_told_together_with_the_code_of_what_shows_first():
    def refuse(kind, *sentences):
        raise kind(sentences)

    assert collect_problems(lambda: 1, lambda: "two") == [1, "two"]
    with pytest.raises(Problem) as caught:
        collect_problems(lambda: refuse(StorageProblem, "a"), lambda: 1, lambda: refuse(UsageProblem, "b", "c"))
    assert caught.value.sentences == ["a", "b", "c"] and caught.value.exit_code == 2
    with pytest.raises(KeyError):  # a bug stays a bug
        collect_problems(lambda: refuse(UsageProblem, "a"), lambda: {}["b"])


def test_each_message_has_the_most_specific_code_known():
    """That of the message, else that of what raised it, else that of its class; pickling keeps it."""
    messages = ["one", Message("two", code="its-own")]
    assert [m.code for m in StorageProblem(messages).messages] == ["storage", "its-own"]
    problem = pickle.loads(pickle.dumps(StorageProblem(messages, code="storage-full")))
    assert [m.code for m in problem.messages] == ["storage-full", "its-own"]
