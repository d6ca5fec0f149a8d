"""Whatever lies in an npz, a folder or a Parquet file is a data set or ends in sentences: see ``fuzzing``."""

from __future__ import annotations

import io
import random
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
from helpers.fuzzing import BUDGET, outcome
from PIL import Image

from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.identify import identify
from synaug_ray.data.load import load

OPTIONS = [
    DataOptions(),
    DataOptions(size=8),
    DataOptions(size=12, mode="rgb", resize="pad"),
    DataOptions(size=5, mode="gray", resize="stretch"),
    DataOptions(on_bad="drop", size=8, mode="rgb"),
    DataOptions(group="train_labels"),
    DataOptions(split_seed=7, holdout=0.9),
]


def read(dataset, options, cache):
    """A data set as a run reads it: identified, then loaded; every image of it is looked at."""
    found = load(identify(dataset, options), cache)
    for part in (found.train, found.val, found.test):
        assert part.images.dtype == np.uint8 and len(part.images) == len(part.labels)
        assert part.images[:].shape[1] in (1, 3) and part.images.shape[2] == part.images.shape[3]
        assert len(part) == 0 or 0 <= part.labels.min() <= part.labels.max() < found.num_classes
    return found


def damaged(content, rng):
    """Bytes after one to four damages."""
    content = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at, kind = rng.randrange(len(content) + 1), rng.randrange(6)
        if kind == 0 and content:
            content[at % len(content)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            content[at : at + rng.choice([1, 4, 100])] = b""
        elif kind == 2:
            content[at:at] = rng.randbytes(rng.choice([1, 4, 100]))
        elif kind == 3:
            content[at : at + 4] = rng.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\x80"])
        elif kind == 4:
            content = content[:at]
        else:
            other = rng.randrange(len(content) + 1)
            content[at : at + 50] = content[other : other + 50]
    return bytes(content)


def arrays(rng):
    """MedMNIST's layout, now and then with an array of another shape or kind."""
    pixels = np.random.default_rng(rng.randrange(2**32))
    shape = rng.choice([(8, 8), (8, 8, 3), (6, 9)])
    made = {}
    for split, count in (("train", 30), ("val", 8), ("test", 10)):
        made[f"{split}_images"] = pixels.integers(0, 256, (count, *shape), dtype=np.uint8)
        made[f"{split}_labels"] = (np.arange(count) % 3).astype(rng.choice([np.uint8, np.int64]))[:, None]
    for _ in range(rng.randint(0, 2)):
        name = rng.choice(sorted(made))
        array = made[name]
        if array.ndim < 2 or array.dtype.kind not in "iu":
            made[name] = np.array(3)
            continue
        odd = [
            array.astype(float),
            array.astype(np.uint16),
            array[:0],
            array[..., None],
            array.reshape(-1),
            array.astype(str),
            array[:1, :1],
            array.astype(np.int8) - 5,
            array.astype(complex),
            array > 1,
            np.asfortranarray(array),
            array[::-1],
            np.full_like(array, 7),
            array[:1],
            array.T,
            array.astype(np.float64) * np.nan,
            array.astype(">i4"),
            array.astype([("a", "u1")]),
            array.astype("M8[s]"),
            np.array([2**64 - 1] * len(array), np.uint64),
        ]
        made[rng.choice([name, name, name, "extra", "train/../x", ""])] = rng.choice(odd)
        if rng.random() < 0.2:
            del made[name]
    return made


HEADERS = [
    b"{'descr': '|O', 'fortran_order': False, 'shape': (30, 8, 8), }",
    b"{'descr': '|u1', 'fortran_order': False, 'shape': (9999999999999, 8, 8), }",
    b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 8, 8), }",
    b"{'descr': '|u1', 'fortran_order': 3, 'shape': 5, }",
    b"{",
    b"'" * 500,
    b"(" * 3_000,
    b"\xff" * 40,
    b"{'descr': [('a', '<f8', (2**40,))], 'fortran_order': False, 'shape': (30,), }",
    b"1" * 9_000,
]


def archive(made, rng):
    """An .npz, now and then with a header that lies, a member twice, or packed by another method."""
    out = io.BytesIO()
    method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    with zipfile.ZipFile(out, "w", method) as packed:
        for name, array in made.items():
            content = io.BytesIO()
            np.save(content, array)
            raw = content.getvalue()
            if rng.random() < 0.1:
                header = rng.choice(HEADERS)
                raw = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + raw[128:]
            packed.writestr(f"{name}.npy", raw)
    return out.getvalue()


@pytest.mark.filterwarnings("ignore")
def test_npz_files(tmp_path):
    rng, refused = random.Random(50261121 + BUDGET), 0
    file = tmp_path / "x.npz"
    for _ in range(60 * BUDGET):
        content = archive(arrays(rng), rng)
        if rng.random() < 0.5:
            content = damaged(content, rng)
        file.write_bytes(content)
        options, cache = rng.choice(OPTIONS), tmp_path / "cache"
        case = (options, content[:200], "seed 50261121")
        refused += outcome(case, lambda: read(f"npz:{file}", options, cache)) is None  # noqa: B023
        shutil.rmtree(cache, ignore_errors=True)
    assert 12 * BUDGET < refused < 58 * BUDGET


def images():
    """A small image in every format that is read, and some that are not."""
    rng = np.random.default_rng(0)
    grey, colour = rng.integers(0, 256, (9, 9), np.uint8), rng.integers(0, 256, (9, 9, 3), np.uint8)
    found = {}
    for suffix, kind, pixels, more in (
        (".png", "PNG", grey, {}),
        (".png", "PNG", colour, {}),
        (".jpg", "JPEG", colour, {}),
        (".jpeg", "JPEG", grey, {"progressive": True}),
        (".bmp", "BMP", colour, {}),
        (".webp", "WEBP", colour, {}),
        (".tif", "TIFF", grey, {}),
        (".tiff", "TIFF", colour, {"compression": "tiff_lzw"}),
        (".ppm", "PPM", colour, {}),
        (".pgm", "PPM", grey, {}),
        (".png", "GIF", grey, {}),
        (".png", "ICO", colour, {}),
        (".png", "PNG", grey.astype(np.uint16), {}),
        (".png", "TGA", colour, {}),
    ):
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, kind, **more)
        found[f"{len(found)}{suffix}"] = out.getvalue()
    for mode in ("P", "RGBA", "CMYK", "1", "LA"):
        out = io.BytesIO()
        Image.fromarray(colour).convert(mode).save(out, "TIFF" if mode == "CMYK" else "PNG")
        found[f"{mode}{'.tif' if mode == 'CMYK' else '.png'}"] = out.getvalue()
    return found


NAMES = [
    "x.png",
    ".x.png",
    "x.PNG",
    "x.png.txt",
    "é.png",
    "a\nb.png",
    "x.jpg",
    "x.tif",
    "x.gif",
    "<b>.png",
    "x" * 200 + ".png",
    "d/x.png",
    "train/a/x.png",
    "=cmd.png",
    "\x1b[31m.png",
    "..png",
]


@pytest.mark.filterwarnings("ignore")
def test_image_folders(tmp_path):
    rng, refused, known = random.Random(60261121 + BUDGET), 0, images()
    for number in range(60 * BUDGET):
        root = tmp_path / f"{number}"
        splits = rng.choice([("",), ("",), ("train", "test"), ("train", "val", "test"), ("test",)])
        for split in splits:
            for name in rng.choice([("a", "b"), ("a", "b"), ("a", "b", "é\u0301"), ("a",), ("a", "<script>")]):
                for i in range(rng.choice([0, 12, 12, 12, 12])):
                    place = root / split / name / f"{i}.png"
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(known["0.png"])
                (root / split / name).mkdir(parents=True, exist_ok=True)
                for _ in range(rng.randint(0, 2)):
                    chosen = rng.choice(sorted(known))
                    content = damaged(known[chosen], rng) if rng.random() < 0.7 else known[chosen]
                    given = rng.choice([chosen, chosen, chosen, *NAMES])
                    (root / split / name / given).parent.mkdir(parents=True, exist_ok=True)
                    (root / split / name / given).write_bytes(content)
        options = rng.choice([*OPTIONS, DataOptions(group="(a)"), DataOptions(group="(")])
        done = outcome((number, options), lambda: read(f"folder:{root}", options, tmp_path / "cache"))  # noqa: B023
        refused += done is None
        shutil.rmtree(root)
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    assert 10 * BUDGET < refused < 58 * BUDGET


@pytest.mark.filterwarnings("ignore")
def test_parquet_files(tmp_path):
    rng, refused, known = random.Random(70261121 + BUDGET), 0, [b for n, b in images().items() if n == "0.png"]
    file = tmp_path / "x.parquet"
    for _ in range(15 * BUDGET):
        rows = 40
        cells = [
            {
                "bytes": known[0] if rng.random() < 0.98 else rng.choice([None, b"", damaged(known[0], rng)]),
                "path": None,
            }
            for _ in range(rows)
        ]
        table = pd.DataFrame({"image": cells, "label": [i % 2 for i in range(rows)]})
        if rng.random() < 0.5:
            table["label"] = rng.choice(
                [
                    table["label"] * 1.5,
                    table["label"].astype(str),
                    None,
                    table["label"] - 1,
                    table["label"].where(table["label"] > 0),
                    [[1]] * rows,
                ]
            )
        if rng.random() < 0.2:
            table = table.rename(columns={"image": rng.choice(["img", "label2", "", "x"])})
        table.to_parquet(file)
        if rng.random() < 0.4:
            file.write_bytes(damaged(file.read_bytes(), rng))
        options = rng.choice(
            [
                DataOptions(),
                DataOptions(size=8),
                DataOptions(image="image", label="nope"),
                DataOptions(group="label"),
                DataOptions(on_bad="drop"),
            ]
        )
        done = outcome(options, lambda: read(f"parquet:{file}", options, tmp_path / "cache"))  # noqa: B023
        refused += done is None
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    assert refused < 15 * BUDGET
