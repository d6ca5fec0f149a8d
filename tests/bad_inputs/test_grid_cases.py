"""Bad inputs by number: what the grid file and the command line show.

The numbers are those of the list that the project was given (54 cases); names are ours. Cases 5 to 9, 15 to 25, 42,
53 and 54 are in ``test_data_cases``, 26 to 30 in ``test_audit_cases``, 31 to 33 in ``test_classifier_cases``, 34 to 41, 43, 44 and 50 in ``test_storage_cases``.

==== ======================================= ================================================================
case what is wrong                           where it is tested, if not here by its number; or why it is not
==== ======================================= ================================================================
36   a fraction of a GPU's memory            with 34 and 35: no grid can ask for one, so the key is unknown
38   a local path on a cluster of many nodes cluster/test_checks.py::test_a_path_that_not_all_nodes_share_is_refused
40   an enlarged grid under the same name    no error: exactly the new cells run
43   out of memory                           engine/test_failures.py::test_a_generator_that_does_not_fit_is_trained_in_halves
44   a training diverges                     engine/test_failure_views.py::test_every_view_says_what_is_missing_and_why
45   a generator collapses                   quality/test_assess.py::test_every_fault_has_its_word
46   a generator copies its training images  quality/test_assess.py::test_every_fault_has_its_word
47   the cluster is lost                     cluster/test_run.py::test_a_cluster_that_is_gone_is_a_sentence
48   the cluster refuses the token           cluster/test_connection.py::test_a_missing_or_wrong_token_is_a_sentence
49   driver and cluster differ in version    cluster/test_checks.py::test_version_skew_names_both_and_the_node
51   an exchange rate that is not estimable  laws/test_equivalence.py::test_bounded_law_is_not_reachable_near_its_bound
52   a real-equivalent beyond the data       analysis/cells/test_measured_cells.py::test_outside_the_measured_range_is_censored
==== ======================================= ================================================================
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.doors import GRID
from helpers.paths import TESTS

from synaug_ray import grid


def test_the_table_names_tests_that_there_are():
    named = re.findall(r"([\w/]+\.py)::(\w+)", __doc__)
    assert named and "open" not in __doc__
    for file, test in named:
        assert f"def {test}(" in (TESTS / file).read_text(), test


def replaced(old, new):
    assert GRID.count(old) == 1
    return GRID.replace(old, new)


# --- the grid file ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old,new,code,place,value",
    [
        ("draws: 6", "drews: 6", "unknown-key", "g.yaml:6: drews", "'drews'"),  # case 1
        ("draws: 6", "draws: [6", "not-yaml", "g.yaml:7:6", ""),  # case 2
        ("digits", "di\0gits", "not-yaml", "g.yaml", ""),
        ("seeds: 1", "seeds: three", "not-an-integer", "g.yaml:7: seeds", "'three'"),  # case 3
        ("digits", "cifr100", "unknown-dataset", "g.yaml:1: dataset", "'cifr100'"),  # case 4
        ("[0, 1]", "[0, -1]", "out-of-range", "g.yaml:3: synthetic_multiples[1]", "-1"),  # case 11
        ("[0, 1]", "[0, .nan]", "not-finite", "g.yaml:3: synthetic_multiples[1]", "nan"),
        ("[0, 1]", "[0, 1001]", "out-of-range", "g.yaml:3: synthetic_multiples[1]", "1001"),  # case 12
        ("[20, 40, 60, 80]", "[50000000]", "too-many-shards", "g.yaml", "1,171,878"),
    ],
)
def test_cases_01_to_04_11_and_12_wrong_grids(door, told, old, new, code, place, value):
    """One of each kind through the command; ``config/test_wrong_grids`` has them all."""
    told(door.refused(2, text=replaced(old, new)))
    assert door.found == [(code, place, value)]


def test_case_04_an_unknown_dataset_in_an_override(door):
    door.refused(2, "dataset=cifr100")
    assert door.found == [("unknown-dataset", "override 'dataset=cifr100': dataset", "'cifr100'")]


def test_all_problems_at_once(door, told):
    text = replaced("draws: 6", "drews: 6").replace("[mlp]", "[mpl]").replace("digits", "cifr100")
    told(door.refused(2, "seeds=0", "nonsense", "--name", "../x", text=text))
    assert door.found == [
        ("not-an-override", "", "'nonsense'"),
        ("unknown-dataset", "g.yaml:1: dataset", "'cifr100'"),
        ("unknown-preset", "g.yaml:5: classifiers[0]", "'mpl'"),
        ("out-of-range", "override 'seeds=0': seeds", "0"),
        ("unknown-key", "g.yaml:6: drews", "'drews'"),
        ("run-name", "", ""),  # the run's name
    ]


def test_a_wrong_grid_and_a_wrong_storage_are_told_together(door, told):
    (door.folder / "file").write_text("")
    told(door.refused(2, "drews=6", storage=f"{door.folder}/file"))
    assert [code for code, _, _ in door.found] == ["unknown-key", "storage-not-writable"]


def test_two_misspelt_presets_are_two_problems(door, told):
    told(door.refused(2, text=replaced("[jitter]", "[edm-tny, jittr, {preset: mixp, alpha: 2}]")))
    assert door.found == [
        ("unknown-preset", f"g.yaml:4: generators[{i}]", repr(name))
        for i, name in enumerate(("edm-tny", "jittr", "mixp"))
    ]


def test_case_10_without_a_zero_among_the_multiples_the_baseline_is_there_all_the_same(door):
    code, out, _ = door.run("--dry-run", text=replaced("[0, 1]", "[1]"))
    assert code == 0 and re.search(r"trials +56 ", out)  # 4 sizes x (6 draws x (real-only, jitter) + 2)


def test_case_10_zero_alone_is_a_note(door):
    code, out, _ = door.run("--dry-run", text=replaced("[0, 1]", "[0]"))
    assert code == 0 and re.search(r"trials +24 ", out)
    assert "note     synthetic_multiples is only 0: no synthetic images are measured" in out


def test_case_13_too_few_sizes_for_a_law_is_a_note(door):
    code, out, _ = door.run("--dry-run", text=replaced("[20, 40, 60, 80]", "[20, 40]"))
    assert code == 0
    assert "note     2 sizes of num_real give verdicts, but no law" in out


def test_case_14_one_draw_gives_no_interval_and_is_a_note(door):
    code, out, _ = door.run("draws=1", "--dry-run")
    assert code == 0 and "note     draws: 1 gives no interval and no verdict; give six or more" in out


@pytest.mark.parametrize(
    "words,place,value",
    [
        (["generators=edm-28px", "data.size=30"], "override 'generators=edm-28px': generators[0]", "30 pixels"),
        (
            ["dataset=mnist", "generators=[{preset: edm-tiny, channels: [8, 8, 8, 8], attention: [no, no, no, no]}]"],
            "override 'generators=[{preset: edm-tiny, channels: [8, 8, 8, 8], attention: [no, no, no, ...: generators[0]",
            "28 pixels",
        ),
        (
            ["blocks=[{generators: [edm-tiny]}]", "data.size=7"],
            "override 'blocks=[{generators: [edm-tiny]}]': blocks[0].generators[0]",
            "7 pixels",
        ),
        (["classifiers=cnn", "data.size=3"], "override 'classifiers=cnn': classifiers[0]", "3 pixels"),
    ],
)
def test_case_18_a_size_that_a_network_cannot_halve(door, told, words, place, value):
    """What is set in the grid or known of a built-in set is seen in a dry run."""
    told(door.refused(2, *words))
    assert door.found == [("image-size", place, value)]


def test_case_18_sizes_that_can_be_halved(door):
    for words in (
        ["generators=edm-28px"],
        ["classifiers=cnn", "data.size=4"],
        ["dataset=cifar10", "generators=edm-small"],
    ):
        assert door.run(*words, "--dry-run")[0] == 0, words


@pytest.mark.parametrize("key,code", [("data.size", "image-size"), ("replicates", "too-many-replicates")])
def test_more_pixels_or_replicates_than_any_memory(door, told, key, code):
    told(door.refused(2, f"{key}=1000000000"))
    assert door.found == [(code, f"override '{key}=1000000000': {key}", "1,000,000,000")]


# --- the command line -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words,code,place,value",
    [
        (["num_real=50,100"], "not-an-integer", "override 'num_real=50,100': num_real[0]", "'50,100'"),
        (
            ["generators=jitter,duplicate"],
            "unknown-preset",
            "override 'generators=jitter,duplicate': generators[0]",
            "'jitter,duplicate'",
        ),
        (
            ["classifiers.0.widths=64,64"],
            "not-a-list",
            "override 'classifiers.0.widths=64,64': classifiers[0].widths",
            "'64,64'",
        ),
        (["draws"], "not-an-override", "", "'draws'"),
        (["--strage=/x"], "unknown-option", "", "'--strage'"),
        (["--strage", "/x"], "unknown-option", "", "'--strage'"),
        (["--dry"], "unknown-option", "", "'--dry'"),
        (["--name"], "usage", "", ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_the_command_line(door, told, monkeypatch, words, code, place, value):
    door.grid.write_text(GRID)
    monkeypatch.setattr(grid, "print_problem", door.print_problem)
    assert grid.main([str(door.grid), *words]) == 2
    shown = door.capsys.readouterr()
    (line,) = shown.err.splitlines()
    told([line])
    assert line.startswith("error: ") and door.found == [(code, place, value)] and not shown.out


def test_a_list_that_the_shell_took_apart(door):
    door.refused(2, "num_real=[50,", "100]")
    assert door.found == [("not-yaml", "override 'num_real=[50,'", "'[50,'"), ("not-an-override", "", "'100]'")]


@pytest.mark.parametrize(
    "name,code,value",
    [
        ("draws=3", "no-grid", "draws=3"),
        ("x.npz", "not-a-grid", "x.npz"),
        ("x.csv", "not-a-grid", "x.csv"),
        ("images", "not-a-grid", "images"),
        ("y.npz", "no-such-grid", "'y.npz'"),
        ("a/b", "no-such-grid", "'a/b'"),
        pytest.param("x" * 5_000, "no-such-grid", f"'{'x' * 79}...", id="xxx"),
        pytest.param("x" * 5_000 + ".yaml", "no-such-grid", "x" * 5_000 + ".yaml", id="xxx.yaml"),
        ("digts", "no-such-grid", "'digts'"),
        ("no.yaml", "no-such-grid", "no.yaml"),
        ("", "no-such-grid", "''"),
        (None, "no-grid", ""),
    ],
)
def test_what_is_given_as_a_grid(door, told, monkeypatch, name, code, value):
    Path("x.npz").write_bytes(b"PK")
    Path("x.csv").write_text("a,b\n")
    Path("images").mkdir()
    monkeypatch.setattr(grid, "print_problem", door.print_problem)
    assert grid.main([*([] if name is None else [name]), "--storage", str(door.storage)]) == 2
    (line,) = door.capsys.readouterr().err.splitlines()
    told([line])
    assert line.startswith("error: ") and door.found == [(code, "", value)]


# --- resources and storage --------------------------------------------------------------------------------------


# --- while it runs ----------------------------------------------------------------------------------------------
