"""Looks are counted once per data, survive kills and damage, and never become fewer."""

import numpy as np
import pandas as pd
import pytest

from synaug_ray.laws.simultaneous import Look, seen_before
from synaug_ray.runs.looks import recorded, take_look
from synaug_ray.runs.outputs import with_groups, write_test_groups
from synaug_ray.store.run_folder import LOOKS, RunFolder


def trials(draws, seeds=2):
    keys = [(f"k{d}-{s}", d, s) for d in range(draws) for s in range(seeds)]
    return pd.DataFrame(keys, columns=["key", "draw", "seed"]).assign(num_synthetic=40)


@pytest.fixture
def folder(tmp_path):
    return RunFolder(str(tmp_path), "run")


def test_a_look_is_counted_when_there_is_something_new(folder):
    first = take_look(folder, trials(5), count=True)
    again = take_look(folder, trials(5).sample(frac=1, random_state=0), count=True)
    assert first == again and [look.draws for look in first] == [5]
    second = take_look(folder, trials(8), count=True)
    assert [(look.draws, look.share) for look in second] == [(5, 0.6), (8, pytest.approx(0.75))]
    assert take_look(folder, trials(5), count=True) == first  # the old data are judged as they were
    assert [look.draws for look in take_look(folder, trials(8, seeds=3), count=True)] == [5, 8, 8]  # seeds are data too
    assert len(recorded(folder)) == 3


def test_further_draws_of_real_images_alone_are_new_data(folder):
    more = pd.concat([trials(6), trials(24).assign(num_synthetic=0, key=lambda t: "real " + t["key"])])
    take_look(folder, trials(6), count=True)
    looks = take_look(folder, more, count=True)
    assert [(look.draws, look.real_draws) for look in looks] == [(6, 0), (6, 24)]
    assert seen_before(*looks) == 0.25 and [look for _, look in recorded(folder)] == list(looks)
    assert seen_before(Look(6, 0.6), Look(12, 0.8)) == 0.5


def test_views_of_a_run_that_goes_on_spend_nothing_and_are_judged_as_the_next_look(folder):
    take_look(folder, trials(5), count=True)
    assert [look.share for look in take_look(folder, trials(6), count=False)] == pytest.approx([0.6, 1 - 0.4 * 5 / 6])
    assert [look.share for look in take_look(folder, trials(8), count=False)] == pytest.approx([0.6, 0.75])
    assert len(recorded(folder)) == 1


def test_one_draw_is_no_look(folder):
    take_look(folder, trials(1), count=True)
    assert recorded(folder) == []


def test_seeds_are_recorded_and_looks_of_older_versions_read(folder, tmp_path):
    take_look(folder, trials(5), count=True)
    take_look(folder, trials(8, seeds=6), count=True)
    assert [look.seeds for _, look in recorded(folder)] == [2, 6]
    for file in (tmp_path / "run" / LOOKS).iterdir():
        file.rename(file.with_name(file.name.replace("x2", "").replace("x6", "")))
    assert [(look.draws, look.seeds) for _, look in recorded(folder)] == [(5, 0), (8, 0)]
    assert take_look(folder, trials(8, seeds=6), count=True)[-1].share == pytest.approx(0.75)


@pytest.mark.parametrize("harm", [b"", b"{", b"\xff" * 40])
def test_a_damaged_look_still_counts(folder, tmp_path, harm):
    take_look(folder, trials(5), count=True)
    looks = take_look(folder, trials(8), count=True)
    for file in (tmp_path / "run" / LOOKS).iterdir():
        file.write_bytes(harm)
    assert take_look(folder, trials(8), count=True) == looks
    assert len(take_look(folder, trials(9), count=True)) == 3


def test_groups_of_test_images_go_through_the_folder(folder):
    predicted = pd.DataFrame({"key": ["a", "b"], "label": [np.zeros(3)] * 2})
    assert "group" not in with_groups(predicted, folder)  # as in a run of an older version
    write_test_groups(folder, [4, 4, 9])
    assert [row.tolist() for row in with_groups(predicted, folder)["group"]] == [[4, 4, 9]] * 2
    write_test_groups(folder, [1, 2])  # of another test set: not these images
    assert "group" not in with_groups(predicted, folder)
    write_test_groups(folder, None)
    assert folder.read("test_groups.parquet") is None
