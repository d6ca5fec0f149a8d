"""What a table's labels mean: by name, file by file; which column they are; and no label where there is none.

Cats are dark and dogs are bright, birds in between, so that every image tells its class.
"""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.image_files import counts, found, read, refusal, refused
from PIL import Image

from tests.data.sources.test_parquet import STRUCT, hugging_face_metadata, write

GREY = {"cat": 30, "bird": 110, "dog": 200}


def image(name, number):
    buffer = io.BytesIO()
    grey = np.random.default_rng(number).integers(-6, 7, (8, 8)) + GREY[name]
    Image.fromarray(grey.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def animals(path, names, labels, listed=None, start=0, **more):
    """Images of ``names``; ``labels`` is what the file calls each, ``listed`` the names of numbers in its metadata."""
    images = pa.array([{"bytes": image(n, start + i), "path": None} for i, n in enumerate(names)], STRUCT)
    columns = {"image": images, "label": labels} | more
    return write(path, columns, None if listed is None else hugging_face_metadata(listed))


def truly(data):
    """Every image of every split is of the class that its brightness shows."""
    for part in (data.train, data.val, data.test):
        for pixels, label in zip(part.images, part.labels, strict=True):
            assert abs(float(pixels.mean()) - GREY[data.classes[label]]) < 20
    return data


def coded(names, listed):
    return [listed.index(n) for n in names]


CATS_DOGS = ["cat", "dog"] * 20


@pytest.mark.parametrize(
    "trained,tested,classes",
    [
        (["cat", "dog"], ["dog", "cat"], ("cat", "dog")),
        (["bird", "cat", "dog"], ["cat", "dog"], ("bird", "cat", "dog")),
        (["dog", "cat"], ["cat", "bird", "dog"], ("dog", "cat")),
    ],
)
def test_classes_are_matched_by_name_and_not_by_number(tmp_path, cache, trained, tested, classes):
    """Each split encoded by itself, as class lists come from a sorted folder listing."""
    names = CATS_DOGS + (["bird"] * 20 if "bird" in trained else [])
    animals(tmp_path / "train.parquet", names, coded(names, trained), trained)
    animals(tmp_path / "test.parquet", CATS_DOGS, coded(CATS_DOGS, tested), tested, 100)
    data = truly(read(f"parquet:{tmp_path}", cache))
    assert data.classes == classes and len(data.test) == 40
    assert any("files list their classes differently; they are matched by name" in note for note in data.notes)


def test_training_files_that_name_their_classes_differently(tmp_path, cache):
    for i, listed in enumerate((["cat", "dog"], ["dog", "bird", "cat"])):
        names = [listed[k % len(listed)] for k in range(30)]
        animals(tmp_path / f"part{i}.parquet", names, coded(names, listed), listed, 100 * i)
    data = truly(read(f"parquet:{tmp_path}", cache))
    assert data.classes == ("cat", "dog", "bird") and sum(counts(data)[0]) == 43


def test_numbers_with_names_beside_names(tmp_path, cache):
    animals(tmp_path / "train.parquet", CATS_DOGS, coded(CATS_DOGS, ["dog", "cat"]), ["dog", "cat"])
    animals(tmp_path / "test.parquet", CATS_DOGS, pa.array(CATS_DOGS).dictionary_encode(), None, 100)
    assert truly(read(f"parquet:{tmp_path}", cache)).classes == ("dog", "cat")


def test_dictionaries_of_other_orders_and_integers_of_other_widths_are_alike(tmp_path, cache):
    """pandas writes each file's categories in an order of its own."""
    for i, order in enumerate((["cat", "dog"], ["dog", "bird", "cat"])):
        column = pa.DictionaryArray.from_arrays(pa.array(coded(CATS_DOGS, order), pa.int8()), pa.array(order))
        animals(tmp_path / "words" / f"{('train', 'test')[i]}.parquet", CATS_DOGS, column, None, 100 * i)
        numbers = pa.array([n == "dog" for n in CATS_DOGS]).cast((pa.int32(), pa.int64())[i])
        animals(tmp_path / "numbers" / f"{('train', 'test')[i]}.parquet", CATS_DOGS, numbers, None, 100 * i)
    assert truly(read(f"parquet:{tmp_path / 'words'}", cache)).classes == ("cat", "dog")
    data = read(f"parquet:{tmp_path / 'numbers'}", cache)
    assert data.classes == ("0", "1") and all(data.test.images[data.test.labels == 0].mean((1, 2, 3)) < 100)


@pytest.mark.parametrize(
    "other,listed,said",
    [
        (["0", "1"] * 20, None, "string in train-1.parquet"),
        ([0.0, float("nan")] * 20, None, "double in train-1.parquet"),
        ([False, True] * 20, None, "bool in train-1.parquet"),
        ([[0], [1]] * 20, None, "list<element: int64> in train-1.parquet"),
        ([0, 1] * 20, ["cat", "dog"], "int64 with the class names cat, dog in train-1.parquet"),
    ],
)
def test_files_whose_labels_cannot_be_matched_are_named_with_what_they_hold(tmp_path, cache, other, listed, said):
    animals(tmp_path / "train-0.parquet", CATS_DOGS, [0, 1] * 20)
    animals(tmp_path / "train-1.parquet", CATS_DOGS, other, listed, 100)
    assert found(f"parquet:{tmp_path}", cache) == [("mixed-label-types", "")]
    assert f"column label is int64 in train-0.parquet and {said}" in refused(f"parquet:{tmp_path}", cache)[0]


def test_a_file_without_the_column(tmp_path, cache):
    animals(tmp_path / "train-0.parquet", CATS_DOGS, [0, 1] * 20)
    write(tmp_path / "train-1.parquet", {"image": pa.array([None] * 3, STRUCT)})
    assert found(f"parquet:{tmp_path}", cache) == [("no-such-column", "label")]
    assert refused(f"parquet:{tmp_path}", cache)[0].startswith("train-1.parquet ")


# --- which column -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "column",
    [
        "__index_level_0__",
        "height",
        "id",
        "image_id",
        "patient",
        "fold",
        "num_lesions",
        "is_train",
        "Unnamed: 0",
        "age",
    ],
)
def test_a_lone_column_of_something_else_is_no_label(tmp_path, cache, column):
    """It may be one all the same: then data.label says so."""
    columns = {"image": [image(n, i) for i, n in enumerate(CATS_DOGS)], column: [0, 1] * 20}
    name = write(tmp_path / "x.parquet", columns)
    assert found(name, cache) == [("no-label-column", "")]
    assert f"it has image (binary), {column} (int64)" in refused(name, cache)[0]
    assert read(name, cache, label=column).classes == ("0", "1")


def test_an_index_of_pandas_is_no_label(tmp_path, cache):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"image": [image(n, i) for i, n in enumerate(CATS_DOGS)]})
    frame.index = pandas.Index(CATS_DOGS, name="kind")
    frame.to_parquet(tmp_path / "index.parquet")
    assert "and kind may be something else" in refused(f"parquet:{tmp_path / 'index.parquet'}", cache)[0]
    frame["species"] = CATS_DOGS
    frame.to_parquet(tmp_path / "x.parquet")
    data = truly(read(f"parquet:{tmp_path / 'x.parquet'}", cache))
    assert data.notes[0] == f"the label is column species ({pa.large_string()}), the image column image"


@pytest.mark.parametrize(
    "columns,code,said",
    [
        ({"species": [0, 1], "ward": [0, 1]}, "ambiguous-column", "(species, ward); set data.label"),
        ({"label": [0, 1], "class": [1, 0]}, "ambiguous-column", "(label, class); set data.label"),
        ({"x": [0, 1], "y": [1, 0]}, "ambiguous-column", "(y, x); set data.label"),
        ({"label": [0.5, 1.0], "kind": [1, 0]}, "label-type", "column label is double"),
        ({"name": ["a", "b"] * 4 + ["c", "d"]}, "not-classes", "column name holds 4 different values in 10 rows"),
    ],
)
def test_what_is_ambiguous_is_refused(tmp_path, cache, columns, code, said):
    count = len(next(iter(columns.values())))
    name = write(tmp_path / "x.parquet", {"image": [image("cat", i) for i in range(count)]} | columns)
    assert any(message.code == code and said in message.text for message in refusal(name, cache))


def test_what_is_taken_is_always_said(tmp_path, cache):
    name = animals(tmp_path / "x.parquet", CATS_DOGS, CATS_DOGS, None, 0, kind=[0, 1] * 20, height=[8, 8] * 20)
    assert truly(read(name, cache)).notes[0] == (
        "the label is column label (string); other candidates: kind, the image column image"
    )


def test_views_are_read_as_what_they_show(tmp_path, cache):
    """DataFusion, deltalake and polars write them."""
    images = [image(n, i) for i, n in enumerate(CATS_DOGS)]
    struct = pa.StructArray.from_arrays(
        [pa.array(images, pa.binary_view()), pa.array(["x"] * 40, pa.string_view())], ["bytes", "path"]
    )
    for i, column in enumerate(
        (
            pa.array(images, pa.binary_view()),
            pa.array(images, pa.large_binary()),
            struct,
            pa.array(images).dictionary_encode(),
        )
    ):
        columns = {"image": column, "label": pa.array(CATS_DOGS, pa.string_view()), "height": [8, 9] * 20}
        pq.write_table(pa.table(columns), tmp_path / f"{i}.parquet")
        data = truly(read(f"parquet:{tmp_path / f'{i}.parquet'}", cache))
        assert data.classes == ("cat", "dog") and sum(map(sum, counts(data))) == 40
    several = {"image": images[:2], "label": pa.array([[0], [1]], pa.list_view(pa.int64()))}
    pq.write_table(pa.table(several), tmp_path / "several.parquet")
    assert "several labels per row (multi-label)" in refused(f"parquet:{tmp_path / 'several.parquet'}", cache)[0]


# --- images that are elsewhere ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "column,what",
    [
        (pa.array([{"bytes": None, "path": f"imgs/{i}.png"} for i in range(40)], STRUCT), "paths (imgs/0.png ...)"),
        ([f"imgs/{i}.JPG" for i in range(40)], "paths (imgs/0.JPG ...)"),
        ([f"https://example.org/{i}" for i in range(40)], "web addresses (https://example.org/0 ...)"),
        (pa.array([{"path": f"{i}.tif"} for i in range(40)]), "paths (0.tif ...)"),
        ([f"imgs/{i}.png".encode() for i in range(40)], "paths (imgs/0.png ...)"),
    ],
)
def test_rows_that_only_say_where_the_image_is(tmp_path, cache, column, what):
    messages = refusal(write(tmp_path / "x.parquet", {"image": column, "label": [0, 1] * 20}), cache)
    (text,) = [message.text for message in messages if message.code == "paths-instead-of-images"]
    assert f"column image holds only {what}, no images" in text


def test_a_row_without_bytes_among_others_is_named_with_its_path(tmp_path, cache):
    rows = [{"bytes": image("cat", i), "path": None} for i in range(39)] + [{"bytes": None, "path": "imgs/39.png"}]
    name = write(tmp_path / "x.parquet", {"image": pa.array(rows, STRUCT), "label": [0, 1] * 20})
    (sentence,) = refused(name, cache)
    assert "x.parquet[39] (no bytes, and its path imgs/39.png is not opened)" in sentence
    assert len(read(name, cache, on_bad="drop").dropped) == 1


# --- images without a label -------------------------------------------------------------------------------------

OUT = "set data.leave_out: test, and images of train are held out instead"


@pytest.mark.parametrize("names", [None, ["cat", "dog"]])
@pytest.mark.parametrize(
    "hidden", [pa.array([None] * 10, pa.int64()), pa.array([None] * 10), [-1] * 10, ["", " "] * 5, [None, ""] * 5]
)
def test_a_test_split_without_labels(tmp_path, cache, hidden, names):
    """The Hub's sets for competitions are such, and cannot be edited: the option is the way out."""
    listed = names if not isinstance(hidden, list) or hidden[0] == -1 else None
    words = listed is None and isinstance(hidden, list) and hidden[0] != -1
    animals(tmp_path / "train.parquet", CATS_DOGS, CATS_DOGS if words else [0, 1] * 20, listed)
    animals(tmp_path / "test.parquet", ["cat"] * 10, hidden, listed, 100)
    (sentence,) = refused(f"parquet:{tmp_path}", cache)
    assert sentence.startswith("test: column label ") and sentence.endswith(OUT)
    data = read(f"parquet:{tmp_path}", cache, leave_out=("test",))
    assert [len(part) for part in (data.train, data.val, data.test)] == [29, 3, 8]
    assert "the test split is left out (data.leave_out)" in data.notes


def test_some_rows_without_a_label(tmp_path, cache):
    animals(tmp_path / "train.parquet", CATS_DOGS, ["cat", "dog"] * 19 + ["cat", None])
    animals(tmp_path / "test.parquet", CATS_DOGS, ["cat", "dog"] * 19 + ["cat", ""], None, 100)
    assert found(f"parquet:{tmp_path}", cache) == [
        ("missing-labels", "train.parquet[39]"),
        ("missing-labels", "test.parquet[39]"),
    ]
    assert [OUT in said for said in refused(f"parquet:{tmp_path}", cache)] == [False, True]


def test_leaving_out_what_is_not_there(tmp_path, cache):
    animals(tmp_path / "train.parquet", CATS_DOGS, CATS_DOGS)
    assert found(f"parquet:{tmp_path}", cache, leave_out="val") == [("no-such-split", "val")]


def test_leaving_out_a_part_of_a_column_of_splits(tmp_path, cache):
    split = ["train"] * 30 + ["test"] * 10
    name = animals(tmp_path / "x.parquet", CATS_DOGS, CATS_DOGS[:30] + [""] * 10, None, 0, split=split)
    assert refused(name, cache)[0].endswith(OUT)
    assert len(truly(read(name, cache, leave_out="test")).test) == 6
    assert found(name, cache, leave_out=("test", "val")) == [("no-such-split", "val")]


# --- classes that are written in two ways -----------------------------------------------------------------------


def test_a_class_of_test_that_is_written_otherwise(tmp_path, cache):
    animals(tmp_path / "train.parquet", CATS_DOGS, CATS_DOGS)
    animals(tmp_path / "test.parquet", CATS_DOGS, ["Cat", "dog "] * 20, None, 100)
    assert found(f"parquet:{tmp_path}", cache) == [("unknown-class", "Cat, dog ")]
    assert "train has 'cat', 'dog'" in refused(f"parquet:{tmp_path}", cache)[0]


@pytest.mark.parametrize("none", ["nan", "None", -1])
def test_a_class_that_may_mean_no_label_is_noted(tmp_path, cache, none):
    """What pandas makes of missing labels as text; and -1 may be a class, as in {-1, 1}."""
    labels = [none, 1 if none == -1 else "dog"] * 20
    data = read(animals(tmp_path / "x.parquet", CATS_DOGS, labels), cache)
    assert any(f"label {none} in column label is read as a class" in note for note in data.notes)


@pytest.mark.parametrize("empty", [None, "", "nan", "None", " "])
def test_rows_without_a_group_are_no_group(tmp_path, cache, empty):
    """Else all of them would be one patient, and lie in one split."""
    source = animals(tmp_path / "x.parquet", CATS_DOGS, CATS_DOGS, patient=["a", "b", "c", empty] * 10)
    assert found(source, cache, group="patient") == [("empty-cells", "patient")]
    numbers = animals(tmp_path / "y.parquet", CATS_DOGS, CATS_DOGS, patient=[0.0, 1.0, 2.0, float("nan")] * 10)
    assert found(numbers, cache, group="patient") == [("empty-cells", "patient")]


def test_columns_of_one_name_are_refused(tmp_path, cache):
    table = pa.table(
        [[image("cat", i) for i in range(40)], CATS_DOGS, range(40), range(40)], ["image", "label", "id", "id"]
    )
    pq.write_table(table, tmp_path / "x.parquet")
    assert found(f"parquet:{tmp_path}/x.parquet", cache) == [("columns-alike", "id")]


def test_files_beside_the_tables_are_told(tmp_path, cache):
    animals(tmp_path / "x" / "all.parquet", CATS_DOGS, CATS_DOGS)
    (tmp_path / "x" / "test.csv").write_text("image,label\n")
    [note] = [n for n in read(f"parquet:{tmp_path}/x", cache).notes if "not read" in n]
    assert "1 other files are not read: test.csv" in note


def test_numbers_as_text_get_their_names_in_the_order_of_the_numbers(tmp_path, cache):
    """As text, "10" comes before "2"."""
    which = [("cat", "bird", "dog")[k % 3] for k in range(12)] * 5
    source = animals(tmp_path / "x.parquet", which, [str(k) for k in range(12)] * 5)
    data = read(source, cache, classes=[f"{('cat', 'bird', 'dog')[k % 3]} {k}" for k in range(12)])
    for pixels, label in zip(data.train.images, data.train.labels, strict=True):
        assert abs(float(pixels.mean()) - GREY[data.classes[label].split()[0]]) < 20


def test_a_split_without_labels_says_how_to_go_on(tmp_path, cache):
    animals(tmp_path / "x" / "train.parquet", CATS_DOGS, CATS_DOGS)
    write(tmp_path / "x" / "test.parquet", {"image": [image("cat", i) for i in range(9)]})
    assert "set data.leave_out: test" in refused(f"parquet:{tmp_path}/x", cache)[0]
