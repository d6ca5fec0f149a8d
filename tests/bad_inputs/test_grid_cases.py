"""Bad inputs by number: what the command line, the grid file, the storage and the machine show.

The numbers are those of the list that the project was given (54 cases); names are ours. Cases 5 to 9, 15 to 30, 42,
53 and 54 are in ``test_data_cases``.

==== ======================================= ================================================================
case what is wrong                           where it is tested, if not here by its number; or why it is not
==== ======================================= ================================================================
36   a fraction of a GPU's memory            with 34 and 35: no grid can ask for one, so the key is unknown
38   a local path on a cluster of many nodes cluster/test_checks.py::test_a_path_that_not_all_nodes_share_is_refused
40   an enlarged grid under the same name    no error: exactly the new cells run
43   out of memory                           engine/test_failures.py::test_a_generator_that_does_not_fit_is_trained_in_halves
44   a training diverges                     commands/test_grid.py::test_a_failed_generator_blocks_its_trials_and_nothing_else
45   a generator collapses                   quality/test_assess.py::test_every_fault_has_its_word
46   a generator copies its training images  quality/test_assess.py::test_every_fault_has_its_word
47   the cluster is lost                     cluster/test_run.py::test_a_cluster_that_is_gone_is_a_sentence
48   the cluster refuses the token           cluster/test_connection.py::test_a_missing_or_wrong_token_is_a_sentence
49   driver and cluster differ in version    cluster/test_checks.py::test_version_skew_names_both_and_the_node
51   an exchange rate that is not estimable  laws/test_equivalence.py::test_bounded_law_is_not_reachable_near_its_bound
52   a real-equivalent beyond the data       analysis/test_measured_cells.py::test_outside_the_measured_range_is_censored
==== ======================================= ================================================================
"""

from __future__ import annotations

import collections
import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest
from helpers.doors import GRID
from helpers.paths import TESTS

from synaug_ray import grid
from synaug_ray.common.errors import Diverged, StorageProblem
from synaug_ray.report import __main__ as report
from synaug_ray.store.run_folder import RunFolder
from synaug_ray.store.store import Store


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
    assert code == 0 and re.search(r"trials +48 ", out)  # 4 sizes x 6 draws x (real-only, jitter)


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
    monkeypatch.setattr(grid, "tell", door.tell)
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
    monkeypatch.setattr(grid, "tell", door.tell)
    assert grid.main([*([] if name is None else [name]), "--storage", str(door.storage)]) == 2
    (line,) = door.capsys.readouterr().err.splitlines()
    told([line])
    assert line.startswith("error: ") and door.found == [(code, "", value)]


# --- classifiers ------------------------------------------------------------------------------------------------


def timm(model, **more):
    fields = {"family": "timm", "name": "net", "model": model, "pack": 1, "nimg": 640} | more
    return "classifiers=[{" + ", ".join(f"{k}: {v!r}" for k, v in fields.items()) + "}]"


def test_case_31_unknown_timm_model(door):
    """All of them, in a real run: a dry run does without timm."""
    two = timm("resnet-18")[:-1] + ", {family: timm, name: other, model: vgg, pack: 1}]"
    said = door.refused_in_a_run(2, two)
    assert (
        said[0]
        == ("classifiers: net: timm has no 'resnet-18'. Did you mean 'resnet18'? timm.list_models() lists all it has")
        and len(said) == 2
    )
    assert said[1].startswith("classifiers: other: timm has no 'vgg'. Did you mean 'vgg1")


def test_case_31_a_model_that_nothing_resembles(door):
    (said,) = door.refused_in_a_run(2, timm("xyzzy"))
    assert said == "classifiers: net: timm has no 'xyzzy'. timm.list_models() lists all it has"


def test_case_33_a_generator_from_elsewhere_is_a_note(door):
    """It has seen other images, so its verdict is not one about these alone."""
    text = replaced("[jitter]", f"[{{family: pretrained, name: far, pipeline: some/where@{'0' * 40}}}]")
    code, out, _ = door.run("--dry-run", text=text)
    assert code == 0 and "note     generators: far was trained on images outside this data set" in out


def test_case_32_a_model_of_a_fixed_size(door):
    """The grid alone shows it, where it tells the size of the images."""
    (said,) = door.refused_in_a_run(2, timm("vit_tiny_patch16_224"))
    assert said == (
        "classifiers: net (vit_tiny_patch16_224) wants 224 x 224 pixels and the images have 8 x 8 pixels; "
        "set data.size: 224, or choose another model"
    )


def test_case_32_images_too_small_for_a_model(door):
    (said,) = door.refused_in_a_run(2, timm("vgg11"))
    assert said.startswith("classifiers: net (vgg11) cannot be trained on images of 8 x 8 pixels in batches of 64 (")
    assert said.endswith("); set data.size, or choose another model")


@pytest.mark.parametrize(
    "model,code",
    [
        ("resnet18.a1_in1k", "pretrained-weights"),
        ("hf-hub:timm/resnet18.a1_in1k", "pretrained-weights"),
        ("local-dir:/x", "pretrained-weights"),
        ("", "model-missing"),
    ],
)
def test_case_33_pretrained_weights_asked_for(door, told, model, code):
    told(door.refused(2, timm(model)))
    assert [(found, value) for found, _, value in door.found] == [(code, repr(model) if model else "")]


@pytest.mark.parametrize(
    "override,code,place,value",
    [
        (timm("resnet18", pretrained=1), "unknown-key", "classifiers[0].pretrained", "'pretrained'"),  # case 33
        (
            "classifiers=[{family: mlp, name: a, model: resnet18}]",
            "model-without-timm",
            "classifiers[0]",
            "'resnet18'",
        ),
        ("classifiers=[{preset: cnn, pack: 4}]", "pack", "classifiers[0]", "4"),  # batch normalisation
    ],
)
def test_classifiers_that_cannot_be(door, told, override, code, place, value):
    told(door.refused(2, override))
    ((found, where, wrong),) = door.found
    assert (
        (found, wrong) == (code, value)
        and where.startswith(("override 'classifiers=", 'override "classifiers='))
        and where.endswith(f": {place}")
    )


def test_networks_with_batch_normalisation_cannot_be_packed(door):
    (said,) = door.refused_in_a_run(2, timm("resnet18", pack=16))
    assert said.endswith("it needs pack: 1, got 16")


# --- resources and storage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["gpus_per_cell", "gpu_fraction", "num_gpus"])
def test_cases_34_to_36_a_grid_cannot_ask_for_gpus(door, key):
    """What there is is used: a lane of each kind on every GPU, or else on every core."""
    door.refused(2, f"{key}=1")
    assert door.found == [("unknown-key", f"override '{key}=1': {key}", f"'{key}'")]


def test_case_37_storage_that_is_a_file(door):
    (door.folder / "file").write_text("")
    for storage in (f"{door.folder}/file", f"{door.folder}/file/below"):
        (said,) = door.refused(5, storage=storage)
        assert said == (
            f"cannot write to {storage} (file is a file); set --storage to a folder you may write to, or "
            "$SYNAUG_STORAGE"
        ).replace(f"{door.folder}/", "")


def test_case_37_storage_that_is_read_only(door, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    code, _, (said, cached) = door.run("--dry-run")
    assert code == 5 and "is read-only); set --storage to a folder you may write to" in said
    assert "is read-only; name a folder that you may write to" in cached and cached.startswith("--data ")


@pytest.mark.parametrize(
    "storage,said",
    [
        (
            "s4://bucket/x",
            "storage s4://bucket/x: no protocol 's4'. Give a folder, or a URL such as s3://bucket/folder",
        ),
        ("smbb://x", "storage smbb://x: no protocol 'smbb'. Did you mean 'smb'?"),
        ("~nobody-of-this-name/x", "storage ~nobody-of-this-name/x: "),
    ],
)
def test_case_37_storage_of_no_known_kind(door, storage, said):
    (sentence,) = door.refused(5, storage=storage)
    assert sentence.startswith(said)


def test_a_storage_named_by_nothing(door):
    door.grid.write_text(GRID)
    assert grid.main([str(door.grid), "--storage", ""]) == 2
    assert "error: --storage is empty; name a folder or a URL" in door.capsys.readouterr().err


def test_a_data_folder_that_is_none(door):
    door.grid.write_text(GRID)
    (door.folder / "file").write_text("")
    for given, code, said in (
        ("", 2, "--data is empty; name a folder, or leave it out"),
        (f"{door.folder}/file/x", 5, f"{door.folder}/file is a file; name a folder"),
        ("~nobody-of-this-name", 5, "--data ~nobody-of-this-name: "),
        ("x" * 300, 5, "File name too long"),
    ):
        assert grid.main([str(door.grid), "--storage", str(door.storage), "--data", given, "--dry-run"]) == code
        assert said in door.capsys.readouterr().err


def command(door, *words, **environment):
    """The command in a process of its own, as a shell starts it."""
    door.grid.write_text(GRID)
    return subprocess.Popen(
        [sys.executable, "-m", "synaug_ray.grid", str(door.grid), "--dry-run", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=TESTS.parent,
        env=os.environ | environment,
    )


def test_a_terminal_that_cannot_show_a_path(door):
    """A path in Latin-1 and a terminal in ASCII."""
    storage = os.fsencode(door.storage) + "\N{LATIN SMALL LETTER U WITH DIAERESIS}".encode() + b"\xff"
    process = command(door, b"--storage", storage, PYTHONIOENCODING="ascii")
    out, err = process.communicate()
    assert process.returncode == 0 and not err and b"storage\\xfc\\udcff" in out


def test_a_reader_that_goes_away(door):
    """`| head -1`."""
    process = command(door, "--storage", str(door.storage), PYTHONUNBUFFERED="1")
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 130 and not err


class Refusing(fsspec.AbstractFileSystem):
    """An object store that raises what its library raises: nothing that is an OSError."""

    protocol = "refusing"

    def _refuse(self, *args, **kwargs):
        raise RuntimeError("NoCredentialsError:\n  unable to locate credentials")

    ls = cat_file = pipe_file = rm_file = info = _open = _refuse


@pytest.fixture
def refusing():
    fsspec.register_implementation("refusing", Refusing, clobber=True)
    return "refusing://bucket/x"


def test_case_37_an_object_store_without_credentials(door, refusing):
    (said,) = door.refused(5, storage=refusing)
    assert said == (
        "cannot read refusing://bucket/x (NoCredentialsError: unable to locate credentials); check that "
        "you may read and write it: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or what your "
        "other tools use"
    )


def test_case_37_an_object_store_that_cannot_be_written(refusing):
    with pytest.raises(StorageProblem, match=r"cannot write to refusing://.* \(NoCredentialsError: unable to locate"):
        Store(refusing).check_writable()
    with pytest.raises(StorageProblem, match="cannot write refusing://"):
        RunFolder(refusing, "a").write("x", "y")
    with pytest.raises(StorageProblem, match="cannot read refusing://"):
        RunFolder(refusing, "a").read("x")


@pytest.fixture
def nearly_full(monkeypatch):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12 - 10_000, 10_000))


def test_case_39_a_disk_that_is_nearly_full(door, nearly_full):
    code, out, (said,) = door.run("--dry-run")
    assert code == 5 and "of the 10 kB that are free" in out
    assert re.fullmatch(
        r".*/storage has 10 kB free, and what is missing needs about \d+ MB; name a larger disk with "
        "--storage, or lower num_real, synthetic_multiples or draws",
        said,
    )
    assert not door.storage.exists()


def test_case_39_a_disk_that_fills_during_the_run(door, monkeypatch):
    from synaug_ray.engine import local

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device", "/x")

    monkeypatch.setattr(local, "run_local", full)
    code, _, (said,) = door.run("--local")
    assert code == 5
    assert re.fullmatch(
        r"cannot write /x \(No space left on device; .+ are free there\)\. .+ run the same command .+",
        said,
    )


def test_case_40_an_enlarged_grid_under_the_same_name_is_no_error(door):
    RunFolder(str(door.storage), "g").write("grid.yaml", GRID.replace("[0, 1]", "[0, 1, 5]"))
    code, out, said = door.run("synthetic_multiples=[0, 1, 10]", "--dry-run")
    assert code == 0 and not said and re.search(r"trials +72 ", out)


@pytest.mark.parametrize("name", ["../x", "", "a b", "store", ".hidden", "a/b", "x" * 65])
def test_case_41_bad_run_name(door, name):
    (said,) = door.refused(2, "--name", name)
    assert said == (
        f"--name: {name!r} is not a run name: letters, digits, . _ - (64 at most, beginning with a letter "
        "or digit), and not store or ray or prometheus"
    )


def test_case_41_a_file_whose_name_is_no_run_name(door):
    door.grid = door.folder / "my grid (2).yaml"
    (said,) = door.refused(2)
    assert said.startswith("my grid (2).yaml: 'my grid (2)' is not a run name: ")
    assert said.endswith("; give another with --name")
    assert door.run("--name", "mine", "--dry-run")[0] == 0


# --- while it runs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error,cause",
    [
        (MemoryError("CUDA out of memory"), "out of memory"),  # case 43
        (Diverged("the loss is nan after 1,900 images"), "diverged"),  # case 44
    ],
)
def test_cases_43_and_44_a_step_that_fails_is_recorded_with_its_cause(door, monkeypatch, error, cause):
    """The other trials are measured; exit code 4."""
    from synaug_ray.engine import execute

    real = execute.run_shard

    def run_shard(bench, step, *way):
        if step.generator.subset.draw == 0:
            raise error
        return real(bench, step, *way)

    monkeypatch.setitem(execute.RUN, "shard", run_shard)
    code, out, _ = door.run(
        "--local", "num_real=20", "draws=2", "classifiers=[{preset: mlp, nimg: 640}]", "replicates=0", "quality_draws=0"
    )
    assert code == 4
    failures = Store(f"{door.storage}/store").failed("shard")
    assert [(f.cause, str(error) in f.message) for f in failures.values()] == [(cause, True)]
    assert len(Store(f"{door.storage}/store").keys("trial")) == 3  # two real-only, one with images


def test_case_50_a_report_of_nothing(door):
    door.folder.joinpath("empty").mkdir()
    assert report.main([str(door.folder / "empty")]) == 2
    said = door.capsys.readouterr().err
    assert "empty" in said and len(said.splitlines()) == 1


def test_case_50_a_report_of_a_run_without_a_finished_cell(door):
    """A page that says so: a run that has just begun is looked at too."""
    folder = RunFolder(str(door.storage), "g")
    folder.write("grid.yaml", GRID)
    folder.write_json(
        "status.json", {"run": "g", "state": "running", "steps": {"trial": {"total": 120, "done": 0, "failed": 0}}}
    )
    assert report.main([folder.url]) == 0
    page = (door.storage / "g" / "report.html").read_text()
    assert "0 of 120 trials done" in page and "No verdict yet" in page
