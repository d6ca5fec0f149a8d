"""MedMNIST by name: its table, the sets that are no classification of images, and what is said offline."""

import hashlib
import subprocess
import sys

import pytest
from helpers.image_files import read, refused

from synaug_ray.common.errors import DataProblem, ResourceProblem, UsageProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.identify import identify
from synaug_ray.data.sources import medmnist as medmnist_sets
from tests.data.sources.test_npz import medmnist


@pytest.fixture
def package():
    return pytest.importorskip("medmnist", reason="the optional package medmnist is not installed")


def table(monkeypatch, md5, **info):
    row = {
        "task": "multi-class",
        "label": {"0": "a", "1": "b", "2": "c"},
        "MD5": md5,
        "MD5_64": md5,
        "url": "https://x/blood.npz",
        "url_64": "https://x/blood_64.npz",
    } | info
    monkeypatch.setattr(medmnist_sets, "_table", lambda: {"bloodmnist": row})


def test_the_table_is_the_packages(package):
    from medmnist.info import INFO

    assert medmnist_sets._table() == INFO
    for name, info in INFO.items():
        if "multi-label" in info["task"] or name.endswith("3d"):
            continue
        options = DataOptions(ordinal="ordinal" in info["task"])
        assert identify(f"medmnist:{name}", options).fingerprint == info["MD5"]
        assert identify(f"medmnist:{name}@28", options).fingerprint == info["MD5"]
        assert identify(f"medmnist:{name}@224", options).fingerprint == info["MD5_224"]


def test_the_table_is_read_without_torch_and_without_a_folder_at_home(package, tmp_path):
    code = (
        "import sys; from synaug_ray.data.identify import identify; from synaug_ray.config.data_options import DataOptions;"
        "identify('medmnist:bloodmnist', DataOptions()); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == "False" and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name,options,problem,said",
    [
        ("bloodmnst", {}, UsageProblem, "medmnist has no 'bloodmnst'. Did you mean 'bloodmnist'? It has pathmnist, "),
        ("bloodmnist@32", {}, UsageProblem, "bloodmnist has no size '32'; it has 28, 64, 128, 224"),
        ("bloodmnist@", {}, UsageProblem, "bloodmnist has no size ''"),
        ("chestmnist", {}, DataProblem, "chestmnist is multi-label (14 labels per image); only one label per image"),
        ("organmnist3d", {}, DataProblem, "organmnist3d has 3D images; only 2D images"),
        ("retinamnist", {}, DataProblem, "retinamnist is ordinal, 5 grades; set data.ordinal: true to treat them as 5"),
        (
            "bloodmnist",
            {"ordinal": True},
            UsageProblem,
            "data.ordinal applies only to ordinal sets, and bloodmnist is multi-cl",
        ),
    ],
)
def test_sets_that_cannot_be_used(package, name, options, problem, said):
    with pytest.raises(problem) as caught:
        identify(f"medmnist:{name}", DataOptions(**options), "g.yaml")
    assert str(caught.value).startswith(f"g.yaml: {said}")


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(medmnist_sets, "why_not_installed", lambda name: "which is not installed")
    medmnist_sets._table.cache_clear()
    with pytest.raises(ResourceProblem, match=r"install it with pip install 'synaug-ray\[medmnist\]'"):
        identify("medmnist:bloodmnist", DataOptions())


@pytest.mark.parametrize("size,file", [("", "bloodmnist.npz"), ("@28", "bloodmnist.npz"), ("@64", "bloodmnist_64.npz")])
@pytest.mark.parametrize("at", ["cache", "home"])
def test_a_file_that_is_there_is_read(cache, tmp_path, monkeypatch, size, file, at):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = cache / "medmnist" if at == "cache" else tmp_path / ".medmnist"
    folder.mkdir()
    medmnist(folder / file, shape=(28, 28, 3))
    table(monkeypatch, hashlib.md5((folder / file).read_bytes()).hexdigest())
    data = read(f"medmnist:bloodmnist{size}", cache)
    assert data.classes == ("a", "b", "c") and data.name == f"bloodmnist{size}" and len(data.train) == 60


def test_offline_it_says_what_to_put_where(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (cache / "medmnist").mkdir()
    (cache / "medmnist" / "bloodmnist.npz").write_text("another file")
    table(monkeypatch, "0" * 32)
    monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: (_ for _ in ()).throw(OSError("offline")))
    (sentence,) = refused("medmnist:bloodmnist", cache)
    assert sentence == (
        f"medmnist:bloodmnist is not in {cache}/medmnist and could not be downloaded (offline). Put "
        f"bloodmnist.npz (md5 {'0' * 32}, https://x/blood.npz) there, or name another folder with "
        "--data"
    )


def test_more_classes_than_the_table_names(cache, monkeypatch):
    (cache / "medmnist").mkdir()
    medmnist(cache / "medmnist" / "bloodmnist.npz", classes=4)
    table(monkeypatch, hashlib.md5((cache / "medmnist" / "bloodmnist.npz").read_bytes()).hexdigest())
    assert refused("medmnist:bloodmnist", cache) == [
        f"{cache}/medmnist/bloodmnist.npz: labels found: 0, 1, 2, 3; expected 0..2"
    ]
