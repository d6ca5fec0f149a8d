"""Whatever is typed is a grid or ends in sentences: see ``fuzzing``. What was found is in ``test_found``."""

from __future__ import annotations

import copy
import random
from pathlib import Path

import pytest
import yaml
from helpers.fuzz_values import GRIDS, VALUES, WORDS
from helpers.fuzzing import BUDGET, outcome

from synaug_ray import grid
from synaug_ray.config.checks import most
from synaug_ray.config.load import load_grid
from synaug_ray.config.spec import write_grid
from synaug_ray.data.identify import identify
from synaug_ray.plan.plan import make_plan

PLANNED = 400  # cells and shards up to which a mutated grid is planned as well


class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # the one in C where there is one: three times as fast
    """Every value written out, none by an anchor: anchors are refused."""

    def ignore_aliases(self, data):
        return True


def slips(text, rng):
    """A grid's text after one to four slips of the pen."""
    for _ in range(rng.randint(1, 4)):
        at, kind = rng.randrange(len(text) + 1), rng.randrange(7)
        lines = text.splitlines(keepends=True) or [""]
        one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        if kind == 0:
            text = text[:at] + rng.choice(WORDS) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + rng.randint(1, 5) :]
        elif kind == 2:
            lines[one], lines[other] = lines[other], lines[one]
            text = "".join(lines)
        elif kind == 3:
            lines.insert(one, lines[other])
            text = "".join(lines)
        elif kind == 4:  # another value for a key
            lines[one] = lines[one].partition(":")[0] + ": " + rng.choice(WORDS) + "\n"
            text = "".join(lines)
        elif kind == 5:
            text = text[:at] + chr(rng.choice([rng.randrange(1, 256), rng.randrange(0x20, 0x3000)])) + text[at + 1 :]
        else:  # another depth
            lines[one] = " " * rng.randrange(6) + lines[one].lstrip(" ")
            text = "".join(lines)
    return text


def places(value, at=()):
    """Every place in nested lists and mappings."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*at, key)
        yield from places(item, (*at, key))


def changed(values, rng):
    """Plain values with one to three of them replaced, removed or given twice."""
    for _ in range(rng.randint(1, 3)):
        known = list(places(values))
        if not known:
            return values
        *way, last = rng.choice(known)
        target = values
        for part in way:
            target = target[part]
        kind = rng.randrange(5)
        if kind < 3:
            target[last] = copy.deepcopy(rng.choice(VALUES))
        elif kind == 3:
            del target[last]
        elif isinstance(target, list):
            target.append(target[last])
        else:
            target[str(last) + rng.choice(["s", "", " ", "x", "_"])] = target[last]
    return values


def read(path, overrides=()):
    """A grid as the door reads it: loaded, its images identified, planned where it is small."""
    spec = load_grid(path, list(overrides))
    data = identify(spec.dataset, spec.data)
    cells, _, shards = most(spec)
    if cells <= PLANNED and shards <= PLANNED:
        make_plan(spec, data)
    return spec


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A grid file in an empty working directory: nothing that a mutation may name is there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return Path("g.yaml")


def test_slips_of_the_pen_in_grid_files(path):
    rng, specs, refusals = random.Random(20261121 + BUDGET), 0, 0
    for i in range(375 * BUDGET):
        text = slips(rng.choice(GRIDS), rng)
        path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
        spec = outcome(text, lambda: read(path))
        specs, refusals = specs + (spec is not None), refusals + (spec is None)
        if spec is not None and i % 20 == 0:
            path.write_text(write_grid(spec), encoding="utf-8")
            assert load_grid(path, []) == spec, text
    assert specs > 8 and refusals > 50  # else the mutations say nothing


def test_values_of_every_kind_in_grid_files(path):
    rng, grids, refusals = random.Random(30261121 + BUDGET), [yaml.safe_load(g) for g in GRIDS], 0
    for _ in range(250 * BUDGET):
        values = changed(copy.deepcopy(rng.choice(grids)), rng)
        path.write_text(yaml.dump(values, Dumper=Dumper, sort_keys=False), encoding="utf-8")
        refusals += outcome(values, lambda: read(path)) is None
    assert refusals > 50


def test_overrides_of_every_kind(path):
    rng = random.Random(40261121 + BUDGET)
    keys = [".".join(str(p) for p in at) for grid in GRIDS for at in places(yaml.safe_load(grid))]
    for _ in range(125 * BUDGET):
        path.write_text(rng.choice(GRIDS), encoding="utf-8")
        words = []
        for _ in range(rng.randint(1, 3)):
            value = yaml.dump(rng.choice(VALUES), Dumper=Dumper, default_flow_style=True).strip()
            value = rng.choice([rng.choice(WORDS), value])
            word = rng.choice(keys) + "=" + value
            words.append(slips(word, rng) if rng.random() < 0.3 else word)
        outcome(words, lambda: read(path, words))  # noqa: B023


def test_command_lines(path, tmp_path, capsys):
    rng = random.Random(60261121 + BUDGET)
    storage = str(tmp_path.parent / "storage")
    pool = [
        "g.yaml",
        "digits",
        "smoke",
        "--storage",
        storage,
        "--name",
        "--data",
        "--local",
        "-n",
        "--",
        "-",
        "draws=2",
        "num_real=[20]",
        "data.size=9",
        "--name=a/b",
        "--storage=",
        "--storage=s4://x",
        "--storage=memory://x",
        "--storage=/dev/null/x",
        "--storage=file://" + storage,
        "--storage=g.yaml",
        "--nmae",
        "x=1",
        "=",
        "*",
        "~",
        "--name=\x1b[31m",
        "--storage=~nobody-of-this-name",
        *WORDS,
    ]
    path.write_text(GRIDS[0], encoding="utf-8")
    for _ in range(60 * BUDGET):
        words = [
            "--dry-run",
            *(["g.yaml"] if rng.random() < 0.6 else []),
            *rng.choices(pool, k=rng.randint(0, 4)),
            *(["--storage", storage] if rng.random() < 0.8 else []),
        ]
        code = outcome(words, lambda: grid.main(words))  # noqa: B023
        shown = capsys.readouterr()
        assert code in (0, 2, 3, 5, 6) and "Traceback" not in shown.err, words
        assert code == 0 or all(line.startswith("error: ") for line in shown.err.splitlines()), words
    assert [p.name for p in tmp_path.iterdir()] == ["g.yaml"] and not Path(storage).exists()
