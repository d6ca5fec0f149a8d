"""Bad inputs by number: what the images show once they are read. Exit code 3, and nothing trained or written.

The numbers are those of the list that the project was given (54 cases); names are ours. The others are in
``test_grid_cases``.

==== ======================================= ==================================================================
case what is wrong                           where it is tested, if not here by its number; or why it is not
==== ======================================= ==================================================================
22   a multi-label set                       by its columns; by its name with 24
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

from synaug_ray.engine import local

SMALL = "num_real=[20]"


def codes(door):
    """The codes and values of the last refusal."""
    return [(code, value) for code, _, value in door.found]


def test_case_05_a_folder_that_is_not_there(door, told):
    (said,) = door.refused_in_a_run(3, f"dataset=folder:{door.folder}/nowhere")
    where, _, what = said.partition(": dataset: ")
    assert where.startswith("override 'dataset=folder:") and codes(door) == [("no-such-data", "")]
    told([what])


def test_case_05_a_folder_without_images(door, told):
    (door.folder / "images" / "cat").mkdir(parents=True)
    (door.folder / "images" / "cat" / "notes.txt").write_text("")
    (said,) = door.refused_in_a_run(3, f"dataset=folder:{door.folder}/images")
    assert codes(door) == [("no-images", "")] and "1 .txt" in said
    told([said.partition(": dataset: ")[2]])


@pytest.mark.parametrize("given,kind", [("images", "folder"), ("x.npz", "npz")])
def test_a_path_without_its_kind(door, folder, npz, given, kind):
    folder({"a": 1}), npz()
    (said,) = door.refused(2, f"dataset={door.folder}/{given}")
    assert f"write {kind}:{given}. Available: digits, " in said


def test_a_judge_that_does_not_exist_is_told_with_all_else(door, told):
    """By its name before anything is opened; by its file beside that of the data set."""
    told(door.refused(2, "data.judge=digit", "draws=0"))
    assert [code for code, _ in codes(door)] == ["unknown-dataset", "out-of-range"]
    said = door.refused_in_a_run(3, f"dataset=npz:{door.folder}/a.npz", f"data.judge=npz:{door.folder}/b.npz")
    assert [s.partition(":")[0].split("=")[0] for s in said] == ["override 'dataset", "override 'data.judge"]
    assert codes(door) == [("no-such-data", "")] * 2


def test_a_judge_of_other_classes_or_another_form_is_refused_before_training(door, npz, told):
    npz()
    (said,) = door.refused_in_a_run(3, f"data.judge=npz:{door.folder}/x.npz", "quality_draws=1")
    assert codes(door) == [("judge-classes", "3, 4, 5, 6, 7, ...")]
    told([said])
    npz(
        train_images=np.zeros((200, 9, 9), np.uint8),
        val_images=None,
        val_labels=None,
        test_images=None,
        test_labels=None,
    )
    door.refused_in_a_run(3, f"data.judge=npz:{door.folder}/x.npz", "quality_draws=1")
    assert codes(door) == [("judge-form", "images of 9 x 9 pixels in grey"), ("judge-classes", "3, 4, 5, 6, 7, ...")]


def test_a_second_test_set_that_does_not_exist_is_told_with_all_else(door, told):
    told(door.refused(2, "data.test2=digit", "data.judge=nothing", "draws=0"))
    assert [code for code, _ in codes(door)] == ["unknown-dataset", "unknown-dataset", "out-of-range"]
    said = door.refused_in_a_run(3, f"dataset=npz:{door.folder}/a.npz", f"data.test2=npz:{door.folder}/b.npz")
    assert [s.partition(":")[0].split("=")[0] for s in said] == ["override 'dataset", "override 'data.test2"]
    told(door.refused_in_a_run(2, "data.test2=digits"))
    assert [code for code, _ in codes(door)] == ["test2-is-the-data-set"]


def test_a_second_test_set_of_other_classes_and_form_is_refused_before_training(door, npz, told):
    npz(
        train_images=np.zeros((200, 9, 9), np.uint8),
        val_images=None,
        val_labels=None,
        test_images=None,
        test_labels=None,
    )
    told(door.refused_in_a_run(3, f"data.test2=npz:{door.folder}/x.npz"))
    assert codes(door) == [("test2-form", "images of 9 x 9 pixels in grey"), ("test2-classes", "3, 4, 5, 6, 7, ...")]


def test_paths_that_no_file_system_has(door):
    (said,) = door.refused(3, "dataset=npz:" + "x" * 300)
    assert "is not a valid path (File name too long)" in said
    (said,) = door.refused(3, "dataset=folder:~nobody-of-this-name/x")
    assert "folder:~nobody-of-this-name/x is not a valid path (" in said


def test_case_06_an_empty_class_folder(door, folder, told):
    told(door.refused_in_a_run(3, folder({"cat": 40, "dog": 40, "melanoma": 0})))
    assert codes(door) == [("empty-class", "melanoma")]


def test_case_07_one_class(door, folder, told):
    told(door.refused_in_a_run(3, folder({"cat": 40})))
    assert codes(door) == [("too-few-classes", "1")]


def test_case_07_one_class_of_numbers(door, npz, told):
    zeros = {f"{split}_labels": np.zeros(n, np.uint8) for split, n in (("train", 200), ("val", 40), ("test", 60))}
    told(door.refused_in_a_run(3, npz(**zeros), SMALL))
    assert door.found == [("too-few-classes", "x.npz", "0")]


def test_case_08_a_class_smaller_than_the_subset_needs(door, folder, told):
    spec = folder({"cat": 90, "dog": 90, "df": 20})
    told(door.refused_in_a_run(3, spec, "num_real=[100]", "stratify=balanced"))
    assert door.found == [("too-many-real", "override 'num_real=[100]': num_real[0]", "100")]


def test_case_09_subset_larger_than_data(door, told):
    """All of them at once; the training images have to be counted, so in a real run."""
    text = GRID.replace("[20, 40, 60, 80]", "[20, 1001]") + "blocks: [{num_real: [40, 60000]}]\n"
    told(door.refused_in_a_run(3, text=text))
    assert door.found == [
        ("too-many-real", "g.yaml:2: num_real[1]", "1,001"),
        ("too-many-real", "g.yaml:8: blocks[0].num_real[1]", "60,000"),
    ]


def test_case_15_corrupt_images(door, folder):
    spec = folder({"cat": 40, "dog": 40})
    whole = (door.folder / "images" / "cat" / "000.png").read_bytes()
    (door.folder / "images" / "cat" / "cut.png").write_bytes(whole[:60])
    (door.folder / "images" / "dog" / "text.png").write_text("no image")
    (said,) = door.refused_in_a_run(3, spec, SMALL)
    assert codes(door) == [("image-unreadable", "2")]
    assert "cat/cut.png (" in said and "dog/text.png (not an image of a known format)" in said


def test_case_16_mixed_modes(door, folder, told):
    spec = folder({"cat": 40, "dog": 40})
    folder({"owl": 12}, channels=3)
    told(door.refused_in_a_run(3, spec, SMALL))
    assert codes(door) == [("mixed-modes", "80 L, 12 RGB")]


def test_case_16_sixteen_bits(door, folder, told):
    spec = folder({"cat": 40, "dog": 40})
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(door.folder / "images" / "cat" / "deep.png")
    told(door.refused_in_a_run(3, spec, SMALL))
    assert codes(door) == [("image-bit-depth", "1")]


def test_case_17_mixed_sizes(door, folder, told):
    spec = folder({"cat": 40, "dog": 40})
    folder({"owl": 12}, size=(10, 12))
    told(door.refused_in_a_run(3, spec, SMALL))
    assert codes(door) == [("mixed-sizes", "2")]


def test_case_18_images_that_are_not_square(door, folder, told):
    told(door.refused_in_a_run(3, folder({"cat": 40, "dog": 40}, size=(8, 12)), SMALL))
    assert codes(door) == [("not-square", "12 x 8")]


def test_case_18_a_size_that_a_network_cannot_halve(door, folder, told):
    told(door.refused_in_a_run(3, folder({"cat": 40, "dog": 40}, size=(9, 9)), SMALL, "generators=edm-tiny"))
    assert door.found == [("image-size", "generators", "9 pixels")]


def test_case_19_a_decompression_bomb(door, folder):
    spec = folder({"cat": 40, "dog": 40})
    header = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 1, 0, 0, 0, 0)
    empty = b"IDAT" + zlib.compress(b"")
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, empty, b"IEND"))
    (door.folder / "images" / "cat" / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    (said,) = door.refused_in_a_run(3, spec, SMALL)
    assert codes(door) == [("image-size", "1")] and "cat/bomb.png (" in said


@pytest.mark.parametrize(
    "labels,code,value",
    [
        (np.r_[np.arange(199) % 3, np.nan], "label-not-an-integer", "nan"),
        (np.arange(200) % 3 + 0.5, "label-not-an-integer", "0.5"),
        (np.arange(200) % 3 - 1, "label-out-of-range", "-1"),
    ],
)
def test_case_20_labels_that_are_none(door, npz, told, labels, code, value):
    told(door.refused_in_a_run(3, npz(train_labels=labels), SMALL))
    assert door.found == [(code, "x.npz", value)]


def test_case_21_a_label_gap(door, npz, told):
    labels = np.array([0, 1, 3])[np.arange(200) % 3]
    told(door.refused_in_a_run(3, npz(train_labels=labels, val_labels=labels[:40], test_labels=labels[:60]), SMALL))
    assert door.found == [("label-gap", "x.npz", "0, 1, 3")]


def test_case_22_several_labels_an_image(door, npz, told):
    told(door.refused_in_a_run(3, npz(train_labels=np.zeros((200, 14), np.uint8)), SMALL))
    assert door.found == [("multi-label", "x.npz", "uint8 [200, 14]")]


def test_case_23_images_of_three_dimensions(door, npz, told):
    told(door.refused_in_a_run(3, npz(train_images=np.zeros((200, 8, 8, 8), np.uint8)), SMALL))
    assert door.found == [("data-kind", "x.npz", "uint8 [200, 8, 8, 8]")]


@pytest.mark.parametrize(
    "name,code",
    [  # 22 to 24
        ("chestmnist", "data-kind"),
        ("organmnist3d", "data-kind"),
        ("retinamnist", "data-ordinal"),
    ],
)
def test_case_24_medmnist_sets_of_another_kind(door, told, name, code):
    """Their names say so: nothing is downloaded, and a dry run tells."""
    pytest.importorskip("medmnist")
    told(door.refused(3, f"dataset=medmnist:{name}"))
    assert codes(door) == [(code, "")]


def test_a_set_that_needs_a_package_that_is_not_installed(door, monkeypatch, told):
    from synaug_ray.data.sources import medmnist

    medmnist._table.cache_clear()
    monkeypatch.setattr(medmnist, "why_not_installed", lambda name: "which is not installed")
    code, _, said = door.run("dataset=medmnist:bloodmnist", "--dry-run")
    assert code == 6 and codes(door) == [("package-missing", "")]
    told(said)


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
    assert door.found == [("image-size", "classifiers", "8 x 8 pixels")] * 2
    assert "net (vit_tiny_patch16_224)" in wanted and "set data.size: 224" in wanted and "other (vgg11)" in small
    assert door.refused_in_a_run(2, *words, "data.size=8") == [wanted, small]


def test_case_25_without_a_test_split_a_part_is_held_out(door, folder, monkeypatch):
    """No error here: a fifth, in class proportion, and it is said."""
    from synaug_ray.engine import local

    monkeypatch.setattr(local, "run_local", lambda *args: None)
    code, out, _ = door.run(folder({"cat": 50, "dog": 50}), SMALL, "--local")
    assert code == 4 and re.search(r"test +20 images, 10 to 10 a class", out)


def test_case_25_too_few_images_to_hold_any_out(door, folder, told):
    told(door.refused_in_a_run(3, folder({"cat": 3, "dog": 1}), SMALL))
    assert codes(door) == [("too-few-images", "")]


def test_case_42_data_that_changed_are_other_data(door, npz, monkeypatch):
    """Nothing that was made from the old images counts for the new ones, and it is said."""
    kept = []
    monkeypatch.setattr(
        local, "run_local", lambda missing, bench, say, expected, after: kept.append(set(missing.trials))
    )
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
    assert codes(door) == [("hub-loading-script", "")] and "to_parquet" in said


def test_case_54_offline_says_what_to_put_where(door, monkeypatch):
    from torchvision.datasets import utils

    def no_network(*args, **kwargs):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(utils, "download_url", no_network)
    (said,) = door.refused_in_a_run(3, "dataset=cifar100", SMALL)
    assert codes(door) == [("data-not-downloaded", "")] and "(Network is unreachable)" in said
    assert "cifar-100-python.tar.gz (md5 eb9058c3a382ffc7106e4002c42a8d85) from https://" in said and "--data" in said


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
    assert door.found == [("data-damaged", name, "")] and "pickle" not in said
