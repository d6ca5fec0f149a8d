"""The Hub's sets, from a folder that stands for the Hub; there is no network in these tests."""

import pyarrow as pa
import pytest
from helpers.image_files import HELD_OUT, counts, encoded, image_folder, read, refusal, refused

from synaug_ray.common.errors import DataProblem, ResourceProblem, UsageProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.identify import identify
from synaug_ray.data.sources import hugging_face
from tests.data.sources.test_parquet import STRUCT, hugging_face_metadata, pets, write
from tests.data.sources.test_table_labels import animals, coded, truly

datasets = pytest.importorskip("datasets", reason="the optional package datasets is not installed")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """``datasets`` itself, but for the place: hf:me/NAME is the folder NAME."""
    real = datasets.load_dataset

    def load_dataset(name, configuration, revision, cache_dir):
        assert revision == COMMIT
        return real(str(tmp_path / "hub" / name.partition("/")[2]), configuration, cache_dir=cache_dir)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    datasets.disable_progress_bars()
    return tmp_path / "hub"


def test_a_parquet_set(hub, cache):
    pets(hub / "pets" / "data" / "train-00000-of-00001.parquet", 40)
    pets(hub / "pets" / "data" / "test-00000-of-00001.parquet", 10, 40)
    data = read(f"hf:me/pets@{COMMIT}", cache)
    assert data.classes == ("cat", "dog") and data.name == "me/pets" and data.shape == (1, 8, 8)
    assert counts(data) == [[18, 18], [2, 2], [5, 5]]


def test_a_set_of_image_files(hub, cache):
    """Rows then name files in the cache of ``datasets``; labels are the folders' names."""
    image_folder(hub / "photos", {"a": 10, "b": 10}, ("train", "test"))
    assert counts(read(f"hf:me/photos@{COMMIT}", cache))[2] == [10, 10]


def test_a_script_is_not_run(hub, cache, tmp_path):
    (hub / "old").mkdir(parents=True)
    (hub / "old" / "old.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    (sentence,) = refused(f"hf:me/old@{COMMIT}", cache)
    assert sentence.startswith("hf:me/old uses a loading script, which datasets 4 and later do not run: convert it to ")
    assert not (tmp_path / "sprung").exists()


def test_several_configurations(hub, cache):
    pets(hub / "two" / "big" / "train.parquet", 40)
    pets(hub / "two" / "small" / "train.parquet", 20)
    (hub / "two" / "README.md").write_text(
        "---\nconfigs:\n"
        + "".join(f"- config_name: {c}\n  data_files: {c}/train.parquet\n" for c in ("big", "small"))
        + "---\n"
    )
    assert refused(f"hf:me/two@{COMMIT}", cache)[0].startswith(
        "hf:me/two has several configurations; name one as hf:me/two/CONFIGURATION ("
    )
    assert sum(map(sum, counts(read(f"hf:me/two/small@{COMMIT}", cache)))) == 20


def test_splits_of_no_use_are_noted(hub, cache):
    pets(hub / "more" / "data" / "train-0.parquet", 40)
    pets(hub / "more" / "data" / "unsupervised-0.parquet", 10)
    (hub / "more" / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        + "".join(f"  - split: {s}\n    path: data/{s}-0.parquet\n" for s in ("train", "unsupervised"))
        + "---\n"
    )
    assert read(f"hf:me/more@{COMMIT}", cache).notes == (
        "the split unsupervised is not used",
        "the label is column label (int64), the image column image",
        *HELD_OUT,
    )


def test_a_set_without_images(hub, cache):
    (hub / "text").mkdir(parents=True)
    (hub / "text" / "train.csv").write_text("text,label\nhello,0\nyou,1\n")
    assert "no column holds an image" in refused(f"hf:me/text@{COMMIT}", cache)[0]


def test_a_branch_is_looked_up_and_a_commit_is_not(monkeypatch):
    asked = []

    def commit(name, revision, where):
        asked.append((name, revision))
        return COMMIT

    monkeypatch.setattr(hugging_face, "_commit", commit)
    keys = {identify(f"hf:me/pets{at}", DataOptions()).key for at in ("", "@main", f"@{COMMIT}")}
    assert len(keys) == 1 and asked == [("me/pets", None), ("me/pets", "main")]
    assert identify(f"hf:me/pets/small@{COMMIT}", DataOptions()).key not in keys


def test_without_a_network(cache, monkeypatch):
    import huggingface_hub

    def offline(self, name, revision):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", offline)
    with pytest.raises(DataProblem) as caught:
        identify("hf:me/pets", DataOptions(), "g.yaml")
    assert str(caught.value).startswith("g.yaml: the Hugging Face Hub cannot resolve me/pets@main to a commit (Name ")
    assert "give the commit: hf:me/pets@<40 hexadecimal digits>" in str(caught.value)
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: (_ for _ in ()).throw(ConnectionError("no\nway")))
    (message,) = refusal(f"hf:me/pets@{COMMIT}", cache)
    assert message.code == "data-not-downloaded"
    assert f"hf:me/pets@{COMMIT} is not in {cache}/huggingface and could not be loaded (no way)" in message.text


@pytest.mark.parametrize("spec", ["pets", "me/", "me/pets/x/y", "me/pets@", "../pets", "me/..", "https://x/y", "a b/c"])
def test_names_that_are_none(spec):
    with pytest.raises(UsageProblem, match="is not a valid data set name; expected hf:OWNER/NAME"):
        identify(f"hf:{spec}", DataOptions())


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(hugging_face, "why_not_installed", lambda name: "which is not installed")
    with pytest.raises(ResourceProblem, match=r"install it with pip install 'synaug-ray\[hf\]'"):
        identify(f"hf:me/pets@{COMMIT}", DataOptions())


def test_a_damaged_image_is_named_by_its_row_and_files_outside_of_the_cache_are_not_opened(hub, cache, tmp_path):
    (tmp_path / "secret.png").write_bytes(encoded(0))
    rows = [{"bytes": encoded(i) if i != 7 else b"x", "path": None} for i in range(40)]
    rows[9] = {"bytes": None, "path": str(tmp_path / "secret.png")}
    write(
        hub / "bad" / "train.parquet",
        {"image": pa.array(rows, STRUCT), "label": [0, 1] * 20},
        hugging_face_metadata(["a", "b"]),
    )
    (sentence,) = refused(f"hf:me/bad@{COMMIT}", cache)
    assert "2 of 40" in sentence and "me/bad train[7] (not an image of a known format), me/bad train[9]" in sentence


def test_a_cache_that_fsspec_would_cut_in_two_is_refused(tmp_path):
    with pytest.raises(DataProblem, match="contains '::'"):
        hugging_face.load_splits("me/pets", None, COMMIT, tmp_path / "a::b")
    assert not list(tmp_path.iterdir())


def test_files_that_list_their_classes_differently(hub, cache):
    """``datasets`` gives the number of test's cat, 0, the name of train's first class, bird: a silent wrong answer."""
    bird, cat = ["bird", "cat", "dog"], ["cat", "dog"]
    snapshot = hub / "datasets--me--zoo" / "snapshots" / COMMIT
    for folder in (hub / "zoo", snapshot):
        animals(folder / "data" / "train-0.parquet", bird * 10, coded(bird * 10, bird), bird)
        animals(folder / "data" / "test-0.parquet", cat * 10, coded(cat * 10, cat), cat, 100)
    theirs = hugging_face.load_splits("me/zoo", None, COMMIT, cache)["test"]
    assert theirs.features["label"].names[theirs[0]["label"]] == "bird"
    (message,) = refusal(f"hf:me/zoo@{COMMIT}", cache)
    assert message.code == "class-names-differ" and f"parquet:{snapshot}" in message.text
    assert "(data/test-0.parquet: cat, dog; data/train-0.parquet: bird, cat, dog)" in message.text
    assert truly(read(f"parquet:{snapshot}", cache)).classes == ("bird", "cat", "dog")


def test_a_test_split_without_labels_is_left_out(hub, cache):
    """A set of the Hub cannot be edited."""
    pets(hub / "hidden" / "data" / "train-0.parquet", 40)
    columns = {"image": pa.array([{"bytes": encoded(i), "path": None} for i in range(9)], STRUCT), "label": [-1] * 9}
    write(hub / "hidden" / "data" / "test-0.parquet", columns, hugging_face_metadata(["cat", "dog"]))
    (sentence,) = refused(f"hf:me/hidden@{COMMIT}", cache)
    assert "set data.leave_out: test" in sentence
    assert counts(read(f"hf:me/hidden@{COMMIT}", cache, leave_out="test"))[2] == [4, 4]
