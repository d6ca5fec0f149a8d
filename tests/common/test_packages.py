"""An optional package is there or not, whatever lies in the working directory under its name."""

import subprocess
import sys
from pathlib import Path

import pytest

import synaug_ray
from synaug_ray import grid
from synaug_ray.common.packages import why_not_installed
from synaug_ray.store.filesystem import open_url

NAME = "a_package_nobody_has"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory, first on the path as ``python -m`` puts it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    return tmp_path


def test_what_is_there_and_what_is_not():
    assert why_not_installed("numpy") == "" and why_not_installed("json") == ""
    assert why_not_installed(NAME) == "which is not installed"


@pytest.mark.parametrize("holds", [(), ("run-1/files.txt",), ("train/cat/1.png", "test/cat/2.png")])
def test_a_folder_of_its_name_is_no_package(here, holds):
    (here / NAME).mkdir()
    for file in holds:
        (here / NAME / file).parent.mkdir(parents=True, exist_ok=True)
        (here / NAME / file).touch()
    assert why_not_installed(NAME).startswith("which is not installed (the folder ")
    (here / "numpy").mkdir()  # the real one comes first all the same
    assert why_not_installed("numpy") == ""


@pytest.mark.parametrize("file", ["numpy.py", "numpy/__init__.py"])
def test_a_module_of_the_users_own_hides_it(here, file):
    (here / file).parent.mkdir(exist_ok=True)
    (here / file).touch()
    import sys

    loaded = sys.modules.pop("numpy")
    try:
        said = why_not_installed("numpy")
    finally:
        sys.modules["numpy"] = loaded
    assert said.startswith(f"which {here / file.split('/')[0]} hides; rename that")


@pytest.mark.parametrize(
    "words,code,said",
    [
        (["--log", "wandb"], 2, "--log wandb needs the package wandb, which is not installed (the folder "),
        (["--log", "mlflow"], 2, "--log mlflow needs the package mlflow, which is not installed (the folder "),
        (["dataset=hf:me/pets@" + "0" * 40], 6, "needs the package datasets, which is not installed (the folder "),
        (["dataset=medmnist:bloodmnist"], 6, "needs the package medmnist, which is not installed (the folder "),
        (["--storage", "s3://bucket/x"], 5, "needs the package s3fs, which is not installed (the folder "),
        (["--storage", "gs://bucket/x"], 5, "needs the package gcsfs, which is not installed (the folder "),
    ],
)
def test_every_door_to_an_optional_package(here, words, code, said, monkeypatch, capsys):
    """The folder is there, and the package itself is made absent: only the working directory is looked at."""
    import sys

    from synaug_ray.data.sources import medmnist

    medmnist._table.cache_clear()
    for name in ("wandb", "mlflow", "datasets", "medmnist", "s3fs", "gcsfs"):
        (here / name).mkdir()
        monkeypatch.delitem(sys.modules, name, raising=False)
    with monkeypatch.context() as alone:
        alone.setattr(sys, "path", [""])
        storage = [] if "--storage" in words else ["--storage", str(here.parent / "s")]
        assert grid.main(["smoke", *words, *storage, "--dry-run"]) == code
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err
    medmnist._table.cache_clear()


def test_local_paths_ask_for_no_package(here):
    (here / "fsspec").mkdir()
    open_url(str(here))


def test_no_file_of_the_users_own_passes_for_a_module(tmp_path):
    """``python -m`` looks for modules in the working directory first; Python's own and ours may be called so there."""
    for name in ("random", "json", "logging", "typing", "yaml", "numpy", "torch", "pydantic"):
        (tmp_path / f"{name}.py").write_text("this = 'is not the module'")
    root = Path(synaug_ray.__file__).parents[1]
    words = [sys.executable, "-m", "synaug_ray.status", "--help"]
    done = subprocess.run(words, cwd=tmp_path, env={"PYTHONPATH": str(root)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("usage: ")
