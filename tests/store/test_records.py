"""Records and failures: damaged ones, those of other fields or versions, attempts and scratch."""

import json
from dataclasses import replace

import pytest

from synaug_ray.common.errors import StorageProblem
from tests.store.test_store import GENERATOR, MADE, SUBSET, files


def test_has_compares_the_stored_fields_with_the_request(store):
    record = store.commit(GENERATOR, {}, {}, MADE)
    path = f"{store.root}/records/generator/{GENERATOR.key}.json"
    edited = json.loads(store.fs.cat_file(path))
    edited["fields"]["subset"]["num_real"] = 41
    del edited["sha256"]  # what a change of the code without one of `version` leaves: whole, and of other fields
    store.fs.pipe_file(path, json.dumps(edited).encode())
    with pytest.raises(StorageProblem, match=r"was made with other fields \(subset\); delete it"):
        store.has(GENERATOR)
    assert store.record("generator", GENERATOR.key) == replace(record, fields=edited["fields"])


@pytest.mark.parametrize("text", [b"", b'{"key":', b"[]", b"{}", b"\xff", "a digit", "another's"])
def test_a_damaged_record_is_set_aside_and_told_with_its_path(store, text, caplog):
    """A number with one digit changed is still JSON, and a whole record under another's name is one: neither counts."""
    store.commit(GENERATOR, {"loss": 0.25}, {}, MADE)
    path = f"{store.root}/records/generator/{GENERATOR.key}.json"
    if text == "a digit":
        text = store.fs.cat_file(path).replace(b"0.25", b"0.35")
    if text == "another's":
        store.commit(other := replace(GENERATOR, subset=replace(SUBSET, draw=2)), {}, {}, MADE)
        text = store.fs.cat_file(f"{store.root}/records/generator/{other.key}.json")
    store.fs.pipe_file(path, text)
    assert not store.has(GENERATOR) and GENERATOR.key not in store.keys("generator")
    assert list(store.records("generator", [GENERATOR.key])) == []
    (line,) = caplog.messages
    assert f"records/generator/{GENERATOR.key}.json was set aside" in line and "done again" in line
    assert store.fs.cat_file(path.replace(".json", ".damaged.corrupt")) == text
    store.commit(GENERATOR, {}, {}, MADE)
    assert store.has(GENERATOR)


def test_a_record_of_the_first_version_has_no_checksum_and_counts(store):
    record = store.commit(GENERATOR, {"loss": 0.5}, {}, MADE)
    path = f"{store.root}/records/generator/{GENERATOR.key}.json"
    values = json.loads(store.fs.cat_file(path))
    del values["sha256"]
    store.fs.pipe_file(path, json.dumps(values).encode())
    assert store.has(GENERATOR) and store.record("generator", GENERATOR.key) == record


@pytest.mark.parametrize("text", [b"", b'{"cause"', b"[1]", b'{"stage": "x"}', b"\xff"])
def test_a_damaged_failure_says_that_it_is_and_is_written_anew(store, text):
    """It decides nothing: the step is not done, and the next run tries it."""
    store.fail(GENERATOR, "bug", "m", "t")
    store.fs.pipe_file(f"{store.root}/failures/generator/{GENERATOR.key}.json", text)
    failure = store.failed("generator")[GENERATOR.key]
    assert failure.cause == "storage" and "can no longer be read" in failure.message
    assert store.fail(GENERATOR, "diverged", "nan", "", tries=2).attempts == 3
    assert store.failed("generator")[GENERATOR.key].message == "nan"


def test_failures_count_attempts_and_vanish_at_the_commit(store):
    assert store.failed("generator") == {}
    first = store.fail(GENERATOR, "diverged", "loss is NaN", "Traceback ...", "run1")
    assert first.attempts == 1 and not store.has(GENERATOR)
    store.fail(GENERATOR, "out of memory", "14 GB", "", "run2")
    failure = store.failed("generator")[GENERATOR.key]
    assert (failure.attempts, failure.cause, failure.message, failure.session) == (2, "out of memory", "14 GB", "run2")
    assert store.failed("trial") == {}
    store.commit(GENERATOR, {}, {}, MADE)
    assert store.failed("generator") == {} and store.has(GENERATOR)
    assert store.fail(GENERATOR, "bug", "", "").attempts == 1


def test_a_failure_that_another_process_clears_meanwhile_is_none(store, monkeypatch):
    store.fail(GENERATOR, "bug", "", "")
    names = store._listing("failures/generator")
    store.commit(GENERATOR, {}, {}, MADE)
    monkeypatch.setattr(store, "_listing", lambda relative: names)
    assert store.failed("generator") == {}


def test_scratch_is_kept_replaced_and_removed_at_the_commit(store):
    assert store.load_scratch(GENERATOR, "state") is None
    store.save_scratch(GENERATOR, "state", b"one")
    store.save_scratch(GENERATOR, "state", b"two")
    other = replace(GENERATOR, subset=replace(SUBSET, draw=2))
    store.save_scratch(other, "state", b"other")
    assert store.load_scratch(GENERATOR, "state") == b"two" and store.keys("generator") == set()
    store.commit(GENERATOR, {}, {}, MADE)
    assert store.load_scratch(GENERATOR, "state") is None and store.load_scratch(other, "state") == b"other"
    assert not any(GENERATOR.key in f for f in files(store) if f.startswith("scratch/"))
