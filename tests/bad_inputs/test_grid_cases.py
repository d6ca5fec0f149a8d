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
52   a real-equivalent beyond the data       analysis/test_empirical.py::test_outside_the_measured_range_is_censored
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


def test_case_01_unknown_key(door):
    (said,) = door.refused(2, text=replaced("draws: 6", "drews: 6"))
    assert said.startswith("g.yaml:6: drews: unknown key 'drews'. Did you mean 'draws'? Allowed: blocks, ")


@pytest.mark.parametrize(
    "text,said",
    [
        (replaced("draws: 6", "draws: [6"), "g.yaml:7:6: expected ',' or ']', but got ':' in 'seeds: 1'"),
        (replaced("draws: 6", "\tdraws: 6"), "g.yaml:6:1: found character '\\t' that cannot start any token"),
        ("", "g.yaml: a grid is a mapping of keys to values, got NoneType"),
        (replaced("digits", "di\0gits"), "g.yaml: not YAML (unacceptable character #x0000"),
        (
            replaced("[20, 40, 60, 80]", "&a [20, *a]"),
            "g.yaml:2: anchors and aliases are not allowed; write the value out",
        ),
        (replaced("seeds: 1", "seeds: 1\nseeds: 2"), "g.yaml:8: key 'seeds' stands twice; keep one"),
    ],
)
def test_case_02_unreadable_yaml(door, text, said):
    (sentence,) = door.refused(2, text=text)
    assert sentence.startswith(said)


def test_case_03_wrong_type(door):
    (said,) = door.refused(2, text=replaced("seeds: 1", "seeds: three"))
    assert said == "g.yaml:7: seeds: input should be a whole number from 1 on, got 'three'"


def test_case_04_unknown_dataset(door):
    (said,) = door.refused(2, text=replaced("digits", "cifr100"))
    assert said.startswith("g.yaml:1: dataset: no data set 'cifr100'. Did you mean 'cifar100'? Available: digits, ")
    assert "folder:PATH" in said
    (said,) = door.refused(2, "dataset=cifr100")
    assert said.startswith("override 'dataset=cifr100': dataset: no data set 'cifr100'.")


def test_all_problems_at_once(door):
    text = replaced("draws: 6", "drews: 6").replace("[mlp]", "[mpl]").replace("digits", "cifr100")
    said = door.refused(2, "seeds=0", "nonsense", "--name", "../x", text=text)
    for word in (
        "'cifr100'",
        "'drews'",
        "'mpl'",
        "override 'seeds=0': seeds",
        "'nonsense' is no override",
        "'../x' is not a run",
    ):
        assert sum(word in s for s in said) == 1, word
    assert len(said) == 6


def test_a_wrong_grid_and_a_wrong_storage_are_told_together(door):
    (door.folder / "file").write_text("")
    said = door.refused(2, "drews=6", storage=f"{door.folder}/file")
    assert len(said) == 2 and "'drews'" in said[0] and "cannot write to" in said[1]


def test_two_misspelt_presets_are_two_problems(door):
    said = door.refused(2, text=replaced("[jitter]", "[edm-tny, jittr, {preset: mixp, alpha: 2}]"))
    assert [s.partition(" Available")[0] for s in said] == [
        "g.yaml:4: generators[0]: no preset 'edm-tny'. Did you mean 'edm-tiny'?",
        "g.yaml:4: generators[1]: no preset 'jittr'. Did you mean 'jitter'?",
        "g.yaml:4: generators[2]: no preset 'mixp'. Did you mean 'mixup'?",
    ]


def test_case_10_without_a_zero_among_the_multiples_the_baseline_is_there_all_the_same(door):
    code, out, _ = door.run("--dry-run", text=replaced("[0, 1]", "[1]"))
    assert code == 0 and re.search(r"trials +48 ", out)  # 4 sizes x 6 draws x (real-only, jitter)


def test_case_10_zero_alone_is_a_note(door):
    code, out, _ = door.run("--dry-run", text=replaced("[0, 1]", "[0]"))
    assert code == 0 and re.search(r"trials +24 ", out)
    assert "note     synthetic_multiples holds no amount but 0, so no synthetic image is measured" in out


@pytest.mark.parametrize(
    "value,said",
    [
        ("-1", "g.yaml:3: synthetic_multiples[1]: input should be greater than or equal to 0, got -1"),
        (".nan", "g.yaml:3: synthetic_multiples[1]: input should be a finite number, got nan"),
    ],
)
def test_case_11_negative_or_no_multiple(door, value, said):
    assert door.refused(2, text=replaced("[0, 1]", f"[0, {value}]")) == [said]


def test_case_12_huge_multiple(door):
    (said,) = door.refused(2, text=replaced("[0, 1]", "[0, 1001]"))
    assert said == "g.yaml:3: synthetic_multiples[1]: input should be less than or equal to 1000, got 1001"
    text = replaced("[20, 40, 60, 80]", "[50000]").replace("[0, 1]", "[0, 1000]")
    (said,) = door.refused(2, text=text)
    assert said == (
        "g.yaml: 300,000,000 synthetic images in 1,171,878 shards; a grid may have 1,000,000 shards. Lower "
        "num_real or synthetic_multiples, or raise sampler.shard_size"
    )


def test_case_13_too_few_sizes_for_a_law_is_a_note(door):
    code, out, _ = door.run("--dry-run", text=replaced("[20, 40, 60, 80]", "[20, 40]"))
    assert code == 0
    assert "note     2 sizes of num_real do not make a scaling law that can be tested; give four or more" in out


def test_case_14_one_draw_gives_no_interval_and_is_a_note(door):
    code, out, _ = door.run("draws=1", "--dry-run")
    assert code == 0 and "note     draws: 1 gives no interval and no verdict; give six or more" in out


@pytest.mark.parametrize(
    "words,said",
    [
        (
            ["generators=edm-28px", "data.size=30"],
            "override 'generators=edm-28px': generators[0]: edm-28px halves its images 2 times, and 30 pixels do not divide "
            "by 4; set data.size: 32, or give it fewer channels",
        ),
        (
            ["dataset=mnist", "generators=[{preset: edm-tiny, channels: [8, 8, 8, 8], attention: [no, no, no, no]}]"],
            "generators[0]: edm-tiny halves its images 3 times, and 28 pixels do not divide by 8; set data.size: 32",
        ),
        (
            ["blocks=[{generators: [edm-tiny]}]", "data.size=7"],
            "override 'blocks=[{generators: [edm-tiny]}]': blocks[0].generators[0]: edm-tiny halves its images 1 times",
        ),
        (
            ["classifiers=cnn", "data.size=3"],
            "override 'classifiers=cnn': classifiers[0]: cnn halves its images 2 times, and 3 pixels are too few; set "
            "data.size: 4 or more, or give it fewer widths",
        ),
    ],
)
def test_case_18_a_size_that_a_network_cannot_halve(door, words, said):
    """What is set in the grid or known of a built-in set is seen in a dry run."""
    (sentence,) = door.refused(2, *words)
    assert said in sentence


def test_case_18_sizes_that_can_be_halved(door):
    for words in (
        ["generators=edm-28px"],
        ["classifiers=cnn", "data.size=4"],
        ["dataset=cifar10", "generators=edm-small"],
    ):
        assert door.run(*words, "--dry-run")[0] == 0, words


def test_an_image_larger_than_any_memory(door):
    (said,) = door.refused(2, "data.size=1000000000")
    assert said == "override 'data.size=1000000000': data.size: 1,000,000,000 pixels a side; 4,096 at most"


def test_more_replicates_than_any_memory(door):
    (said,) = door.refused(2, "replicates=1000000000")
    assert said.startswith("override 'replicates=1000000000': replicates: 1,000,000,000 replicates; 100,000 at most")


# --- the command line -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words,said",
    [
        (
            ["num_real=50,100"],
            "num_real[0]: input should be a whole number from 1 on, got '50,100'. A list stands in "
            "brackets, and in quotes on the command line: 'num_real=[50,100]'",
        ),
        (
            ["generators=jitter,duplicate"],
            "A list stands in brackets, and in quotes on the command line: 'generators=[jitter,duplicate]'",
        ),
        (["classifiers.0.widths=64,64"], "in quotes on the command line: 'classifiers.0.widths=[64,64]'"),
        (["draws"], "'draws' is no override; write key=value, for example draws=8 or data.size=16"),
        (["--strage=/x"], "no option '--strage'. Did you mean '--storage'? Options: --help, --storage, "),
        (["--strage", "/x"], "no option '--strage'. Did you mean '--storage'?"),
        (["--dry"], "no option '--dry'. Did you mean '--dry-run'?"),
        (["--name"], "argument --name: expected one argument; --help shows how"),
    ],
)
def test_the_command_line(door, words, said):
    door.grid.write_text(GRID)
    assert grid.main([str(door.grid), *words]) == 2
    shown = door.capsys.readouterr()
    (line,) = shown.err.splitlines()
    assert line.startswith("error: ") and said in line and not shown.out


def test_a_list_that_the_shell_took_apart(door):
    said = door.refused(2, "num_real=[50,", "100]")
    assert len(said) == 2 and "is not YAML" in said[0] and "'100]' is no override" in said[1]


def test_no_grid_named(door):
    assert grid.main([]) == 2
    assert "error: no grid given. Available: cifar10, " in door.capsys.readouterr().err
    assert grid.main(["draws=3"]) == 2
    assert "'draws=3' stands where the grid's name has to" in door.capsys.readouterr().err


@pytest.mark.parametrize(
    "name,said",
    [
        ("x.npz", "x.npz is no grid, which is a .yaml file; a grid names its images: `dataset: npz:x.npz`"),
        ("x.csv", "x.csv is no grid, which is a .yaml file"),
        ("images", "images is no grid, which is a .yaml file; a grid names its images: `dataset: folder:images`"),
        ("y.npz", "no grid 'y.npz'. Available: cifar10, "),
        ("a/b", "no grid 'a/b'. Available: "),
        ("x" * 5_000, "no grid 'xxx"),
        ("x" * 5_000 + ".yaml", "no grid file xxx"),
        ("digts", "no grid 'digts'. Did you mean 'digits'? Available: "),
        ("no.yaml", "no grid file no.yaml"),
        ("", "no grid ''"),
    ],
)
def test_what_is_given_as_a_grid(door, name, said):
    Path("x.npz").write_bytes(b"PK")
    Path("x.csv").write_text("a,b\n")
    Path("images").mkdir()
    assert grid.main([name, "--storage", str(door.storage)]) == 2
    (line,) = door.capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {said}")


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
    assert code == 0 and "note     generators: far was trained elsewhere, on images that are not this set's" in out


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
    "model,said",
    [
        (
            "resnet18.a1_in1k",
            "names pretrained weights, which would bring in outside images; classifiers start from random "
            "weights here, so write 'resnet18'",
        ),
        ("hf-hub:timm/resnet18.a1_in1k", "names weights from elsewhere"),
        ("local-dir:/x", "names weights from elsewhere"),
        ("", "is of family timm and needs `model:`, a name timm has, such as resnet18"),
    ],
)
def test_case_33_pretrained_weights_asked_for(door, model, said):
    (sentence,) = door.refused(2, timm(model))
    assert said in sentence


def test_case_33_pretrained_is_no_key(door):
    (said,) = door.refused(2, timm("resnet18", pretrained=1))
    assert "classifiers[0].pretrained: unknown key 'pretrained'. " in said


def test_a_model_for_a_family_that_has_none(door):
    (said,) = door.refused(2, "classifiers=[{family: mlp, name: a, model: resnet18}]")
    assert said.endswith("a is of family mlp, which has no model: 'resnet18'; set family: timm")


def test_networks_with_batch_normalisation_cannot_be_packed(door):
    (said,) = door.refused(2, "classifiers=[{preset: cnn, pack: 4}]")
    assert said.endswith(
        "classifiers[0]: cnn has batch normalisation, whose statistics cannot be kept apart in a "
        "pack; it needs pack: 1, got 4"
    )
    (said,) = door.refused_in_a_run(2, timm("resnet18", pack=16))
    assert said.endswith("it needs pack: 1, got 16")


# --- resources and storage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["gpus_per_cell", "gpu_fraction", "num_gpus"])
def test_cases_34_to_36_a_grid_cannot_ask_for_gpus(door, key):
    """What there is is used: a lane of each kind on every GPU, or else on every core."""
    (said,) = door.refused(2, f"{key}=1")
    assert f"unknown key '{key}'" in said


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
    code, _, (said,) = door.run("--dry-run")
    assert code == 5 and "is read-only); set --storage to a folder you may write to" in said


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
        r"cannot write /x \(No space left on device; .+ are free there\)\. What was done stands: make "
        "room or give the permission, and run the same command to go on",
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

    monkeypatch.setattr(execute, "run_shard", run_shard)
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
