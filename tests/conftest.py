"""What many tests share: real digits, a small grid and a finished run of it; and which tests are integration tests."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: two workers of pytest share two cores
os.environ["SYNAUG_NO_TIMING"] = "1"  # no process that times training steps; tests of that one undo it

import pytest
from helpers.grids import small_grid
from helpers.messages import Messages
from helpers.paths import REPOSITORY, SMALL_GRID, TESTS

from synaug_ray import grid
from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.spec import GridSpec
from synaug_ray.data.identify import identify
from synaug_ray.data.images import Dataset
from synaug_ray.data.load import load
from synaug_ray.plan.plan import Plan, make_plan
from synaug_ray.plan.subset import DataIdentity

INTEGRATION = {"cluster", "moto", "browser", "logged"}  # fixtures that make a test an integration test


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _on_device(item):
            from helpers import devices

            if why := devices.absent():
                item.add_marker(pytest.mark.skip(reason=f"--device: {why}"))
        chosen = item.get_closest_marker("smoke") or item.get_closest_marker("slow")
        if not chosen and INTEGRATION.intersection(item.fixturenames):  # type: ignore[attr-defined]
            item.add_marker(pytest.mark.integration)


def _on_device(item: pytest.Item) -> bool:
    """Whether a test computes on the device that ``--device`` names: its module has ``helpers.devices.DEVICE``."""
    return hasattr(getattr(item, "module", None), "DEVICE")


LONGEST = "tests/cluster/"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """The tests of a file go to one worker (``--dist loadfile``), and so do those of a folder with its own fixtures.

    So its server, browser or cluster starts once. Clusters come first: at the end the other worker would have nothing
    to do meanwhile (xdist begins with the files of most tests, and these are few). Two Ray clusters at once on two cores were slower than one after the
    other; the other worker does everything else meanwhile, since tests of clusters often wait.
    """
    from xdist.scheduler import LoadFileScheduling
    from xdist.workermanage import WorkerController

    folders = [f"{path.parent.relative_to(REPOSITORY).as_posix()}/" for path in TESTS.glob("*/**/conftest.py")]

    class ByFolder(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next(filter(nodeid.startswith, folders), None) or super()._split_scope(nodeid)

        def _assign_work_unit(self, node: WorkerController) -> None:
            if LONGEST in self.workqueue:
                self.workqueue.move_to_end(LONGEST, last=False)
            super()._assign_work_unit(node)

    return ByFolder(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tests of a simulated GPU run within the simulation, and their fixtures too."""
    if not _on_device(item):
        return (yield)
    from helpers import devices  # imports torch, which most tests of a worker do without

    with devices.running():
        return (yield)


@pytest.fixture(scope="session")
def between_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this session share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(autouse=True)
def machine(request: pytest.FixtureRequest, between_workers: Path) -> Iterator[None]:
    """A test marked ``alone`` waits until no other runs, and the others wait for it to end.

    All pass the gate before they take their lock, so that one that waits to be alone holds up those after it.
    """
    with open(between_workers / "gate", "w") as gate, open(between_workers / "machine", "w") as lock:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_EX if request.node.get_closest_marker("alone") else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-messages", action="store_true", help="rewrite tests/bad_inputs/messages.json")
    parser.addoption(
        "--update-tables", action="store_true", help="rewrite the tables of grids/atlas/rows in both READMEs"
    )
    parser.addoption(
        "--device",
        default="cpu",
        choices=("cpu", "cuda", "simulated"),
        help="where networks are trained and sampled in tests; 'simulated' is a GPU that only checks devices",
    )


def pytest_configure(config: pytest.Config) -> None:
    os.environ["SYNAUG_TEST_DEVICE"] = config.getoption("--device")
    if config.getoption("--update-messages") and "PYTEST_XDIST_WORKER" in os.environ:
        raise pytest.UsageError("--update-messages needs one process: add -n 0")


@pytest.fixture(scope="session")
def all_messages(request: pytest.FixtureRequest) -> Iterator[Messages]:
    messages = Messages(update=request.config.getoption("--update-messages"))
    yield messages
    messages.save()


@pytest.fixture
def told(request: pytest.FixtureRequest, all_messages: Messages) -> Callable[[Sequence[str]], None]:
    """``told(sentences)``: whether they are those that ``messages.json`` has for this test."""
    return partial(all_messages.check, f"{request.path.relative_to(TESTS).as_posix()}::{request.node.name}")


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests decode does not go where the user's is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache-home")))
        yield


@pytest.fixture(scope="session")
def digits_identity() -> DataIdentity:
    return identify("digits", DataOptions())


@pytest.fixture(scope="session")
def digits(digits_identity: DataIdentity, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """scikit-learn's 1,797 real images, split as every run splits them."""
    return load(digits_identity, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def small_run(between_workers: Path) -> Path:
    """The storage of a finished local run of helpers/small.yaml, to read; what changes it makes a copy first.

    Made once for all workers.
    """
    storage = between_workers / "small-run"
    with open(between_workers / "small-run.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (between_workers / "small-run.made").exists():
            assert grid.main([str(SMALL_GRID), "--storage", str(storage), "--local"]) == 0
            (between_workers / "small-run.made").touch()
    return storage


@pytest.fixture
def small(digits_identity: DataIdentity) -> tuple[GridSpec, Plan]:
    spec = small_grid()
    return spec, make_plan(spec, digits_identity)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images beside the checkout, or where ``$SYNAUG_TEST_DATA`` says."""
    folder = Path(os.environ.get("SYNAUG_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no test images at {folder}; set SYNAUG_TEST_DATA")
    return folder
