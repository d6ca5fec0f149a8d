"""The Store on an S3 server: what a disk has and an object store lacks must not be missed."""

import json
import subprocess
import sys
import threading
import uuid
from dataclasses import replace

import pytest
import s3fs

from synaug_ray.config.presets import CLASSIFIERS, GENERATORS, SAMPLERS
from synaug_ray.plan.plan import Plan, pending
from synaug_ray.plan.steps import GeneratorStep, Pool, TrialStep
from synaug_ray.plan.subset import DataIdentity, Subset
from synaug_ray.store import backends
from synaug_ray.store.run_folder import RunFolder
from synaug_ray.store.store import CorruptPayload, Store

SUBSET = Subset(DataIdentity("digits", "fp"), 40, 1)
GENERATOR = GeneratorStep(SUBSET, GENERATORS["edm-tiny"])
POOL = Pool(GENERATOR, SAMPLERS["dpmpp-8"])
SHARD = POOL.shard(0)
PAYLOAD = {"a.safetensors": b"A" * 1_000, "b.json": b"{}", "empty": b""}


@pytest.fixture
def store(storage):
    return Store(f"{storage}/store")


@pytest.fixture
def other():
    """A file system that shares nothing with the Store's: another machine's."""
    return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)


def trials(count):
    steps = (TrialStep(SUBSET, None, 0, "real-only", None, CLASSIFIERS["mlp"], seed) for seed in range(count))
    return {t.key: t for t in steps}


def test_what_is_committed_is_read_back(store):
    assert not store.has(GENERATOR) and store.keys("generator") == set() and store.failed("generator") == {}
    made = store.commit(GENERATOR, {"loss": 0.5}, PAYLOAD, {"host": "here"})
    assert store.has(GENERATOR) and store.keys("generator") == {GENERATOR.key} and store.keys("shard") == set()
    assert store.record("generator", GENERATOR.key) == made
    assert {name: store.read(made, name) for name in PAYLOAD} == PAYLOAD


def test_scratch_and_failures_vanish_at_the_commit(store, other):
    store.save_scratch(GENERATOR, "state", b"one")
    store.save_scratch(GENERATOR, "state", b"two")
    assert store.load_scratch(GENERATOR, "state") == b"two" and store.load_scratch(SHARD, "state") is None
    assert [store.fail(GENERATOR, "bug", "m", "t").attempts for _ in range(2)] == [1, 2]
    assert store.failed("generator")[GENERATOR.key].attempts == 2
    store.commit(GENERATOR, {}, PAYLOAD, {})
    assert store.failed("generator") == {} and store.load_scratch(GENERATOR, "state") is None
    assert not [f for f in other.find(store.root) if "/failures/" in f or "/scratch/" in f]


def test_writable_leaves_nothing(store, other):
    store.check_writable()
    assert other.find(store.root) == []


def test_the_run_folder(storage):
    folder = RunFolder(storage, "run")
    assert folder.read("a.txt") is None
    folder.write("samples/a.txt", "grüße")
    assert folder.read("samples/a.txt") == "grüße".encode()
    folder.write("samples/a.txt", "")
    assert folder.read("samples/a.txt") == b""


def test_thousands_of_records_cost_a_few_requests(store, moto, gate):
    """1,150 of 2,400 are done: two pages of a listing, and no question for a single key."""
    steps = trials(2_400)
    done = sorted(steps)[:1_150]
    straight = s3fs.S3FileSystem(endpoint_url=moto.url)
    straight.pipe({f"{store.root}/records/trial/{key}.json": b"{}" for key in done})
    found = {}
    requests = gate.during(lambda: found.update(pending(Plan(SUBSET.data, trials=steps), store).trials))
    assert sorted(found) == sorted(set(steps) - set(done))
    pages = [
        path
        for method, path in requests
        if method == "GET" and "prefix=some/where/store/records/trial/" in path.replace("%2F", "/")
    ]
    assert len(pages) == 2 and len([path for path in pages if "continuation-token" in path]) == 1
    assert len(requests) <= 2 + 2 * 3, requests  # and an empty listing, and its parent's, for each other stage


def test_many_records_are_read_at_once_and_each_by_one_request(store, gate):
    steps = list(trials(40).values())
    for step in steps[:30]:
        store.commit(step, {"x": step.seed}, {}, {})
    found = {}
    asked = [step.key for step in steps]
    requests = gate.during(lambda: found.update(store.records("trial", asked)))
    assert [record.result["x"] for record in found.values()] == list(range(30))  # in the order asked
    assert len(requests) == 31


def test_what_a_commit_asks(store, gate):
    """Payload, the parent's Record, its own Record last, the failure away: no listing, each of which is paid for."""
    store.commit(GENERATOR, {}, {}, {})
    requests = gate.during(lambda: store.commit(SHARD, {}, {"x": b"1"}, {}))
    puts = [path for method, path in requests if method == "PUT"]
    assert len(puts) == 2 and "/payload/" in puts[0] and "/records/" in puts[1]
    # whether another driver's Record came to stand is asked just before it is written
    assert [method for method, path in requests] == ["PUT", "GET", "GET", "PUT", "DELETE"]


def test_what_another_process_commits_is_seen(store, other):
    """fsspec remembers listings; readiness is that the Record stands."""
    assert store.keys("trial") == set()
    code = (
        "import sys; from synaug_ray.store.backends import write_file; from synaug_ray.store.store import Store; s = Store(sys.argv[1]); "
        "write_file(s.fs, f'{s.root}/records/trial/one.json', b'{}')"
    )
    subprocess.run([sys.executable, "-c", code, store.url], check=True)
    assert store.keys("trial") == {"one"}
    other.pipe_file(f"{store.root}/records/trial/two.json", b"{}")
    assert store.keys("trial") == {"one", "two"}
    other.rm_file(f"{store.root}/records/trial/one.json")
    assert store.keys("trial") == {"two"}


@pytest.mark.parametrize("k", range(4))
def test_a_driver_that_dies_in_a_commit_leaves_nothing_counted(store, monkeypatch, k):
    real, writes = backends.write_file, []

    def dying(fs, path, data):
        writes.append(path)
        if len(writes) == k + 1:
            raise KeyboardInterrupt
        real(fs, path, data)

    monkeypatch.setattr(backends, "write_file", dying)
    with pytest.raises(KeyboardInterrupt):
        store.commit(GENERATOR, {}, PAYLOAD, {})
    assert len(writes) == k + 1 and ("/records/" in writes[-1]) == (k == 3)  # the Record is the last of four
    assert store.keys("generator") == set() and not store.has(GENERATOR)
    monkeypatch.undo()


@pytest.mark.parametrize("harm", ["truncated", "flipped", "empty", "gone", "longer"])
def test_a_corrupt_object_is_set_aside_and_made_again(store, other, harm):
    plan = Plan(
        SUBSET.data,
        {GENERATOR.key: GENERATOR},
        {SHARD.key: SHARD},
        {t.key: t for t in [TrialStep(SUBSET, POOL, 80, "mixed", 0.5, CLASSIFIERS["mlp"], 1)]},
    )
    store.commit(GENERATOR, {}, {}, {})
    record = store.commit(SHARD, {}, PAYLOAD, {})
    path = f"{store.root}/payload/shard/{SHARD.key}/{record.attempt}/a.safetensors"
    data = {"truncated": b"A" * 999, "flipped": b"A" * 999 + b"B", "empty": b"", "longer": b"A" * 1_001}.get(harm)
    if data is None:
        other.rm_file(path)
    else:
        other.pipe_file(path, data)
    for _ in range(2):  # a second reader of the same
        with pytest.raises(CorruptPayload, match=f"a.safetensors of shard {SHARD.key} differs from its record"):
            store.read(record, "a.safetensors")
    assert SHARD.key in pending(plan, store).shards and not store.has(SHARD)
    aside = f"{store.root}/records/shard/{SHARD.key}.{record.attempt}.corrupt"
    assert json.loads(other.cat_file(aside))["key"] == SHARD.key
    again = store.commit(SHARD, {}, PAYLOAD, {})
    assert store.read(again, "a.safetensors") == PAYLOAD["a.safetensors"]
    assert SHARD.key not in pending(plan, store).shards


def test_a_record_that_is_none_is_set_aside(store, other):
    other.pipe_file(f"{store.root}/records/generator/{GENERATOR.key}.json", b'{"key":')
    assert not store.has(GENERATOR) and not store.keys("generator")
    assert other.exists(f"{store.root}/records/generator/{GENERATOR.key}.damaged.corrupt")


def test_two_drivers_leave_one_record_of_one_attempt(storage):
    """Eight commits of one step at once, from instances that share nothing: whichever Record stands is whole."""
    begin = threading.Barrier(8)

    def drive(number):
        mine = Store(f"{storage}/store")  # each thread has a file system of its own
        begin.wait()
        mine.commit(GENERATOR, {"by": number}, {n: bytes([number]) + d for n, d in PAYLOAD.items()}, {})

    threads = [threading.Thread(target=drive, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = Store(f"{storage}/store")
    record = store.record("generator", GENERATOR.key)
    assert store.keys("generator") == {GENERATOR.key}
    assert {n: store.read(record, n) for n in PAYLOAD} == {
        n: bytes([record.result["by"]]) + d for n, d in PAYLOAD.items()
    }


def test_a_key_with_signs_that_a_pattern_would_be(bucket):
    """A prefix is the user's: brackets and stars in it are letters."""
    store = Store(f"s3://{bucket}/runs [v2]*/store")
    store.fail(GENERATOR, "bug", "m", "t")
    store.save_scratch(GENERATOR, "state", b"x")
    record = store.commit(GENERATOR, {}, PAYLOAD, {})
    assert store.read(record, "b.json") == b"{}" and store.load_scratch(GENERATOR, "state") is None
    twin = replace(GENERATOR, subset=replace(SUBSET, draw=2))
    store.save_scratch(twin, "state", b"y")
    store.commit(GENERATOR, {}, PAYLOAD, {})
    assert store.load_scratch(twin, "state") == b"y"


def test_a_payload_that_goes_up_in_parts(store, monkeypatch):
    """Over 100 MB s3fs uploads in parts: one object all the same, whole or not there."""
    monkeypatch.setattr("s3fs.core.S3FileSystem._pipe_file.__defaults__", (5 * 2**20, None, "overwrite"))
    data = uuid.uuid4().bytes * (11 * 2**16)  # 11.5 MB in parts of 5
    record = store.commit(GENERATOR, {}, {"big": data}, {})
    assert store.read(record, "big") == data
