"""The command: what it prints and keeps, and how it refuses."""

import json

import numpy as np
import pytest
from helpers.image_files import image_folder

from synaug_ray.audit import data_options, main
from synaug_ray.common.errors import DATA, DONE, STORAGE, USAGE, UsageProblem
from synaug_ray.config.data_options import DataOptions


def run(capsys, *words):
    code = main([*map(str, words)])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, said.out, said.err.splitlines()


def npz(path, train=120, test=60):
    rng = np.random.default_rng(0)
    images = {s: rng.integers(0, 256, (n, 12, 12), dtype=np.uint8) for s, n in (("train", train), ("test", test))}
    images["test"][:3] = images["train"][:3]
    labels = {s: (np.arange(len(x)) % 2).astype(np.uint8) for s, x in images.items()}
    np.savez(path, **{f"{s}_images": x for s, x in images.items()}, **{f"{s}_labels": y for s, y in labels.items()})
    return f"npz:{path}"


def test_findings_are_printed_and_kept(tmp_path, capsys):
    source = npz(tmp_path / "set.npz")
    code, out, errors = run(capsys, source, "--data", tmp_path / "cache", "--json", tmp_path / "audit.json")
    assert code == DONE  # warnings are no failure
    assert "WARNING  test images in train" in out and not [line for line in errors if line.startswith("error")]
    kept = json.loads((tmp_path / "audit.json").read_text())
    assert kept["source"] == source and kept["numbers"]["duplicates"]["test in train"]["exact"] >= 3
    assert kept["options"]["size"] is None and kept["read_seconds"] >= 0


def test_options_with_and_without_their_first_word(tmp_path, capsys):
    assert data_options(["size=16", "data.mode=gray"]) == DataOptions(size=16, mode="gray")
    assert data_options([]) == DataOptions()
    code, out, _ = run(capsys, npz(tmp_path / "set.npz"), "data.size=8", "--data", tmp_path / "cache")
    assert code == DONE and "8 x 8 pixels" in out


def test_everything_wrong_is_said_at_once(tmp_path, capsys):
    code, _, errors = run(capsys, "digits", "sze=3", "size=-2", "nonsense", "--json", tmp_path / "no" / "x.json")
    assert code == USAGE and len(errors) == 4 and all(line.startswith("error: ") for line in errors)
    said = "\n".join(errors)
    for words in ("Did you mean 'size'", "data.size: input should be", "'nonsense' is not an override", "--json"):
        assert words in said


@pytest.mark.parametrize("typed", ["sizee=28", "data.sizee=28", "size=-2", "mode=[", "size=0x10"])
def test_messages_quote_an_option_as_it_was_typed(capsys, typed):
    code, _, errors = run(capsys, "digits", typed)
    assert code == USAGE and f"override {typed!r}" in errors[0]
    assert typed.startswith("data.") or f"data.{typed}" not in errors[0]


def test_pairs_are_listed_by_name(tmp_path, capsys):
    source = npz(tmp_path / "set.npz")
    code, out, _ = run(capsys, source, "--data", tmp_path / "cache", "--json", tmp_path / "audit.json")
    assert code == DONE and "test_images[0] = train_images[" in " ".join(out.split())
    numbers = json.loads((tmp_path / "audit.json").read_text())["numbers"]
    pairs = numbers["duplicates"]["test in train"]["pairs"]
    assert {one for one, _ in pairs} >= {f"test_images[{i}]" for i in range(3)}
    assert {(one, other) for one, other in pairs} >= {(f"test_images[{i}]", f"train_images[{i}]") for i in range(3)}


@pytest.mark.parametrize(
    "words,code,said",
    [
        (["digitz"], USAGE, "Did you mean 'digits'"),
        (["npz:/nowhere/x.npz"], DATA, "/nowhere/x.npz"),
        (["folder:/nowhere"], DATA, "/nowhere"),
        ([], USAGE, "dataset"),
        (["digits", "--jsn", "x"], USAGE, "--help"),
    ],
)
def test_refusals(tmp_path, capsys, words, code, said):
    got, _, errors = run(capsys, *words, "--data", tmp_path)
    assert got == code and said in errors[0] and errors[0].startswith("error: ")


def test_a_path_is_no_data_set_until_one_says_what_it_is(tmp_path, capsys):
    code, _, errors = run(capsys, tmp_path)
    assert code == USAGE and errors == [
        f"error: {tmp_path} is a path; say what kind of source it is, for example folder:{tmp_path}"
    ]


@pytest.mark.parametrize("spelt", ["{}", "{}/", "folder:{}"])
def test_the_folder_of_a_run_is_no_data_set(tmp_path, capsys, spelt):
    run_folder = tmp_path / "runs" / "signs"
    run_folder.mkdir(parents=True)
    (run_folder / "grid.yaml").write_text("dataset: digits")
    (run_folder / "status.json").write_text('{"dataset": "npz:/d/my signs.npz"}')
    code, _, errors = run(capsys, spelt.format(run_folder))
    assert code == USAGE and "is the folder of a run" in errors[0] and "source it is" not in errors[0]
    assert f"{run_folder}/audit.json" in errors[0] and f"{run_folder}/report.html" in errors[0]
    assert errors[0].endswith("python -m synaug_ray.audit 'npz:/d/my signs.npz'")


def test_images_that_cannot_be_read(tmp_path, capsys):
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    code, _, errors = run(capsys, f"npz:{tmp_path / 'bad.npz'}", "--data", tmp_path / "cache")
    assert code == DATA and "bad.npz" in errors[0]


def test_where_the_json_cannot_go(tmp_path, capsys):
    code, out, errors = run(capsys, "digits", "--json", tmp_path)
    assert code == STORAGE and out == "" and "is a folder" in errors[0]


def test_an_option_is_a_usage_problem():
    with pytest.raises(UsageProblem, match="mode"):
        data_options(["mode=sepia"])


def test_what_the_reader_leaves_out_is_told_and_kept(tmp_path, capsys):
    """Half of a class in a format that is not read, and pictures beside the class folders: an audit of the rest alone
    would call the data sound."""
    folder = image_folder(tmp_path / "pets", {"a": 12, "b": 12})
    for i in range(3):
        (tmp_path / "pets" / "b" / f"{i}.gif").write_bytes(b"GIF89a")
        (tmp_path / "pets" / f"stray{i}.png").write_bytes((tmp_path / "pets" / "a" / "000.png").read_bytes())
    for _ in range(2):  # the second time from the arrays that were kept
        code, out, _ = run(capsys, folder, "--data", tmp_path / "cache", "--json", tmp_path / "audit.json")
        said = " ".join(out.split())
        assert (
            code == DONE
            and "3 files are not read as images: 3 .gif" in said
            and "3 images are outside any class" in said
        )
        kept = json.loads((tmp_path / "audit.json").read_text())
        assert [note.split(":")[0] for note in kept["numbers"]["notes"]][:2] == [
            "3 files are not read as images",
            "3 images are outside any class folder and are left out",
        ]
        assert [row["value"] for row in kept["rows"] if row["what"] == "while reading"][:2] == ["3 files", "3 images"]
