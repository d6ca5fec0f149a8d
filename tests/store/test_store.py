"""The Store: done if and only if the Record stands, whatever happens on the way; on disk and on a URL."""

import json
import os
import uuid
from dataclasses import replace

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from synaug_ray.common.errors import StorageProblem
from synaug_ray.config.presets import CLASSIFIERS, GENERATORS, SAMPLERS
from synaug_ray.plan.plan import Plan, pending
from synaug_ray.plan.steps import GeneratorStep, Pool, TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset
from synaug_ray.store import backends
from synaug_ray.store import store as store_module
from synaug_ray.store.store import CorruptPayload, Store

SUBSET = Subset(DataIdentity("digits", "fp"), 40, 1)
GENERATOR = GeneratorStep(SUBSET, GENERATORS["edm-tiny"])
POOL = Pool(GENERATOR, SAMPLERS["dpmpp-8"])
SHARD = POOL.shard(0)
TRIAL = TrialStep(SUBSET, POOL, 80, "mixed", 0.5, CLASSIFIERS["mlp"], 1)
PAYLOAD = {"a.safetensors": b"A" * 1_000, "b.json": b"{}", "c.npy": bytes(range(256))}
MADE = {"host": "here"}


def files(store):
    """Every file below the store, by its path within."""
    found = store.fs.find(store.root) if store.fs.exists(store.root) else []
    return sorted(str(f).removeprefix(store.root).lstrip("/") for f in found)


def payload_path(store, record, name):
    return f"{store.root}/payload/{record.stage}/{record.key}/{record.attempt}/{name}"


def test_what_is_committed_is_read_back(store):
    assert not store.has(GENERATOR) and store.keys("generator") == set()
    made = store.commit(GENERATOR, {"loss": 0.5}, PAYLOAD, MADE)
    assert store.has(GENERATOR) and store.keys("generator") == {GENERATOR.key} and store.keys("shard") == set()
    record = store.record("generator", GENERATOR.key)
    assert record == made
    assert record.result == {"loss": 0.5} and record.fields == GENERATOR.fields() and record.made == MADE
    assert {name: store.read(record, name) for name in PAYLOAD} == PAYLOAD
    assert record.files["a.safetensors"]["bytes"] == 1_000
    # sha256 of a thousand 'A's, from coreutils
    assert record.files["a.safetensors"]["sha256"] == "c2e686823489ced2017f6059b8b239318b6364f6dcd835d0a519105a1eadd6e4"


def test_a_record_that_does_not_stand(store):
    with pytest.raises(FileNotFoundError):
        store.record("trial", TRIAL.key)


def test_a_child_names_the_attempts_of_its_parents(store):
    generator = store.commit(GENERATOR, {}, {}, MADE)
    shard = store.commit(SHARD, {}, PAYLOAD, MADE)
    assert shard.parents == {GENERATOR.key: generator.attempt}
    assert store.commit(TRIAL, {}, {}, MADE).parents == {SHARD.key: shard.attempt}


def test_a_result_that_is_no_number_is_not_committed(store):
    with pytest.raises(ValueError):
        store.commit(GENERATOR, {"loss": float("nan")}, PAYLOAD, MADE)
    assert not store.has(GENERATOR)


@pytest.mark.parametrize("torn", [False, True], ids=["nothing written", "half written"])
@pytest.mark.parametrize("k", range(5))
def test_a_crash_at_any_write_leaves_no_half_step(store, monkeypatch, k, torn):
    """Four writes are a commit; killed at the k-th the step is not done, and a later commit is whole."""
    writes, real = [], backends.write_file

    def crashing(fs, path, data):
        writes.append(path)
        if len(writes) == k + 1:
            if torn:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(os.path.join(os.path.dirname(path), ".left.tmp"), "wb") as file:
                    file.write(data[: len(data) // 2])
            raise KeyboardInterrupt
        real(fs, path, data)

    monkeypatch.setattr(backends, "write_file", crashing)
    if torn and not store.local:
        pytest.skip("an object store has no half object")
    if k < 4:
        with pytest.raises(KeyboardInterrupt):
            store.commit(GENERATOR, {"loss": 1.0}, PAYLOAD, MADE)
        assert not store.has(GENERATOR) and store.keys("generator") == set()
    else:
        store.commit(GENERATOR, {"loss": 1.0}, PAYLOAD, MADE)
        assert len(writes) == 4 and "/records/" in writes[-1]  # the Record last
        assert not any("/records/" in path for path in writes[:-1])
    monkeypatch.setattr(backends, "write_file", real)
    again = store.commit(GENERATOR, {"loss": 2.0}, PAYLOAD, MADE)
    assert store.keys("generator") == {GENERATOR.key}
    assert {name: store.read(again, name) for name in PAYLOAD} == PAYLOAD


@pytest.mark.parametrize("name", ["write", "fsync", "replace"])
def test_a_failed_write_leaves_neither_the_file_nor_a_trace(disk, monkeypatch, name):
    """A full disk, say: the file that stood before stands, and no temporary one is left."""
    disk.save_scratch(GENERATOR, "state", b"old")

    def full(*args):
        raise OSError(28, "No space left on device")

    if name == "write":
        monkeypatch.setattr("builtins.open", full)
    else:
        monkeypatch.setattr(os, name, full)
    with pytest.raises(StorageProblem, match=r"cannot write .*/scratch/.*/state \(No space left on device; .* free"):
        disk.save_scratch(GENERATOR, "state", b"new")
    monkeypatch.undo()
    assert disk.load_scratch(GENERATOR, "state") == b"old"
    assert files(disk) == [f"scratch/generator/{GENERATOR.key}/state"]


@pytest.mark.parametrize("harm", ["truncated", "flipped", "gone", "longer"])
def test_a_payload_that_differs_is_found_and_its_step_is_pending_again(store, harm):
    plan = Plan(SUBSET.data, {GENERATOR.key: GENERATOR}, {SHARD.key: SHARD}, {TRIAL.key: TRIAL})
    store.commit(GENERATOR, {}, {}, MADE)
    record = store.commit(SHARD, {}, PAYLOAD, MADE)
    assert set(pending(plan, store).shards) == set()
    path = payload_path(store, record, "a.safetensors")
    data = bytearray(PAYLOAD["a.safetensors"])
    if harm == "flipped":
        data[500] ^= 1
    if harm == "gone":
        store.fs.rm(path)
    else:
        store.fs.pipe_file(path, bytes(data[:-1] if harm == "truncated" else data + b"A" if harm == "longer" else data))
    with pytest.raises(CorruptPayload, match=f"a.safetensors of shard {SHARD.key} differs from its record"):
        store.read(record, "a.safetensors")
    assert not store.has(SHARD) and set(pending(plan, store).shards) == {SHARD.key}
    aside = f"{store.root}/records/shard/{SHARD.key}.{record.attempt}.corrupt"
    assert json.loads(store.fs.cat_file(aside))["key"] == SHARD.key
    again = store.commit(SHARD, {}, PAYLOAD, MADE)
    assert store.read(again, "a.safetensors") == PAYLOAD["a.safetensors"] and not pending(plan, store).shards


def test_two_readers_of_one_corrupt_payload(store):
    record = store.commit(GENERATOR, {}, PAYLOAD, MADE)
    store.fs.rm(payload_path(store, record, "b.json"))
    for _ in range(2):
        with pytest.raises(CorruptPayload):
            store.read(record, "b.json")
    assert not store.has(GENERATOR)


def test_a_corrupt_old_attempt_does_not_take_down_the_new_one(store):
    """A reader may hold a Record that another driver has replaced by now."""
    old = store.commit(GENERATOR, {}, PAYLOAD, MADE)
    store.fs.rm(f"{store.root}/records/generator/{GENERATOR.key}.json")
    new = store.commit(GENERATOR, {}, PAYLOAD, MADE)
    store.fs.rm(payload_path(store, old, "b.json"))
    with pytest.raises(CorruptPayload):
        store.read(old, "b.json")
    assert store.record("generator", GENERATOR.key) == new and store.has(GENERATOR)


def test_two_attempts_never_mix(store, monkeypatch):
    """A second driver commits the same step in the middle of the first one's commit: what came first stays."""
    real, entered = backends.write_file, []

    def interrupting(fs, path, data):
        real(fs, path, data)
        if path.endswith("a.safetensors") and not entered:
            entered.append(True)
            store.commit(GENERATOR, {"by": "second"}, {n: b"2" + d for n, d in PAYLOAD.items()}, MADE)

    monkeypatch.setattr(backends, "write_file", interrupting)
    first = store.commit(GENERATOR, {"by": "first"}, {n: b"1" + d for n, d in PAYLOAD.items()}, MADE)
    record = store.record("generator", GENERATOR.key)
    assert record == first and record.result == {"by": "second"}
    assert {n: store.read(record, n) for n in PAYLOAD} == {n: b"2" + d for n, d in PAYLOAD.items()}
    assert {f.split("/")[3] for f in files(store) if f.startswith("payload/")} == {record.attempt}


def test_only_what_the_layout_names_is_on_disk(store):
    store.fail(GENERATOR, "bug", "", "")
    store.save_scratch(SHARD, "state.safetensors", b"x")
    record = store.commit(GENERATOR, {}, PAYLOAD, MADE)
    assert files(store) == sorted(
        [
            *(f"payload/generator/{GENERATOR.key}/{record.attempt}/{name}" for name in PAYLOAD),
            f"records/generator/{GENERATOR.key}.json",
            f"scratch/shard/{SHARD.key}/state.safetensors",
        ]
    )


def test_records_and_failures_are_json_and_never_pickle(store):
    store.commit(GENERATOR, {"x": 1}, {}, MADE)
    store.fail(SHARD, "bug", "m", "t")
    for path in files(store):
        assert path.endswith(".json")
        assert isinstance(json.loads(store.fs.cat_file(f"{store.root}/{path}")), dict)


def test_strangers_in_a_folder_are_no_keys(disk):
    disk.commit(GENERATOR, {}, {}, MADE)
    folder = f"{disk.root}/records/generator"
    for name in (".abc.tmp", "x.corrupt", "notes.txt"):
        with open(f"{folder}/{name}", "w") as file:
            file.write("{}")
    assert disk.keys("generator") == {GENERATOR.key}


def test_writable(store):
    store.check_writable()
    assert files(store) == []  # the marker is gone


def test_a_storage_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = Store(str(tmp_path / "file" / "store"))
    with pytest.raises(StorageProblem, match=r"cannot write to .*/file/store \(Not a directory\); set --storage"):
        store.check_writable()
    assert store.keys("trial") == set()  # a dry run asks, and is answered


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir(mode=0o555)
    with pytest.raises(StorageProblem, match="Permission denied"):
        Store(str(folder)).check_writable()


def test_a_url_that_nobody_serves():
    with pytest.raises(StorageProblem, match="storage nosuch://x"):
        Store("nosuch://x")


class Remembering(MemoryFileSystem):
    """A remote file system as s3fs is one: it answers a second listing from memory."""

    protocol = "remembering"
    cachable = False

    def ls(self, path, detail=True, **kwargs):
        found = self.dircache.get(path) if path in self.dircache else None
        if found is None:
            found = super().ls(path, detail=True, **kwargs)
            self.dircache[path] = found
        return found if detail else [f["name"] for f in found]


def test_what_another_process_commits_is_seen():
    """Readiness is that the Record stands: no listing may be remembered."""
    fsspec.register_implementation("remembering", Remembering, clobber=True)
    url = f"remembering:///{uuid.uuid4().hex}"
    here, there = Store(url), Store(url)
    assert here.fs is not there.fs
    there.commit(GENERATOR, {}, {}, MADE)
    assert here.keys("generator") == {GENERATOR.key}
    other = replace(GENERATOR, subset=replace(SUBSET, draw=2))
    there.commit(other, {}, {}, MADE)
    assert here.keys("generator") == {GENERATOR.key, other.key}


def test_times_are_utc():
    assert store_module.now().endswith("+00:00")
