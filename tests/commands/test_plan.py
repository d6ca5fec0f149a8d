"""``grid --plan``: what a gain takes, before the run; without torch, without a trace, and refused in sentences."""

import os
import re
import shutil

import numpy as np
import pytest
from helpers.paths import SMALL_GRID

from synaug_ray import grid
from synaug_ray.analysis import power
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.audit.gate import apply_duplicate_policy
from synaug_ray.data.identify import identify
from synaug_ray.data.image_counts import copies_uncounted, count_test_images
from synaug_ray.data.load import load

GRID = str(SMALL_GRID)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """A plan of a second: the numbers are those of ``analysis/test_power.py``."""
    monkeypatch.setattr(power, "LEAST_TABLES", 4)
    monkeypatch.setattr(power, "MOST_TABLES", 4)


def ask(capsys, *words):
    code = grid.main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_it_says_what_the_grid_shows_and_what_the_gain_takes(tmp_path, capsys):
    words = ("digits", "--plan", "--no-timing", "--storage", tmp_path / "s", "--data", tmp_path / "c", "num_real=[40]")
    code, out, _ = ask(capsys, *words, "--gain", 3, "--power", 0.7, "synthetic_multiples=[0, 4]")
    assert code == 0 and "plan     to show a gain of 3 points with 70% power" in out
    assert re.search(r"as it is +6 draws x 2 seeds, 600 test images +about \d+ (s|min) of one core", out)
    assert re.search(r"shows a gain of 3 points \d+% of the time .* with 70% power one of \d+\.\d points", out)
    assert re.search(r"(enough|more draws) +\d+ draws x 2 seeds, 600 test images +about", out)
    assert "two classifiers differ on 10% of the test images" in out and "(not measured yet)" in out
    assert not (tmp_path / "s").exists()


def test_the_test_set_may_be_another(tmp_path, capsys):
    words = ("digits", "--plan", "--no-timing", "--storage", tmp_path / "s", "num_real=[40]", "--test-images", 20_000)
    code, out, _ = ask(capsys, *words, "synthetic_multiples=[0, 4]")
    assert code == 0 and re.search(r"as it is +6 draws x 2 seeds, 20,000 test images", out) and ", as given" in out


def test_trials_that_are_done_are_counted_and_a_single_draw_shows_nothing(small_run, tmp_path, capsys):
    storage = tmp_path / "s"
    shutil.copytree(small_run, storage, copy_function=os.link)
    code, out, _ = ask(capsys, GRID, "--plan", "--no-timing", "--storage", storage)
    assert code == 0 and re.search(r"as it is +2 draws x 1 seed, .* nothing to do", out)
    code, out, _ = ask(capsys, GRID, "--plan", "--no-timing", "--storage", storage, "draws=1")
    assert code == 0 and "one draw gives no interval, and so no verdict" in out


def test_without_synthetic_images_there_is_no_gain(tmp_path, capsys):
    code, out, _ = ask(
        capsys, "digits", "--plan", "--no-timing", "--storage", tmp_path / "s", "synthetic_multiples=[0]", "blocks=[]"
    )
    assert code == 0 and "plan     no cell has synthetic images" in out


@pytest.mark.parametrize(
    "words, said",
    [
        (("--gain", "much", "--plan"), "'much' must be a number of points of test error from 0.01 to 50"),
        (("--gain", "0", "--plan"), "'0' must be a number of points"),
        (("--gain", "nan", "--plan"), "'nan' must be a number of points"),
        (("--power", "80", "--plan"), "'80' must be a share of runs from 0.5 to 0.99"),
        (("--test-images", "-3", "--plan"), "must be an integer from 1"),
        (("--gain", "2"), "--gain says what --plan plans for; add --plan, or remove it"),
        (("--power", "0.9", "--test-images", "9"), "--test-images says what --plan plans for"),
    ],
)
def test_wrong_options_are_refused_in_a_sentence(tmp_path, capsys, words, said):
    code, out, err = ask(capsys, "digits", "--storage", tmp_path / "s", *words)
    assert code == 2 and said in err and not out and "Traceback" not in err


def test_test_images_are_counted_without_decoding(folder_of_images, tmp_path):
    data = identify(f"folder:{folder_of_images}", grid_options())
    assert count_test_images(data, tmp_path / "cache") == (6, 2)  # a fifth of 30 and of 10
    assert not (tmp_path / "cache").exists()
    assert count_test_images(identify("cifar100", grid_options()), tmp_path) == (100,) * 100
    assert sum(count_test_images(identify("digits", grid_options()), tmp_path) or ()) == 600


def test_test_images_that_a_run_leaves_out_are_not_counted_once_they_are_known(tmp_path):
    """10 of 40 test images are copies of training images, all of one class."""
    rng, cache = np.random.default_rng(0), tmp_path / "cache"
    images = {
        s: rng.integers(0, 256, (n, 12, 12), dtype=np.uint8) for s, n in (("train", 120), ("val", 20), ("test", 40))
    }
    images["test"][:20:2] = images["train"][:20:2]
    arrays = {f"{s}_images": a for s, a in images.items()} | {
        f"{s}_labels": np.arange(len(a)) % 2 for s, a in images.items()
    }
    np.savez(tmp_path / "x.npz", **arrays)
    data = identify(f"npz:{tmp_path / 'x.npz'}", DataOptions(duplicates="drop-test"))
    assert count_test_images(data, cache) == (20, 20) and copies_uncounted(data, cache)
    apply_duplicate_policy(data, load(data, cache), cache)
    assert count_test_images(data, cache) == (10, 20) and not copies_uncounted(data, cache)


def grid_options():
    return DataOptions()


@pytest.fixture
def folder_of_images(tmp_path):
    import numpy as np
    from PIL import Image

    for name, count in (("a", 30), ("b", 10)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(count):
            pixels = np.random.default_rng(i).integers(0, 255, (8, 8), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{i}.png")
    return tmp_path / "images"
