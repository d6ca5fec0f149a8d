"""Bad inputs by number, 34 to 41, 43, 44 and 50: resources, the storage, and failures during a run."""

from __future__ import annotations

import collections
import errno
import os
import re
import shutil
import subprocess
import sys

import fsspec
import pytest
from helpers.doors import GRID
from helpers.paths import TESTS

from synaug_ray import grid
from synaug_ray.common.errors import Diverged, StorageProblem
from synaug_ray.report import __main__ as report
from synaug_ray.store.run_folder import RunFolder
from synaug_ray.store.store import Store


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
    assert code == 5 and "may not be written to); set --storage to a folder you may write to" in said
    assert "may not be written to; choose a folder that you may write to" in cached and cached.startswith("--data ")


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
    assert "error: --storage is empty; give a folder or a URL" in door.capsys.readouterr().err


def test_a_data_folder_that_is_none(door):
    door.grid.write_text(GRID)
    (door.folder / "file").write_text("")
    for given, code, said in (
        ("", 2, "--data is empty; give a folder, or leave it out"),
        (f"{door.folder}/file/x", 5, f"{door.folder}/file is a file; choose a folder"),
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
        "you may read and write it: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the "
        "variables of the provider's own tools"
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
        r".*/storage has 10 kB free, and the missing steps need about \d+ MB; set --storage to a larger disk, "
        "or lower num_real, synthetic_multiples or draws",
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
    assert code == 0 and not said and re.search(r"trials +80 ", out)  # 4 sizes x (6 draws x 3 amounts + 2)


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
    assert said.endswith("; choose another with --name")
    assert door.run("--name", "mine", "--dry-run")[0] == 0


@pytest.mark.integration  # 6 s
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
    few = ("num_real=20", "draws=2", "classifiers=[{preset: mlp, nimg: 640}]", "replicates=0", "quality_draws=0")
    code, out, _ = door.run("--local", *few, "training_check=off")
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
