"""Bad inputs by number: what the images show once they are read. Exit code 3, and nothing trained or written.

The numbers are those of the list that the project was given (54 cases); names are ours. The others are in
``test_grid_cases``.

==== ======================================= ==================================================================
case what is wrong                           where it is tested, if not here by its number; or why it is not
==== ======================================= ==================================================================
22   a multi-label set                       by its columns; by its name with 24
28   duplicates inside train                 a warning, with 26
29   a tiny test set                         a warning
30   strong imbalance                        a note, with 29
42   data that changed since the run began   a note: other images have other keys, so nothing is mixed
==== ======================================= ==================================================================
"""

from __future__ import annotations

import re
import struct
import zlib

import numpy as np
import pytest
from helpers.doors import GRID
from PIL import Image

from synaug_ray import audit
from synaug_ray.engine import local


def pixels(rng, size=(8, 8), channels=1):
    return rng.integers(0, 256, size if channels == 1 else (*size, channels), dtype=np.uint8)


@pytest.fixture
def folder(door):
    """``make(counts)``: a folder of random grey 8x8 images, so many of each class; returns its spec."""
    rng = np.random.default_rng(0)

    def make(counts, size=(8, 8), channels=1):
        for name, count in counts.items():
            place = door.folder / "images" / name
            place.mkdir(parents=True, exist_ok=True)
            for i in range(count):
                Image.fromarray(pixels(rng, size, channels)).save(place / f"{i:03}.png")
        return f"dataset=folder:{door.folder}/images"

    return make


@pytest.fixture
def npz(door):
    """``make(**changes)``: an .npz of three classes in MedMNIST's layout with some arrays replaced."""

    def make(counts=(200, 40, 60), **changes):
        rng = np.random.default_rng(0)
        arrays = {}
        for split, count in zip(("train", "val", "test"), counts, strict=True):
            arrays[f"{split}_images"] = rng.integers(0, 256, (count, 8, 8), dtype=np.uint8)
            arrays[f"{split}_labels"] = (np.arange(count) % 3).astype(np.uint8)[:, None]
        arrays |= changes
        np.savez(door.folder / "x.npz", **{k: v for k, v in arrays.items() if v is not None})
        return f"dataset=npz:{door.folder}/x.npz"

    return make


SMALL = "num_real=[20]"


def test_case_05_a_folder_that_is_not_there(door):
    (said,) = door.refused_in_a_run(3, f"dataset=folder:{door.folder}/nowhere")
    where, _, what = said.partition(": dataset: ")
    assert where.startswith("override 'dataset=folder:")
    assert what == (
        "folder:nowhere: no such folder; name one that contains <class>/*.png or train/<class>/*.png, in the grid or on "
        "the command line: dataset=folder:/path/to/nowhere"
    )


def test_case_05_a_folder_without_images(door):
    (door.folder / "images" / "cat").mkdir(parents=True)
    (door.folder / "images" / "cat" / "notes.txt").write_text("")
    (said,) = door.refused_in_a_run(3, f"dataset=folder:{door.folder}/images")
    assert "has no images; expected images/train/<class>/*.png or images/<class>/*.png" in said
    assert "found 1 .txt" in said


@pytest.mark.parametrize("given,kind", [("images", "folder"), ("x.npz", "npz")])
def test_a_path_without_its_kind(door, folder, npz, given, kind):
    folder({"a": 1}), npz()
    (said,) = door.refused(2, f"dataset={door.folder}/{given}")
    assert f"write {kind}:{given}. Available: digits, " in said


def test_paths_that_no_file_system_has(door):
    (said,) = door.refused(3, "dataset=npz:" + "x" * 300)
    assert "is not a valid path (File name too long)" in said
    (said,) = door.refused(3, "dataset=folder:~nobody-of-this-name/x")
    assert "folder:~nobody-of-this-name/x is not a valid path (" in said


def test_case_06_an_empty_class_folder(door, folder):
    spec = folder({"cat": 40, "dog": 40, "melanoma": 0})
    (said,) = door.refused_in_a_run(3, spec)
    assert said == "images: 1 class folder holds no images: melanoma; add some or remove it"


def test_case_07_one_class(door, folder):
    (said,) = door.refused_in_a_run(3, folder({"cat": 40}))
    assert said.startswith("images has 1 class folders with images (cat); a classifier needs at least two")


def test_case_07_one_class_of_numbers(door, npz):
    (said,) = door.refused_in_a_run(
        3,
        npz(**{f"{split}_labels": np.zeros(n, np.uint8) for split, n in (("train", 200), ("val", 40), ("test", 60))}),
        SMALL,
    )
    assert said == (
        "x.npz: labels found: 0; expected 0..K-1 without gaps, K >= 2; a classifier needs at least two "
        "classes: add images of another"
    )


def test_case_08_a_class_smaller_than_the_subset_needs(door, folder):
    spec = folder({"cat": 90, "dog": 90, "df": 20})
    (said,) = door.refused_in_a_run(3, spec, "num_real=[100]", "stratify=balanced")
    assert re.fullmatch(
        r"override 'num_real=\[100\]': num_real\[0\]: 100 is too many: class df has \d+ training "
        r"images, so a balanced subset has at most \d+; lower it, add images of that class, or set "
        r"stratify: natural",
        said,
    )


def test_case_09_subset_larger_than_data(door):
    """All of them at once; the training images have to be counted, so in a real run."""
    text = GRID.replace("[20, 40, 60, 80]", "[20, 1001]") + "blocks: [{num_real: [40, 60000]}]\n"
    why = "is too many: the training split has 1,000 images; lower it, or add training images"
    assert door.refused_in_a_run(3, text=text) == [
        f"g.yaml:2: num_real[1]: 1,001 {why}",
        f"g.yaml:8: blocks[0].num_real[1]: 60,000 {why}",
    ]


def test_case_15_corrupt_images(door, folder):
    spec = folder({"cat": 40, "dog": 40})
    whole = (door.folder / "images" / "cat" / "000.png").read_bytes()
    (door.folder / "images" / "cat" / "cut.png").write_bytes(whole[:60])
    (door.folder / "images" / "dog" / "text.png").write_text("no image")
    (said,) = door.refused_in_a_run(3, spec, SMALL)
    assert said.startswith(
        "2 of 82 images cannot be read; repair or remove them, or set data.on_bad: drop: cat/cut.png ("
    )
    assert "dog/text.png (no image of a known format)" in said


def test_case_16_mixed_modes(door, folder):
    spec = folder({"cat": 40, "dog": 40})
    folder({"owl": 12}, channels=3)
    (said,) = door.refused_in_a_run(3, spec, SMALL)
    assert said == ("mixed modes: 80 L, 12 RGB; L are grey, the others colour: set data.mode: rgb or gray")


def test_case_16_sixteen_bits(door, folder):
    spec = folder({"cat": 40, "dog": 40})
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(door.folder / "images" / "cat" / "deep.png")
    (said,) = door.refused_in_a_run(3, spec, SMALL)
    assert said.startswith(
        "1 of 81 images have more than 8 bits a channel; convert them to 8 bits yourself: how decides "
        "what detail is lost: cat/deep.png (I;16)"
    )


def test_case_17_mixed_sizes(door, folder):
    spec = folder({"cat": 40, "dog": 40})
    folder({"owl": 12}, size=(10, 12))
    (said,) = door.refused_in_a_run(3, spec, SMALL)
    assert said == (
        "sizes from 8 x 8 to 12 x 10 (width x height), 2 of them; set data.size (pixels a side), and "
        "data.resize: crop, pad or stretch for those that are not square"
    )


def test_case_18_images_that_are_not_square(door, folder):
    (said,) = door.refused_in_a_run(3, folder({"cat": 40, "dog": 40}, size=(8, 12)), SMALL)
    assert said == (
        "images are 12 x 8 (width x height), not square; set data.size (pixels a side) and data.resize: "
        "crop, pad or stretch (crop is the default)"
    )


def test_case_18_a_size_that_a_network_cannot_halve(door, folder):
    (said,) = door.refused_in_a_run(3, folder({"cat": 40, "dog": 40}, size=(9, 9)), SMALL, "generators=edm-tiny")
    assert said == (
        "generators: edm-tiny halves its images 1 times, so their side must be a multiple of 2, got 9 pixels; set "
        "data.size: 10, or use fewer channels"
    )


def test_case_19_a_decompression_bomb(door, folder):
    spec = folder({"cat": 40, "dog": 40})
    header = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 1, 0, 0, 0, 0)
    empty = b"IDAT" + zlib.compress(b"")
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, empty, b"IEND"))
    (door.folder / "images" / "cat" / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    (said,) = door.refused_in_a_run(3, spec, SMALL)
    assert said.startswith("1 of 81 images have more than 89,478,485 pixels; downscale them first: cat/bomb.png (")


@pytest.mark.parametrize(
    "labels,said",
    [
        (
            np.r_[np.arange(199) % 3, np.nan],
            "train_labels is float64 [200]; expected one integer per image: "
            "train_labels[199] is nan; save the classes as integers 0..K-1",
        ),
        (
            np.arange(200) % 3 + 0.5,
            "train_labels is float64 [200]; expected one integer per image: train_labels[0] is 0.5; "
            "save the classes as integers 0..K-1",
        ),
        (
            np.arange(200) % 3 - 1,
            "labels found: -1, 0, 1, 2; expected 0..K-1 without gaps, K >= 2; train_labels[0] is -1: "
            "renumber the classes",
        ),
    ],
)
def test_case_20_labels_that_are_none(door, npz, labels, said):
    assert door.refused_in_a_run(3, npz(train_labels=labels), SMALL) == [f"x.npz: {said}"]


def test_case_21_a_label_gap(door, npz):
    labels = np.array([0, 1, 3])[np.arange(200) % 3]
    (said,) = door.refused_in_a_run(3, npz(train_labels=labels, val_labels=labels[:40], test_labels=labels[:60]), SMALL)
    assert said == (
        "x.npz: labels found: 0, 1, 3; expected 0..K-1 without gaps, K >= 2; 2 missing: renumber the classes"
    )


def test_case_22_several_labels_an_image(door, npz):
    (said,) = door.refused_in_a_run(3, npz(train_labels=np.zeros((200, 14), np.uint8)), SMALL)
    assert said.startswith(
        "x.npz: train_labels is uint8 [200, 14]; expected one integer per image: 14 columns would be "
        "multi-label, which is not supported"
    )


def test_case_23_images_of_three_dimensions(door, npz):
    (said,) = door.refused_in_a_run(3, npz(train_images=np.zeros((200, 8, 8, 8), np.uint8)), SMALL)
    assert "x.npz: train_images is uint8 [200, 8, 8, 8]; expected uint8 [N, H, W] or [N, H, W, 3]" in said
    assert "3D images are not supported" in said


@pytest.mark.parametrize(
    "name,said",
    [  # 22 to 24
        (
            "chestmnist",
            "chestmnist is multi-label (14 labels per image); only one label per image is supported: choose another set",
        ),
        ("organmnist3d", "organmnist3d has 3D images; only 2D images are supported: choose another set"),
        (
            "retinamnist",
            "retinamnist is ordinal, 5 grades; set data.ordinal: true to treat them as 5 unordered classes",
        ),
    ],
)
def test_case_24_medmnist_sets_of_another_kind(door, name, said):
    """Their names say so: nothing is downloaded, and a dry run tells."""
    pytest.importorskip("medmnist")
    (sentence,) = door.refused(3, f"dataset=medmnist:{name}")
    assert sentence == f"override 'dataset=medmnist:{name}': dataset: {said}"


def test_a_set_that_needs_a_package_that_is_not_installed(door, monkeypatch):
    from synaug_ray.data.sources import medmnist

    medmnist._table.cache_clear()
    monkeypatch.setattr(medmnist, "why_not_installed", lambda name: "which is not installed")
    code, _, (said,) = door.run("dataset=medmnist:bloodmnist", "--dry-run")
    assert code == 6 and said == (
        "medmnist:NAME needs the package medmnist, which is not installed; install it with pip install "
        "'synaug-ray[medmnist]'"
    )


def test_case_32_a_model_of_a_fixed_size_where_only_the_images_tell_theirs(door, npz):
    words = (
        npz(),
        SMALL,
        (
            "classifiers=[{family: timm, name: net, model: vit_tiny_patch16_224, pack: 1, nimg: 640}, "
            "{family: timm, name: other, model: vgg11, pack: 1, nimg: 640}]"
        ),
    )
    wanted, small = door.refused_in_a_run(3, *words)
    assert wanted.startswith("classifiers: net (vit_tiny_patch16_224) wants 224 x 224 pixels and the images have 8 x 8")
    assert small.startswith("classifiers: other (vgg11) cannot be trained on images of 8 x 8 pixels")
    assert door.refused_in_a_run(2, *words, "data.size=8") == [wanted, small]


def test_case_25_without_a_test_split_a_part_is_held_out(door, folder, monkeypatch):
    """No error here: a fifth, in class proportion, and it is said."""
    from synaug_ray.engine import local

    monkeypatch.setattr(local, "run_local", lambda *args: None)
    code, out, _ = door.run(folder({"cat": 50, "dog": 50}), SMALL, "--local")
    assert code == 4 and re.search(r"test +20 images, 10 to 10 a class", out)


def test_case_25_too_few_images_to_hold_any_out(door, folder):
    (said,) = door.refused_in_a_run(3, folder({"cat": 3, "dog": 1}), SMALL)
    assert said.startswith("1 of 2 classes have only one image (dog): too few to hold any out; add images")


def audited(door, spec, *options):
    """The table that the audit prints, as one line."""
    code = audit.main([spec.removeprefix("dataset="), *options, "--data", str(door.cache)])
    shown = door.capsys.readouterr()
    assert code == 0 and "Traceback" not in shown.err, shown.err
    return " ".join(shown.out.split())


def test_cases_26_and_28_duplicates(door, npz):
    rng = np.random.default_rng(1)
    train, test = (rng.integers(0, 256, (n, 8, 8), dtype=np.uint8) for n in (200, 60))
    test[:6] = train[:6]  # 26
    train[100:105] = train[110:115]  # 28
    table = audited(door, npz(train_images=train, test_images=test))
    assert "WARNING test images in train 6 exact, 0 near 6 of 60 test images (10.0%) occur in train" in table
    assert "Set data.duplicates: drop-test" in table
    assert "WARNING duplicates in train 5 exact, 0 near 200 training images are 195 different ones" in table
    spec = npz(train_images=train, test_images=test)
    (said,) = door.refused_in_a_run(3, spec, SMALL)
    assert said.startswith("x: 6 of 60 test images are in train too") and said.endswith("or warn to go on as it is")
    for rule, tested in (("warn", 60), ("drop-test", 54)):
        seen = []
        door.monkeypatch.setattr(
            local, "run_local", lambda missing, bench, say, expected, seen=seen: seen.append(bench.dataset)
        )
        _, out, _ = door.run(spec, SMALL, f"data.duplicates={rule}", "--local")
        assert len(seen[0].test) == tested and "duplicates in train 5 exact" in " ".join(out.split())


def test_case_27_groups_on_both_sides(door, npz):
    groups = {f"{s}_patient": np.arange(n) // 2 for s, n in (("train", 200), ("val", 40), ("test", 60))}
    table = audited(door, npz(**groups), "group=patient")
    assert "WARNING groups 30 on both sides 30 of 30 test groups (60 images) are in train as well" in table
    said = door.refused_in_a_run(3, npz(**groups), "data.group=patient", SMALL)
    assert any("30 groups" in sentence and "test" in sentence for sentence in said), said


def test_cases_29_and_30_a_tiny_test_set_and_imbalance(door, npz):
    labels = {
        f"{s}_labels": (np.arange(n) % 10 == 0).astype(np.uint8) for s, n in (("train", 200), ("val", 40), ("test", 40))
    }
    images = {"test_images": np.random.default_rng(2).integers(0, 256, (40, 8, 8), dtype=np.uint8)}
    table = audited(door, npz(**labels, **images))
    assert re.search(r"WARNING smallest gain shown \d+\.\d points 40 test images: a smaller gain cannot be told", table)
    assert "largest over smallest train 9.0, test 9.0 The test classes are unbalanced: the balanced error" in table


def test_case_42_data_that_changed_are_other_data(door, npz, monkeypatch):
    """Nothing that was made from the old images counts for the new ones, and it is said."""
    kept = []
    monkeypatch.setattr(local, "run_local", lambda missing, bench, say, expected: kept.append(set(missing.trials)))
    _, first, _ = door.run(npz(), SMALL, "--local")
    _, again, _ = door.run(npz(), SMALL, "--local")
    images = np.random.default_rng(5).integers(0, 256, (200, 8, 8), dtype=np.uint8)
    _, other, _ = door.run(npz(train_images=images), SMALL, "--local")
    assert kept[0] == kept[1] and not kept[0] & kept[2]
    assert ["are not those of the last run in" in out for out in (first, again, other)] == [False, False, True]
    before, now = re.search(r"\((\w{12}) then, (\w{12}) now\)", other).groups()
    assert before != now


def test_case_53_a_hugging_face_set_with_a_loading_script(door, monkeypatch):
    datasets = pytest.importorskip("datasets")

    def scripted(*args, **kwargs):
        raise RuntimeError("Dataset scripts are no longer supported, but found x.py")

    monkeypatch.setattr(datasets, "load_dataset", scripted)
    (said,) = door.refused_in_a_run(3, f"dataset=hf:owner/x@{'0' * 40}", SMALL)
    assert said.startswith(
        "hf:owner/x uses a loading script, which datasets 4 and later do not run: convert it to Parquet"
    )


def test_case_54_offline_says_what_to_put_where(door, monkeypatch):
    from torchvision.datasets import utils

    def no_network(*args, **kwargs):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(utils, "download_url", no_network)
    (said,) = door.refused_in_a_run(3, "dataset=cifar100", SMALL)
    assert said.startswith(
        "cifar100 is not in cache and could not be downloaded (Network is unreachable). Put "
        "cifar-100-python.tar.gz (md5 eb9058c3a382ffc7106e4002c42a8d85) from https://"
    )
    assert said.endswith(", or name another folder with --data")


@pytest.mark.parametrize(
    "name,content",
    [
        ("x.npz", b""),
        ("x.npz", b"PK\x03\x04"),
        ("x.npz", b"\x1f\x8b\x08\x00" + bytes(100)),
        ("x.npz", bytes(1_000)),
        ("x.tar.gz", b"\x1f\x8b\x08\x00" + bytes(100)),
    ],
)
def test_a_file_that_is_no_npz(door, name, content):
    """In our words, not in numpy's: it would speak of pickles."""
    (door.folder / name).write_bytes(content)
    (said,) = door.refused_in_a_run(3, f"dataset=npz:{door.folder}/{name}", SMALL)
    assert said.startswith(f"{name} is not a readable .npz (") and "pickle" not in said
