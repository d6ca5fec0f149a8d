"""Synthetic images as files: the same pixels, their origin in each file, and refused where they repeat real ones."""

import json
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.grids import small_grid
from PIL import Image
from safetensors.numpy import load as load_arrays

from synaug_ray import export
from synaug_ray.common.errors import UsageProblem
from synaug_ray.config.data_options import DataOptions
from synaug_ray.data.identify import identify
from synaug_ray.data.load import load
from synaug_ray.plan.plan import make_plan
from synaug_ray.runs import exporting
from synaug_ray.runs.status import read_run_status


@pytest.fixture(scope="module")
def run(small_run, tmp_path_factory):
    storage = tmp_path_factory.mktemp("export") / "s"
    shutil.copytree(small_run, storage, copy_function=os.link)
    return storage / "small"


@pytest.fixture(scope="module")
def pool(run):
    """Name, number of real images, images and labels of one pool, read from the Store directly."""
    status = read_run_status(str(run))
    row = next(r for r in status.plan.rows if r.cell.arm == "edm")
    shards = [
        load_arrays(status.store.read(status.store.record("shard", s.key), "images.safetensors"))
        for s in row.trial.pool.shards(row.trial.num_synthetic)
    ]
    name, n = row.cell.generator.name, row.cell.num_real
    return name, n, np.concatenate([s["images"] for s in shards]), np.concatenate([s["labels"] for s in shards])


def ask(capsys, *words):
    code = export.main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def words(run, pool, out, *more):
    return (run, "--generator", pool[0], "--num-real", pool[1], "--out", out, *more)


def test_a_folder_holds_the_pixels_and_every_file_says_what_it_is(run, pool, tmp_path, capsys):
    code, out, _ = ask(capsys, *words(run, pool, tmp_path / "x", "--num-synthetic", 20))
    assert code == 0 and "20 synthetic images" in out
    told = json.loads((tmp_path / "x" / "provenance.json").read_text())
    status = read_run_status(str(run))
    assert told["synthetic"] is True and told["generator_key"] in status.plan.generators
    assert told["source_fingerprint"] == status.plan.data.fingerprint and told["copy_check"] == "not made"
    files = sorted((tmp_path / "x" / "images").rglob("*.png"), key=lambda f: f.name)
    assert len(files) == 20
    for i, file in enumerate(files):
        image = Image.open(file)
        assert np.array_equal(np.asarray(image), pool[2][i, 0])
        assert image.text["synthetic"] == "true" and image.text["generator_key"] == told["generator_key"]
        assert image.text["source_fingerprint"] == told["source_fingerprint"]
        assert file.parent.name == image.text["label"] == str(pool[3][i])


ABOUT = dict.fromkeys(
    ("synthetic", "digital_source_type", "made_by", "generator", "generator_key", "source_fingerprint"), "x"
)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["folder", "npz", "parquet"])
def test_what_is_written_can_be_read_as_a_data_set(tmp_path, kind, channels):
    images = np.random.default_rng(0).integers(0, 256, (120, channels, 8, 8), dtype=np.uint8)
    labels, classes = np.arange(120) % 4, ("benign", "a/b", "a_b", "ünter")  # two names that are one folder's
    write = {"folder": exporting._folder, "npz": exporting._npz, "parquet": exporting._parquet}[kind]
    write(tmp_path, images, labels, classes, ABOUT)
    source = {"folder": "folder:{}/images", "npz": "npz:{}/synthetic.npz", "parquet": "parquet:{}/synthetic.parquet"}
    options = DataOptions(holdout=0.2)
    read = load(identify(source[kind].format(tmp_path), options, cache=tmp_path / "cache"), tmp_path / "cache")
    parts = (read.train, read.val, read.test)
    assert sum(map(len, parts)) == 120 and read.num_classes == 4
    found = {image.tobytes() for part in parts for image in part.images}
    assert found == {image.tobytes() for image in images}
    by_class = {frozenset(i.tobytes() for p in parts for i in p.images[p.labels == k]) for k in range(4)}
    assert by_class == {frozenset(i.tobytes() for i in images[labels == k]) for k in range(4)}


def test_npz_and_parquet_carry_their_origin(run, pool, tmp_path, capsys):
    for kind in ("npz", "parquet"):
        assert ask(capsys, *words(run, pool, tmp_path / kind, "--format", kind))[0] == 0
    inside = json.loads(str(np.load(tmp_path / "npz" / "synthetic.npz")["provenance"]))
    table = pq.read_table(tmp_path / "parquet" / "synthetic.parquet")
    meta = table.schema.metadata
    assert inside == json.loads(meta[b"provenance"]) and inside["synthetic"] is True and meta[b"synthetic"] == b"true"
    assert set(table["synthetic"].to_pylist()) == {True}


@pytest.mark.parametrize(
    ("near", "usual", "flags", "refused"),
    [
        ((0.4, 0.3, 0.5), (0.01, 0.0, 0.02), [{"word": "copies", "sentence": "40% are near-copies."}], True),
        ((0.06, 0.04, 0.08), (0.01, 0.0, 0.02), [{"word": "ok", "sentence": "fine"}], True),  # told as "do not share"
        ((0.02, 0.01, 0.05), (0.01, 0.0, 0.02), [{"word": "unreal", "sentence": "far"}], False),
    ],
)
def test_near_copies_are_refused_until_the_check_was_read(near, usual, flags, refused):
    from synaug_ray.runs.exporting import Chosen, _copies, refuse_copies

    def interval(value, low, high):
        return {"value": value, "low": low, "high": high}

    check = {"flags": flags, "memorization": {"near_copies": interval(*near), "base_rate": interval(*usual)}}
    chosen = Chosen(None, 10, (), _copies(check), True)
    refuse_copies(chosen, read=True)
    if not refused:
        refuse_copies(chosen, read=False)
        return
    with pytest.raises(export.Problem, match="--i-have-read-the-copy-check") as caught:
        refuse_copies(chosen, read=False)
    assert caught.value.exit_code == 3


def test_the_command_refuses_them_and_writes_nothing(run, pool, tmp_path, capsys):
    rows = [[pool[0], pool[1], "copies", "40.0%"]]
    table = {"columns": ["generator", "real images seen", "found", "near-copies"], "rows": rows}
    (run / "quality.json").unlink(missing_ok=True)
    (run / "quality.json").write_text(json.dumps(table))
    code, _, err = ask(capsys, *words(run, pool, tmp_path / "x"))
    assert code == 3 and "40.0% of the images are near-copies" in err and not (tmp_path / "x").exists()
    code, _, err = ask(capsys, *words(run, pool, tmp_path / "x", "--i-have-read-the-copy-check"))
    assert code == 0 and "near-copies" in json.loads((tmp_path / "x" / "provenance.json").read_text())["copy_check"]


def test_a_control_of_real_images_is_no_generator(run, tmp_path, capsys):
    code, _, err = ask(capsys, run, "--generator", "duplicate", "--num-real", 20, "--out", tmp_path / "x")
    assert code == 2 and "holds real ones" in err and not (tmp_path / "x").exists()


def test_the_generator_comes_with_its_card(run, pool, tmp_path, capsys):
    assert ask(capsys, *words(run, pool, tmp_path / "x", "--i-have-read-the-copy-check"))[0] == 0
    card = (tmp_path / "x" / "generator" / "README.md").read_text()
    assert "## Memorisation" in card and list((tmp_path / "x" / "generator").rglob("*.safetensors"))


def test_mistakes_are_said_with_what_there_is(run, pool, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("kept")
    known = ("--i-have-read-the-copy-check",)  # another test's quality.json may tell of copies
    for asked, code, said in [
        (
            (run, "--generator", pool[0][:-1], "--num-real", 20, "--out", tmp_path / "x"),
            2,
            f"Did you mean '{pool[0]}'?",
        ),
        ((run, "--generator", pool[0], "--num-real", 21, "--out", tmp_path / "x"), 2, "only for 20"),
        (words(run, pool, tmp_path / "x", "--draw", 9), 2, "there is no draw 9; this run has draws 0 to 1"),
        (words(run, pool, tmp_path / "full", *known), 2, "is not an empty folder"),
        (words(run, pool, tmp_path / "x", "--format", "zip"), 2, "invalid choice"),
        (words(run, pool, tmp_path / "x", "--num-synthetic", 0), 2, "is not an integer >= 1"),
        (words(tmp_path / "nowhere", pool, tmp_path / "x"), 2, "nowhere"),
        (words(run, pool, "s3://bucket/x", *known), 2, "give a folder of this machine"),
        (words(run, pool, tmp_path / ("x" * 300), *known), 5, "cannot be opened (File name too long)"),
    ]:
        found, _, err = ask(capsys, *asked)
        assert found == code and said in err and "Traceback" not in err, (asked, err)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "generator",
    [
        {"preset": "jitter", "of": "held-out"},
        {"preset": "edm-tiny", "guide": {"strength": 0.2, "of": "held-out"}},
        {"preset": "label-shuffle", "share": 0.3},
    ],
    ids=str,
)
def test_held_out_images_are_not_exported_however_they_are_changed(digits_identity, generator):
    plan = make_plan(small_grid(generators=[generator], blocks=[]), digits_identity)
    with pytest.raises(UsageProblem) as refused:
        exporting.choose(SimpleNamespace(plan=plan), generator["preset"], 20, 0)
    assert [m.code for m in refused.value.messages] == ["no-synthetic-images"]
