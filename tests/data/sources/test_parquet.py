"""Tables: images as bytes or as Hugging Face's struct, labels as numbers or words, splits by name or by column."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.image_files import bag, counts, encoded, found, pixels, read, refusal, refused

from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.identify import identify
from synaug_ray.data.sources.split_files import split_of

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def structs(numbers, **kwargs):
    return pa.array([{"bytes": encoded(i, **kwargs), "path": f"{i}.png"} for i in numbers], STRUCT)


def hugging_face_metadata(names):
    """The metadata that ``datasets`` writes."""
    return {
        b"huggingface": json.dumps(
            {"info": {"features": {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}}}
        ).encode()
    }


def write(path, columns, metadata=None, row_group=7):
    """Small row groups, so that runs of rows cross them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path, row_group_size=row_group)
    return f"parquet:{path}"


def pets(path, count=40, start=0, **extra):
    return write(
        path,
        {"image": structs(range(start, start + count)), "label": [i % 2 for i in range(count)]} | extra,
        hugging_face_metadata(["cat", "dog"]),
    )


def test_hugging_faces_layout(tmp_path, cache):
    pets(tmp_path / "pets" / "data" / "train-00000-of-00002.parquet", 20)
    pets(tmp_path / "pets" / "data" / "train-00001-of-00002.parquet", 20, 20)
    pets(tmp_path / "pets" / "data" / "validation-00000-of-00001.parquet", 10, 40)
    pets(tmp_path / "pets" / "data" / "test-00000-of-00001.parquet", 16, 50)
    data = read(f"parquet:{tmp_path / 'pets'}", cache)
    assert data.classes == ("cat", "dog") and data.name == "pets" and counts(data) == [[20, 20], [5, 5], [8, 8]]
    for i in range(40):  # in the order of files and rows
        assert (data.train.images[i, 0] == pixels(i)).all()
    assert (data.train.labels == np.arange(40) % 2).all()


def test_datasets_writes_what_the_tests_write(tmp_path):
    datasets = pytest.importorskip("datasets", reason="the optional package datasets is not installed")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    rows = {"image": [{"bytes": encoded(i), "path": f"{i}.png"} for i in range(4)], "label": [0, 1, 0, 1]}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "theirs.parquet")
    pets(tmp_path / "ours.parquet", 4)
    ours, theirs = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("ours", "theirs"))
    assert ours.equals(theirs)
    features = [json.loads(t.schema.metadata[b"huggingface"])["info"]["features"] for t in (ours, theirs)]
    assert all(f["label"]["names"] == ["cat", "dog"] for f in features)


def test_one_file_is_split(tmp_path, cache):
    data = read(pets(tmp_path / "pets.parquet", 60), cache)
    assert data.name == "pets" and counts(data) == [[22, 21], [2, 3], [6, 6]]
    assert bag(data.train, data.val, data.test) == sorted(pixels(i).tobytes() for i in range(60))


@pytest.mark.parametrize(
    "labels,classes", [(["zebra", "ant"], ("ant", "zebra")), ([7, 3], ("3", "7")), ([True, False], ("False", "True"))]
)
def test_labels_of_any_kind_and_plain_bytes(tmp_path, cache, labels, classes):
    name = write(
        tmp_path / "x.parquet", {"img": [encoded(i) for i in range(40)], "kind": [labels[i % 2] for i in range(40)]}
    )
    data = read(name, cache)
    assert data.classes == classes
    number = {pixels(i).tobytes(): i % 2 for i in range(40)}
    for part in (data.train, data.val, data.test):
        for image, label in zip(part.images, part.labels, strict=True):
            assert classes[label] == str(labels[number[image.tobytes()]])


def test_dictionaries_and_large_types(tmp_path, cache):
    name = write(
        tmp_path / "x.parquet",
        {
            "image": pa.array([encoded(i) for i in range(40)], pa.large_binary()),
            "label": pa.array(["a", "b"] * 20).dictionary_encode(),
        },
    )
    assert read(name, cache).classes == ("a", "b")


def test_a_column_of_splits(tmp_path, cache):
    split = (["train"] * 3 + ["validation"] + ["TEST"]) * 8
    data = read(pets(tmp_path / "x.parquet", 40, split=split), cache)
    assert [len(p) for p in (data.train, data.val, data.test)] == [24, 8, 8]
    assert bag(data.test) == sorted(pixels(i).tobytes() for i in range(40) if i % 5 == 4)
    assert found(pets(tmp_path / "y.parquet", 40, split=["train", "odd"] * 20), cache) == [("unknown-split", "odd")]


def test_patients_in_a_column(tmp_path, cache):
    patient = [i // 4 for i in range(120)]
    name = write(
        tmp_path / "x.parquet", {"image": structs(range(120)), "label": [p % 2 for p in patient], "patient": patient}
    )
    assert any(note.endswith("set data.group: patient") for note in read(name, cache, label="label").notes)
    data = read(name, cache, group="patient", label="label")
    assert not any("data.group" in note for note in data.notes)
    assert data.groups is not None and not set(data.groups[0]) & (set(data.groups[1]) | set(data.groups[2]))
    own = {pixels(i).tobytes(): i // 4 for i in range(120)}
    named = {}
    for part, groups in zip((data.train, data.val, data.test), data.groups, strict=True):
        for image, group in zip(part.images, groups, strict=True):
            assert named.setdefault(int(group), own[image.tobytes()]) == own[image.tobytes()]


def test_numbers_are_given_names_and_names_are_kept(tmp_path, cache):
    numbers = write(tmp_path / "x.parquet", {"image": structs(range(40)), "label": [1 + i % 2 for i in range(40)]})
    data = read(numbers, cache, classes=("cat", "dog"))
    assert data.classes == ("cat", "dog") and read(numbers, cache).classes == ("1", "2")
    own = {pixels(i).tobytes(): i % 2 for i in range(40)}
    assert all(label == own[image.tobytes()] for image, label in zip(data.train.images, data.train.labels, strict=True))
    assert {name.partition("[")[0] for name in data.names_of(0)} == {"x.parquet"}
    assert found(pets(tmp_path / "y.parquet"), cache, classes=("a", "b")) == [("class-names", "")]


def test_columns_can_be_named(tmp_path, cache):
    columns = {
        "scan": [encoded(i) for i in range(40)],
        "mask": [encoded(99)] * 40,
        "grade": [i % 2 for i in range(40)],
        "ward": [i // 20 for i in range(40)],
    }
    name = write(tmp_path / "x.parquet", columns)
    image, label = refusal(name, cache)
    assert image.code == label.code == "ambiguous-column"
    assert "(scan, mask); set data.image" in image.text and "(grade, ward); set data.label" in label.text
    data = read(name, cache, image="scan", label="ward")
    assert data.classes == ("0", "1") and bag(data.train, data.val, data.test) == sorted(
        pixels(i).tobytes() for i in range(40)
    )


@pytest.mark.parametrize(
    "options,code,value",
    [
        ({"image": "imag"}, "no-such-column", "imag"),
        ({"label": "size"}, "label-type", "double"),
        ({"image": "label"}, "image-type", "int64"),
        ({"group": "patient"}, "no-such-column", "patient"),
    ],
)
def test_columns_that_are_not_there(tmp_path, cache, options, code, value):
    name = pets(tmp_path / "x.parquet", size=[0.5] * 40)
    (message,) = refusal(name, cache, **options)
    assert (message.code, message.value) == (code, value) and f"data.{next(iter(options))}" in message.text


@pytest.mark.parametrize(
    "columns,code,value",
    [
        ({"label": [0, 1]}, "no-image-column", ""),
        ({"image": [[1, 2], [3, 4]], "label": [0, 1]}, "no-image-column", ""),
        ({"image": [b"", b""]}, "no-label-column", ""),
        ({"image": [b"", b""], "label": [0.5, 1.5]}, "label-type", "double"),
        ({"image": [b"", b""], "label": [[0, 1], [1, 0]]}, "multi-label", "list<element: int64>"),
        ({"image": [b"", b""], "label": [0, None]}, "missing-labels", "x.parquet[1]"),
        ({"image": [b"", b""], "label": [3, 3]}, "too-few-classes", "1"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, cache, columns, code, value):
    assert (code, value) in found(write(tmp_path / "x.parquet", columns), cache)


def test_names_of_rows_are_no_classes(tmp_path, cache):
    name = write(tmp_path / "x.parquet", {"image": structs(range(120)), "label": [f"image {i}" for i in range(120)]})
    assert found(name, cache)[0] == ("not-classes", "120")


def test_labels_outside_of_the_classes_named(tmp_path, cache):
    """-1 is how the Hub writes the label of an image without one."""
    columns = {"image": structs(range(4)), "label": [-1] * 4}
    pets(tmp_path / "train.parquet", 40)
    write(tmp_path / "test.parquet", columns, hugging_face_metadata(["cat", "dog"]))
    assert found(f"parquet:{tmp_path}", cache) == [("label-out-of-range", "-1")]
    assert "expected 0 to 1" in (said := refused(f"parquet:{tmp_path}", cache)[0]) and "data.leave_out: test" in said


def test_a_class_of_test_that_train_lacks(tmp_path, cache):
    write(tmp_path / "train.parquet", {"image": structs(range(10)), "label": ["a", "b"] * 5})
    write(tmp_path / "test.parquet", {"image": structs(range(4)), "label": ["a", "c"] * 2})
    assert found(f"parquet:{tmp_path}", cache) == [("unknown-class", "c")]


def test_images_that_cannot_be_read_are_named_by_their_row(tmp_path, cache):
    images = [encoded(i) for i in range(40)]
    images[9], images[17] = b"no image", None
    name = write(tmp_path / "x.parquet", {"image": images, "label": [i % 2 for i in range(40)]})
    (sentence,) = refused(name, cache)
    assert "2 of 40 images cannot be read" in sentence and "x.parquet[9] (" in sentence and "x.parquet[17]" in sentence
    assert len(read(name, cache, on_bad="drop").dropped) == 2


def test_a_path_in_a_row_is_not_opened(tmp_path, cache):
    """A table from elsewhere must not read this machine's files."""
    (tmp_path / "secret.png").write_bytes(encoded(0))
    rows = [{"bytes": encoded(i), "path": None} for i in range(19)] + [
        {"bytes": None, "path": str(tmp_path / "secret.png")}
    ]
    name = write(tmp_path / "x.parquet", {"image": pa.array(rows, STRUCT), "label": [0, 1] * 10})
    assert "1 of 20 images cannot be read" in refused(name, cache)[0]


def test_files_of_no_split_beside_others(tmp_path, cache):
    pets(tmp_path / "train.parquet")
    pets(tmp_path / "more.parquet")
    assert found(f"parquet:{tmp_path}", cache) == [("no-split", "more.parquet")]
    (tmp_path / "more.parquet").unlink()
    (tmp_path / "train.parquet").rename(tmp_path / "test.parquet")
    assert found(f"parquet:{tmp_path}", cache) == [("no-train-split", "test")]


@pytest.mark.parametrize(
    "name,split",
    [
        ("train-00000-of-00002.parquet", "train"),
        ("validation.parquet", "val"),
        ("test_1.parquet", "test"),
        ("pets_train.parquet", "train"),
        ("pets-test-00000-of-00001.parquet", "test"),
        ("test.pets.parquet", "test"),
        ("data_val_1.parquet", "val"),
        ("petsDev2.parquet", "val"),
        ("TEST.parquet", "test"),
        ("testset.parquet", "test"),
        ("contest.parquet", None),
        ("pets_test/0.parquet", "test"),
        ("split=test/part-0.parquet", "test"),
        ("test/latest.parquet", "test"),
        ("model=test/0.parquet", None),
        ("Test.parquet", "test"),
        ("trains.parquet", None),
        ("0000.parquet", None),
        ("latest.parquet", None),
    ],
)
def test_splits_by_the_names_of_files(name, split):
    assert split_of(name) == ({split} if split else set())


def test_splits_by_folders(tmp_path, cache):
    pets(tmp_path / "train" / "0.parquet", 20)
    pets(tmp_path / "test" / "0.parquet", 10, 20)
    assert len(read(f"parquet:{tmp_path}", cache).test) == 10


def test_files_that_are_no_parquet(tmp_path, cache):
    pets(tmp_path / "x.parquet")
    whole = (tmp_path / "x.parquet").read_bytes()
    for name, content in (("empty", b""), ("text", b"no table"), ("cut", whole[: len(whole) // 2])):
        (tmp_path / f"{name}.parquet").write_bytes(content)
        assert found(f"parquet:{tmp_path / name}.parquet", cache) == [("data-damaged", "")]
    damaged = bytearray(whole)
    damaged[40:4_000] = bytes(3_960)
    (tmp_path / "damaged.parquet").write_bytes(bytes(damaged))
    assert refused(f"parquet:{tmp_path / 'damaged'}.parquet", cache)
    assert found(f"parquet:{tmp_path / 'nowhere'}", cache) == [("no-such-data", "")]
    (tmp_path / "none").mkdir()
    assert found(f"parquet:{tmp_path / 'none'}", cache) == [("no-images", "")]


def test_the_fingerprint_is_of_content_and_names(tmp_path):
    pets(tmp_path / "a" / "train.parquet")
    pets(tmp_path / "b" / "train.parquet")
    assert (
        identify(f"parquet:{tmp_path / 'a'}", DataOptions()).key
        == identify(f"parquet:{tmp_path / 'b'}", DataOptions()).key
    )
    Path(tmp_path / "b" / "train.parquet").rename(tmp_path / "b" / "x.parquet")
    assert (
        identify(f"parquet:{tmp_path / 'a'}", DataOptions()).key
        != identify(f"parquet:{tmp_path / 'b'}", DataOptions()).key
    )


def test_columns_are_for_tables(tmp_path):
    with pytest.raises(UsageProblem, match="data.image does not apply to digits, only to parquet, hf; remove it"):
        identify("digits", DataOptions(image="x"))


def test_tables_of_other_formats_are_named(tmp_path, cache):
    (tmp_path / "x.feather").write_bytes(b"ARROW1\0\0")
    assert "has no .parquet files; it has 1 .feather; name" in refused(f"parquet:{tmp_path}", cache)[0]
    for file, kind in (("x.feather", "Feather or Arrow"), ("x.csv", "CSV"), ("x.jsonl", "JSON")):
        (tmp_path / file).touch()
        assert (
            f" is not a readable Parquet file: it is a {kind} file; convert"
            in refused(f"parquet:{tmp_path / file}", cache)[0]
        )


def test_images_as_text_are_told(tmp_path, cache):
    name = write(tmp_path / "x.parquet", {"image": ["iVBORw0KGgoAAA"] * 8, "label": [0, 1] * 4})
    assert ("images-as-text", "image") in found(name, cache)
