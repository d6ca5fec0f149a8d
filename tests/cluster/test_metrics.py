"""A real Prometheus scrapes a real run: every query of the dashboard returns data."""

import json
import math
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pytest
from helpers.paths import REPOSITORY

from synaug_ray import grid
from synaug_ray.cluster import live_views

pytestmark = pytest.mark.integration

DASHBOARDS = REPOSITORY / "dashboards"
PANELS = json.loads((DASHBOARDS / "synaug.json").read_text())["panels"]
GRID = """
dataset: digits
num_real: [20, 40, 80]
synthetic_multiples: [0, 1, 2]
generators: [real-holdout]
classifiers: [{preset: mlp, nimg: 6400, pack: 4}]
sampler: {preset: dpmpp-8, steps: 3, batch: 16, shard_size: 64}
seeds: 1
replicates: 50
quality_draws: 0
training_check: {draws: 0}
"""
EDM = "blocks=[{num_real: [20], generators: [{preset: edm-tiny, name: edm, nimg: 12800, channels: [8, 16]}], draws: 2}]"


class Prometheus:
    """Prometheus with the settings that are shipped, but every second, on a port of loopback."""

    def __init__(self, binary, folder, storage):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        settings = (DASHBOARDS / "prometheus.yml").read_text().replace("STORAGE", str(storage))
        (folder / "prometheus.yml").write_text(re.sub(r"(interval: )\d+s", r"\g<1>1s", settings))
        self.process = subprocess.Popen(
            [
                binary,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/tsdb",
                f"--web.listen-address={self.address}",
                "--log.level=error",
            ]
        )

    def ask(self, what, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{what}?{query}", timeout=60) as answer:
            return json.load(answer)["data"]

    def wait(self):
        for _ in range(600):
            try:
                return self.ask("status/buildinfo")
            except OSError:
                time.sleep(0.1)
        raise TimeoutError("Prometheus does not answer")

    def values(self, expression, start, end):
        """All finite values of an expression between two times."""
        found = self.ask("query_range", query=expression, start=start, end=end, step="1s")["result"]
        return [float(v) for series in found for _, v in series["values"] if math.isfinite(float(v))]


@pytest.fixture(scope="module")
def scraped(cluster, tmp_path_factory):
    """A run on Ray, of which most was done before, watched by Prometheus; and the times of its beginning and end."""
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("no prometheus: apt-get install --no-install-recommends prometheus")
    folder, storage = tmp_path_factory.mktemp("prometheus"), tmp_path_factory.mktemp("storage")
    (storage / "watched.yaml").write_text(GRID)
    words = [str(storage / "watched.yaml"), "--storage", str(storage)]
    assert grid.main([*words, "draws=3", "--local"]) == 0  # so that the first refit has rates: none from two draws
    (storage / "prometheus").mkdir()
    prometheus = Prometheus(binary, folder, storage)
    try:
        prometheus.wait()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(live_views, "LEAST_SECONDS", 1.0)
            begun = time.time()
            assert grid.main([*words, "draws=4", EDM]) == 0
        yield prometheus, begun, time.time(), storage
    finally:
        prometheus.process.terminate()
        prometheus.process.wait()


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_query_of_a_panel_returns_data(scraped, panel):
    prometheus, begun, ended, _ = scraped
    asked = [target["expr"].replace("$run", "watched") for target in panel["targets"]]
    assert [query for query in asked if not prometheus.values(query, begun, ended)] == []


def test_what_is_served_is_what_the_store_holds(scraped):
    prometheus, begun, ended, storage = scraped
    trials = prometheus.values('ray_synaug_steps_total{stage="trial"}', begun, ended)
    assert set(trials) == {len(list((storage / "store" / "records" / "trial").glob("*.json")))}
    done = prometheus.values('ray_synaug_steps_done{stage="trial"}', begun, ended)
    assert 0 < min(done) <= max(done) <= max(trials)
    rates = prometheus.values('ray_synaug_exchange_rate{generator="real-holdout"}', begun, ended)
    assert 0.2 < sorted(rates)[len(rates) // 2] < 5  # held-out real images: the truth is 1


def test_the_addresses_go_with_the_run(scraped):
    assert list((scraped[3] / "prometheus").iterdir()) == []
