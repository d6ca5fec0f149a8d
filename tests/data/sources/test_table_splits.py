"""Which rows of tables are train, val and test: by the words of names, by folders, by a column; else it is said."""

import json

import pyarrow.parquet as pq
import pytest
from helpers.image_files import HELD_OUT, found, read, refused

from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.decoding.fingerprint import fingerprint
from synaug_ray.data.identify import identify
from tests.data.sources.test_parquet import hugging_face_metadata, pets, structs, write
from tests.data.sources.test_table_labels import CATS_DOGS, animals, truly


@pytest.mark.parametrize(
    "names",
    [
        ("pets_train.parquet", "pets_test.parquet"),
        ("pets-train-00000-of-00001.parquet", "pets-test-00000-of-00001.parquet"),
        ("train.pets.parquet", "test.pets.parquet"),
        ("PETS TRAINING (1).parquet", "PETS TESTING (1).parquet"),
        ("trainData.parquet", "testData.parquet"),
        ("x_train/0.parquet", "x_test/0.parquet"),
        ("data/split=train/contest.parquet", "data/split=test/contest.parquet"),
        ("pets_train.parquet/part-0.parquet", "pets_test.parquet/part-0.parquet"),  # as Spark writes
    ],
)
def test_a_word_anywhere_in_a_name_tells_the_split(tmp_path, cache, names):
    for i, name in enumerate(names):
        pets(tmp_path / name, (40, 10)[i], 40 * i)
    data = read(f"parquet:{tmp_path}", cache)
    assert [len(part) for part in (data.train, data.val, data.test)] == [36, 4, 10]
    assert data.notes[0] == f"the splits are taken from the file names (train: {names[0]}; test: {names[1]})"


@pytest.mark.parametrize(
    "names,code,value",
    [
        (("train.parquet", "eval.parquet"), "unclear-split", "eval.parquet"),
        (("train.parquet", "hold_out.parquet"), "unclear-split", "hold_out.parquet"),
        (("train.parquet", "train_test.parquet"), "several-splits", "train_test.parquet"),
        (("train.parquet", "test/train-1.parquet"), "several-splits", "test/train-1.parquet"),
        (("train.parquet", "latest.parquet"), "no-split", "latest.parquet"),
        (("pets_val.parquet", "pets_test.parquet"), "no-train-split", "test, val"),
    ],
)
def test_names_that_are_ambiguous_are_refused(tmp_path, cache, names, code, value):
    for i, name in enumerate(names):
        pets(tmp_path / name, 20, 20 * i)
    assert found(f"parquet:{tmp_path}", cache) == [(code, value)]


def test_a_part_of_a_longer_word_tells_nothing(tmp_path, cache):
    for i, name in enumerate(("contest", "latest")):
        pets(tmp_path / f"{name}.parquet", 20, 20 * i)
    data = read(f"parquet:{tmp_path}", cache)
    assert data.notes[0].startswith("2 files are read as one set") and data.notes[-2:] == HELD_OUT
    assert sum(map(len, (data.train, data.val, data.test))) == 40


def test_a_file_that_is_named_by_itself_is_a_whole_set(tmp_path, cache):
    data = read(pets(tmp_path / "ab_test.parquet", 40), cache)
    assert data.notes[0].startswith("ab_test.parquet is read as a whole set")
    assert len(data.test) == 8


def test_a_column_of_splits_in_a_file_named_train(tmp_path, cache):
    """The file named by itself goes by its column; among files that are named by split the two must agree."""
    split = ["train"] * 30 + ["test"] * 10
    assert len(read(pets(tmp_path / "one" / "train.parquet", 40, split=split), cache).test) == 10
    pets(tmp_path / "one" / "test.parquet", 10, 40, split=["test"] * 10)
    assert found(f"parquet:{tmp_path / 'one'}", cache) == [("split-contradiction", "test, train")]
    pets(tmp_path / "two" / "train.parquet", 40, split=["balanced"] * 40)
    pets(tmp_path / "two" / "test.parquet", 10, 40, split=["balanced"] * 10)
    assert len(read(f"parquet:{tmp_path / 'two'}", cache).test) == 10


@pytest.mark.parametrize("column,values", [("subset", ("train", "test")), ("Usage", ("Training", "PublicTest"))])
def test_a_column_that_tells_the_splits_by_another_name(tmp_path, cache, column, values):
    name = pets(tmp_path / "x.parquet", 40, **{column: [values[i % 4 == 0] for i in range(40)]})
    assert found(name, cache) == [("unnamed-split-column", column)]
    assert f"column {column} holds {', '.join(sorted(values))}" in refused(name, cache)[0]


def test_classes_in_the_names_of_folders(tmp_path, cache):
    """Hive's layout, as pyarrow.dataset, Spark and DuckDB write it: the files lack the column."""
    for split, count in (("train", 20), ("test", 5)):
        for name in ("cat", "dog"):
            animals(tmp_path / f"split={split}" / f"label={name}" / "0.parquet", [name] * count, [0] * count)
            whole = pq.read_table(tmp_path / f"split={split}" / f"label={name}" / "0.parquet", partitioning=None)
            pq.write_table(whole.select(["image"]), tmp_path / f"split={split}" / f"label={name}" / "0.parquet")
    data = truly(read(f"parquet:{tmp_path}", cache))
    assert data.classes == ("cat", "dog") and len(data.test) == 10 and len(data.train) == 36


def test_folders_of_numbers_are_numbers_and_of_patients_groups(tmp_path, cache):
    for i in range(20):
        folder = tmp_path / f"label={(2, 10)[i % 2]}" / f"patient=p%2F{i}"
        write(folder / "0.parquet", {"image": structs(range(3 * i, 3 * i + 3))})
    data = read(f"parquet:{tmp_path}", cache, group="patient")
    assert data.classes == ("2", "10") and data.groups is not None
    assert len({*data.groups[0]} | {*data.groups[1]} | {*data.groups[2]}) == 20


# --- what was read before, and how ------------------------------------------------------------------------------


def identity(path, **options):
    return identify(f"parquet:{path}", DataOptions(**options)).fingerprint


def plain(path):
    files = {p.relative_to(path).as_posix(): p for p in sorted(path.rglob("*.parquet"))}
    return fingerprint(files, path, None)


@pytest.mark.parametrize(
    "files,same",
    [
        ({"train-0.parquet": {}, "test-0.parquet": {}}, True),
        ({"0.parquet": {}, "1.parquet": {}}, True),
        ({"train/0.parquet": {}, "test/0.parquet": {}}, True),
        ({"pets_train.parquet": {}}, True),  # one set, as it was
        ({"label=cat/0.parquet": {}, "fold=1/1.parquet": {}}, True),  # the files have the column themselves
        ({"pets_train.parquet": {}, "pets_test.parquet": {}}, False),
        ({"train.parquet": {"names": ["cat", "dog"]}, "test.parquet": {"names": ["dog", "cat"]}}, False),
        ({"train.parquet": {"names": ["cat", "dog"]}, "test.parquet": {"names": ["cat", "dog"]}}, True),
    ],
)
def test_results_of_data_that_are_read_as_before_stay_valid_and_no_others(tmp_path, files, same):
    for name, given in files.items():
        write(
            tmp_path / name,
            {"image": structs(range(4)), "label": [0, 1, 0, 1]},
            hugging_face_metadata(given["names"]) if given else None,
        )
    assert (identity(tmp_path) == plain(tmp_path)) == same


def test_arrays_of_an_earlier_reading_are_looked_at_again(tmp_path, cache):
    """They are not decoded again, but what is refused now is refused, and what was not said is."""
    name = animals(tmp_path / "x.parquet", CATS_DOGS, CATS_DOGS)
    data = read(name, cache)
    (about,) = cache.glob("arrays/*/about.json")
    was = json.loads(about.read_text())
    older(about, was, notes=[])
    again = read(name, cache)
    assert again.notes == data.notes and (again.train.images == data.train.images).all()
    assert json.loads(about.read_text()) == was


def older(about, was, **facts):
    from synaug_ray.common.keys import content_key

    old = {k: v for k, v in was.items() if k not in ("reading", "key")} | facts
    about.write_text(json.dumps(old | {"key": content_key(old)}))


def test_a_lone_column_that_an_earlier_reading_took_is_refused_from_the_cache_too(tmp_path, cache, monkeypatch):
    from synaug_ray.data.sources import columns

    columns_of = {"image": structs(range(40)), "height": [8, 16] * 20}
    name = write(tmp_path / "x.parquet", columns_of)
    with monkeypatch.context() as before:
        before.setattr(columns, "_of_other_things", lambda name: False)
        assert read(name, cache).classes == ("8", "16")
    (about,) = cache.glob("arrays/*/about.json")
    older(about, json.loads(about.read_text()))
    assert "height may be something else" in refused(name, cache)[0]


@pytest.mark.parametrize(
    "names", [("a_trn", "a_tst"), ("part=train/0", "part=test/0"), ("Phase=Train/0", "Phase=Test/0")]
)
def test_shorter_words_and_folders_of_other_columns(tmp_path, cache, names):
    for i, name in enumerate(names):
        pets(tmp_path / f"{name}.PARQUET", (40, 10)[i], 40 * i)  # in capitals, as other systems write suffixes
    assert len(read(f"parquet:{tmp_path}", cache).test) == 10


@pytest.mark.parametrize(
    "column,values", [("data_split", ("train", "test")), ("is_valid", (True, False)), ("test", (0, 1))]
)
def test_a_column_that_seems_to_tell_the_splits(tmp_path, cache, column, values):
    name = pets(tmp_path / "x.parquet", 40, **{column: [values[i % 4 == 0] for i in range(40)]})
    assert found(name, cache) == [("unnamed-split-column", column)]


def test_a_column_of_results_of_a_test_tells_no_split(tmp_path, cache):
    assert len(read(pets(tmp_path / "x.parquet", 40, covid_test=[0, 1] * 20), cache).test) == 8
