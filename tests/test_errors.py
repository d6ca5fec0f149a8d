"""Problems: sentences, an exit code each, and safe passage between processes."""

import pickle

import pytest

from synaug_ray.errors import DataProblem, Problem, ResourceProblem, StorageProblem, UsageProblem


@pytest.mark.parametrize("kind,code", [(UsageProblem, 2), (DataProblem, 3), (StorageProblem, 5), (ResourceProblem, 6)])
def test_exit_codes_and_the_way_through_pickle(kind, code):
    """Ray carries exceptions between processes by pickling them."""
    problem = kind(["one", "two"])
    again = pickle.loads(pickle.dumps(problem))
    assert type(again) is kind and again.sentences == ["one", "two"] and again.exit_code == code
    assert str(again) == "one\ntwo" and isinstance(again, Problem)
    assert kind("alone").sentences == ["alone"]
