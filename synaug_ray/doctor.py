"""``python -m synaug_ray.doctor [GRID]``: check whether a run would work here, and if not, why."""

from __future__ import annotations

import os
import sys

from synaug_ray.cluster import checks
from synaug_ray.cluster.auth import access, auth_findings
from synaug_ray.common.cli import Parser, print_problem, run_command
from synaug_ray.common.errors import DONE, INTERRUPTED, Problem, collect_problems
from synaug_ray.common.findings import Finding, problem, table
from synaug_ray.common.provenance import PACKAGES, Software, software
from synaug_ray.common.text import size
from synaug_ray.config.image_sides import image_shape
from synaug_ray.config.load import find_grid, placed_grid
from synaug_ray.config.spec import GridSpec
from synaug_ray.data.identify import unknown_name
from synaug_ray.plan.plan import Plan, make_plan, pending
from synaug_ray.runs.cost import disk_bytes
from synaug_ray.runs.request import identified
from synaug_ray.store.disk import free_bytes
from synaug_ray.store.locations import storage_root
from synaug_ray.store.run_folder import check_space
from synaug_ray.store.store import Store


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code (see ``synaug_ray.common.errors``). Notes do not count as failures."""
    parser = Parser(
        prog="python -m synaug_ray.doctor",
        allow_abbrev=False,
        description="Checks this machine, the cluster of $RAY_ADDRESS (else a Ray cluster started for the check), "
        "the storage and the token, and reports what would make a run fail. Trains nothing, and leaves no files.",
        epilog="exit codes: 0 no problem, 2 command line or grid file, 3 data, 5 storage, 6 resources, "
        "70 a bug, 130 interrupted",
    )
    parser.add_argument("grid", nargs="?", help="the grid to run; without it only the cluster is checked")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for example draws=8 data.size=16")
    parser.add_argument("--storage", metavar="PATH|URL", help="default $SYNAUG_STORAGE, else ~/.local/share/synaug_ray")
    try:
        args = parser.parse_intermixed_args(sys.argv[1:] if argv is None else argv)
        storage, planned = collect_problems(
            lambda: storage_root(args.storage), lambda: _planned(args.grid, args.overrides)
        )
        found = [_software(software()), *_storage(storage, planned), *_cluster(storage, planned)]
    except Problem as refused:
        return print_problem(refused)
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return INTERRUPTED
    print(table(found))
    refused = problem(found)
    return refused.exit_code if refused else DONE


def _planned(grid: str | None, overrides: list[str]) -> tuple[GridSpec, Plan] | None:
    if grid is None:
        return None
    path = find_grid(grid)
    spec, lines = placed_grid(path, overrides, unknown_name)
    return spec, make_plan(spec, identified(spec, lines))


def _software(here: Software) -> Finding:
    absent = [name for name in PACKAGES if name not in (*here.packages, "synaug-ray")]
    text = f"Python {here.python}, synaug_ray {here.version} (source {here.code} in {here.folder}), " + ", ".join(
        f"{name} {version}" for name, version in here.packages.items() if name != "synaug-ray"
    )
    if absent:
        return Finding(
            "software",
            f"{text}; not installed: {', '.join(absent)}. Run `pip install .` in a clone of synaug_ray",
            "problem",
        )
    return Finding("software", text)


def _storage(storage: str, planned: tuple[GridSpec, Plan] | None) -> list[Finding]:
    free = free_bytes(storage)
    text = storage if free is None else f"{storage}, {size(free)} free"
    shape = image_shape(planned[0]) if planned else None
    if planned is None or shape is None:
        return [Finding("storage", text)]
    needed = disk_bytes(pending(planned[1], Store(f"{storage}/store")), shape, 0)
    try:
        check_space(storage, needed)
    except Problem as refused:
        return _findings("storage", refused)
    return [Finding("storage", f"{text}; the missing part of the grid needs about {size(needed)}")]


def _cluster(storage: str, planned: tuple[GridSpec, Plan] | None) -> list[Finding]:
    from synaug_ray.cluster.connection import joins
    from synaug_ray.cluster.probe import probe_cluster

    joined = joins()
    try:
        seen = probe_cluster(storage, planned[0].weights() if planned else {})
    except Problem as refused:
        return [*_findings("cluster", refused), *auth_findings(access(os.environ, joined))]
    nodes, shape = seen.nodes, image_shape(planned[0]) if planned else None
    where = (
        f"joined {os.environ.get('RAY_ADDRESS', 'the running one')}"
        if joined
        else "no $RAY_ADDRESS: a run starts a Ray of its own here, as this check did"
    )
    needed = checks.needs(planned[1], shape) if planned and shape else checks.Needs(0, 0)
    return [
        Finding("cluster", f"{where}; {len(nodes)} {'node' if len(nodes) == 1 else 'nodes'}"),
        *checks.versions(software(), nodes),
        *checks.weights(nodes),
        *checks.resources(nodes),
        *checks.bf16(nodes, bool(planned and planned[0].precisions()["bf16"])),
        *checks.memory(nodes, needed),
        *checks.sharing(storage, seen.here, nodes, seen.unwritten),
        *auth_findings(access(os.environ, joined, seen.dashboard)),
    ]


def _findings(what: str, refused: Problem) -> list[Finding]:
    return [Finding(what, text, "problem", type(refused)) for text in refused.sentences]


if __name__ == "__main__":
    sys.exit(run_command(main))
