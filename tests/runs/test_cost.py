"""Costs: from the Store's own records, else from measured figures, else said to be unknown."""

import pytest
from helpers.paths import REPOSITORY

from synaug_ray.common.text import size
from synaug_ray.config.load import load_grid, validate_grid
from synaug_ray.config.presets import CLASSIFIERS, GENERATORS, SAMPLERS
from synaug_ray.config.yaml_source import Lines
from synaug_ray.plan.plan import make_plan, pending
from synaug_ray.plan.steps import GeneratorStep, Pool
from synaug_ray.plan.subset import DataIdentity, Subset
from synaug_ray.runs import cost as module
from synaug_ray.runs.cost import (
    SAMPLE,
    STEP_BYTES,
    Cost,
    RecordedRates,
    costs,
    describe_cost,
    describe_total_cost,
    disk_bytes,
    duration,
    expected_seconds,
    untimed,
)
from synaug_ray.store.store import Store

DATA = DataIdentity("digits", "fp")
GREY, XRAYS = (1, 8, 8), (1, 28, 28)


def plan(**values):
    base = {
        "dataset": "digits",
        "num_real": [20],
        "synthetic_multiples": [0, 1],
        "generators": ["edm-tiny"],
        "classifiers": ["mlp"],
        "draws": 2,
        "seeds": 1,
        "sampler": {"shard_size": 20},
        "training_check": {"draws": 0},
    }
    return make_plan(validate_grid(base | values, Lines("g.yaml")), DATA)


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "store"))


@pytest.fixture
def measured(monkeypatch):
    """Figures of the test's own: the module's change with each new machine."""
    known = {}
    monkeypatch.setattr(module, "MEASURED", known)
    return known


def test_measured_figures_times_images(store, measured):
    made = plan()
    measured[GENERATORS["edm-tiny"].any_length_key] = 2.0  # core-seconds for 1,000 images
    (classifier,) = {t.cost_key for t in made.trials.values()}
    measured[classifier] = 0.01
    table = costs(RecordedRates(made, store), made, GREY)
    assert (table["generator"].steps, table["generator"].unknown) == (2, 0)
    assert table["generator"].seconds == pytest.approx(2 * GENERATORS["edm-tiny"].nimg * 2.0 / 1_000)
    assert table["trial"].seconds == pytest.approx(4 * CLASSIFIERS["mlp"].nimg * 0.01 / 1_000)
    assert (table["shard"].steps, table["shard"].unknown, table["shard"].seconds) == (2, 2, 0)


def test_a_longer_training_costs_as_much_an_image(store, measured):
    """Known of the short one, and of its records, the training check's cost is known, too."""
    made = plan(training_check={"draws": 1})
    short = plan()
    measured[next(iter(made.trials.values())).cost_key] = 0.01
    nimg = CLASSIFIERS["mlp"].nimg
    assert costs(RecordedRates(made, store), made, GREY)["trial"].seconds == pytest.approx(
        (4 + 2) * nimg * 0.01 / 1_000
    )
    for trial in (t for t in short.trials.values() if t.pool is None):
        store.commit(trial, {"nimg": nimg, "cpu_seconds": 3.0}, {}, {})
    left = costs(RecordedRates(made, store), pending(made, store), GREY)["trial"]
    assert (left.steps, left.seconds) == (3, pytest.approx(3.0 + 3.0 + 6.0))


@pytest.mark.parametrize("shape", [XRAYS, (3, 8, 8), (1, 8, 16), None])
def test_figures_of_small_grey_images_say_nothing_of_others(store, shape):
    """They were used for any, and ten minutes of shards of X-rays were called a minute."""
    made = plan(sampler={"preset": "dpmpp-8"})
    assert [c.unknown for c in costs(RecordedRates(made, store), made, GREY).values()] == [0, 0, 0, 0]
    table = costs(RecordedRates(made, store), made, shape)
    assert [(c.steps, c.unknown, c.seconds) for c in table.values()] == [(2, 2, 0), (2, 2, 0), (2, 2, 0), (4, 4, 0)]
    assert describe_cost(table["shard"]) == "cost unknown for 2: the first of their kind"
    first, _ = made.shards.values()  # a record of the Store is of these images, whatever their shape
    for step in (first.generator, first):
        store.commit(step, {"nimg": 20, "cpu_seconds": 40.0}, {}, {})
    left = costs(RecordedRates(made, store), pending(made, store), shape)["shard"]
    assert (left.steps, left.unknown, left.seconds) == (1, 0, 2.0 * SAMPLERS["dpmpp-8"].shard_size)


def test_what_nobody_measured_is_unknown_and_not_nothing(store, measured):
    table = costs(RecordedRates(plan(), store), plan(), GREY)
    assert [(table[s].steps, table[s].unknown, table[s].seconds) for s in table] == [
        (2, 2, 0),
        (2, 2, 0),
        (2, 2, 0),
        (4, 4, 0),
    ]


def test_records_come_before_figures_and_their_median_counts(store, measured):
    made = plan(draws=4)
    first, second, third, _ = made.generators.values()
    measured[first.cost_key] = 1_000.0
    for step, seconds in ((first, 19.2), (second, 38.4), (third, 19_200.0)):  # one of them on a busy machine
        store.commit(step, {"nimg": step.recipe.nimg, "cpu_seconds": seconds}, {}, {})
    left = pending(made, store)
    assert costs(RecordedRates(made, store), left, XRAYS)["generator"].seconds == pytest.approx(38.4)


def test_only_a_sample_of_the_records_is_read(store, measured, monkeypatch):
    made = plan(draws=2 * SAMPLE, synthetic_multiples=[0])
    for step in made.trials.values():
        store.commit(step, {"nimg": 64_000, "cpu_seconds": 1.0}, {}, {})
    read, real = [], store.record
    monkeypatch.setattr(store, "record", lambda *at: read.append(at) or real(*at))
    recorded = RecordedRates(made, store)
    assert not untimed(recorded, made, GREY)
    assert costs(recorded, made, GREY)["trial"].seconds == pytest.approx(len(made.trials))
    assert expected_seconds(recorded, GREY)(next(iter(made.trials.values()))) == pytest.approx(1.0)
    assert len(read) == SAMPLE  # once, although a start asks for all three


def test_reference_generators_cost_nothing(store, measured):
    made = plan(generators=["duplicate"])
    table = costs(RecordedRates(made, store), made, GREY)
    assert all((table[s].seconds, table[s].unknown) == (0, 0) for s in ("generator", "shard"))
    # a generator that learnt nothing saw no images, and its record divides nothing by nothing
    store.commit(next(iter(made.generators.values())), {"nimg": 0, "cpu_seconds": 0.1}, {}, {})
    assert costs(RecordedRates(made, store), made, GREY)["generator"].seconds == 0


def test_images_of_a_training_that_ends_after_some_passes():
    recipe = GENERATORS["edm-tiny"].model_copy(update={"max_passes": 4.0})
    assert GeneratorStep(Subset(DATA, 20, 0), recipe).images_seen == 80
    assert GeneratorStep(Subset(DATA, 1_000_000, 0), recipe).images_seen == recipe.nimg
    assert Pool(GeneratorStep(Subset(DATA, 20, 0), recipe), SAMPLERS["dpmpp-8"]).shard(3).images_seen == 256


@pytest.mark.parametrize("name", ["digits", "digits-controls", "smoke"])
def test_what_a_newcomer_runs_first_says_what_it_will_cost(store, name):
    made = make_plan(load_grid(REPOSITORY / "grids" / f"{name}.yaml", []), DATA)
    table = costs(RecordedRates(made, store), made, GREY)
    assert [cost.unknown for cost in table.values()] == [0] * len(table) and table["trial"].seconds > 0


def test_what_is_known_of_the_whole_and_what_is_not():
    table = {"generator": Cost(2, 0, 2, ("edm-small",)), "shard": Cost(0, 0, 0), "trial": Cost(4, 600, 0)}
    assert describe_total_cost(table) == (
        "about 10 min of one core, plus generators of edm-small (no timing available; the first one gives it)"
    )
    assert describe_total_cost(table | {"trial": Cost(4, 0, 4, ("mlp", "cnn"))}) == (
        "unknown: generators of edm-small; trials of mlp, cnn (no timing available; the first one gives it)"
    )
    assert describe_total_cost(table | {"generator": Cost(2, 60, 0)}) == "about 11 min of one core"


def test_a_stage_of_which_a_part_is_known():
    assert describe_cost(Cost(0, 0, 0)) == "nothing to do" and describe_cost(Cost(3, 60, 0)) == "about 60 s of one core"
    assert describe_cost(Cost(3, 0, 3)) == "cost unknown for 3: the first of their kind"
    assert (
        describe_cost(Cost(3, 60, 2))
        == "cost unknown for 2: the first of their kind, about 60 s of one core for the others"
    )


def test_the_disk_that_a_plan_takes(store):
    """Pools by their pixels, trials by their predictions, whatever else there is by a block each."""
    small, large = (plan(num_real=[n], generators=["duplicate"], sampler={"shard_size": 1_000}) for n in (1_000, 4_000))
    grown = disk_bytes(large, (3, 32, 32), 0) - disk_bytes(small, (3, 32, 32), 0)
    assert grown == 2 * 3_000 * (3 * 32 * 32 + 8) + 6 * STEP_BYTES  # two draws, three shards more each
    assert disk_bytes(small, (3, 32, 32), 500) - disk_bytes(small, (3, 32, 32), 0) == 4 * 500 * 8
    assert disk_bytes(pending(small, store), (1, 8, 8), 0) == disk_bytes(small, (1, 8, 8), 0)


@pytest.mark.parametrize("name", ["edm-tiny", "edm-28px", "edm-small"])
def test_the_disk_that_a_network_takes(name):
    """Against diffusers' own count of its parameters."""
    torch = pytest.importorskip("torch")
    from synaug_ray.generators import diffusion

    with torch.device("meta"):
        net = diffusion.network(GENERATORS[name], (3, 32, 32), 10)
    step = GeneratorStep(Subset(DATA, 20, 0), GENERATORS[name])
    assert module._network_bytes(step) == pytest.approx(4 * sum(p.numel() for p in net.parameters()), rel=0.1)


@pytest.mark.parametrize(
    "number,said",
    [(0, "0 bytes"), (999, "999 bytes"), (18_400, "18 kB"), (38e9, "38 GB"), (1.54e12, "1.5 TB"), (3e15, "3,000 TB")],
)
def test_sizes(number, said):
    assert size(number) == said


@pytest.mark.parametrize(
    "seconds,said", [(0, "0 s"), (89, "89 s"), (120, "2 min"), (5_399, "90 min"), (7_200, "2.0 h")]
)
def test_durations(seconds, said):
    assert duration(seconds) == said


def test_a_training_that_can_go_on_leaves_its_end_once():
    """Weights, their average and two moments, however many lengths it has."""
    recipe = {"preset": "edm-tiny", "budgets": [0.25, 1, 4]}
    apart, one = (plan(generators=[recipe | {"schedule": s}], draws=1) for s in ("falling", "constant"))
    network = module._network_bytes(next(iter(one.generators.values())))
    assert disk_bytes(one, GREY, 100) - disk_bytes(apart, GREY, 100) == 4 * network > 0
