"""Whether a cluster is fit for a run, judged from what the probe measured: plain values in, findings out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from synaug_ray.common.errors import StorageProblem
from synaug_ray.common.findings import Finding
from synaug_ray.common.provenance import Software
from synaug_ray.common.text import first_few, size
from synaug_ray.plan.plan import Plan

LANES = 3  # per slot: a trainer, a sampler and a classifier, each a process
# memory of one such process: 0.75 GB resident (0.67 private) after importing torch and Ray's libraries (Ray 2.60, a CPU
# build of torch 2.14), and a quarter on top for training a small network
WORKER_BYTES = 1_000_000_000
DECIDING = ("ray", "torch")  # a run is refused unless all nodes have the same version; other differences are notes
SHOWN = 6  # at most so many nodes are named in a sentence


@dataclass(frozen=True)
class Answer:
    """What a process on a node answered to the probe."""

    software: Software
    bf16: bool | None  # whether its CPU supports bf16 in hardware
    unread: str = ""  # why it could not read the driver's marker in the storage
    unwritten: str = ""  # why it could not write its own marker there
    missing_files: tuple[str, ...] = ()  # files of weights that are missing there, or differ


@dataclass(frozen=True)
class Node:
    """A machine of the cluster: its resources in Ray, and what the probe found."""

    name: str
    id: str
    resources: Mapping[str, float]  # in Ray's units: CPU, GPU, memory and object_store_memory in bytes
    answer: Answer | None = None
    silence: str = ""  # why a node gave no answer
    unseen: str = ""  # why the driver could not read the node's marker

    def whole(self, resource: str) -> int:
        """Whole units of a resource; a fraction does not make a slot."""
        return int(self.resources.get(resource, 0))


@dataclass(frozen=True)
class Needs:
    """The memory that a plan's images need, in bytes."""

    dataset: int  # of the largest training subset: the least that the data set takes
    process: int  # of the images that one process may hold


def whole_slots(nodes: Iterable[Node]) -> tuple[int, bool]:
    """How many slots a cluster has, and whether they are GPUs.

    A slot never spans nodes: it is a GPU with a CPU core of the same node or, if no node has both, a CPU core. Without
    any slot, Ray would wait for ever.
    """
    nodes = list(nodes)
    gpus = sum(_on_gpus(n) for n in nodes)
    return (gpus, True) if gpus else (sum(n.whole("CPU") for n in nodes), False)


def _on_gpus(node: Node) -> int:
    return min(node.whole("CPU"), node.whole("GPU"))


def needs(plan: Plan, shape: tuple[int, int, int]) -> Needs:
    """Memory for a plan's images of ``shape`` (channels, height, width): real ones once, synthetic ones twice.

    Synthetic images are held as shards, and again as the pool into which these are joined.
    """
    trials, pixels = list(plan.trials.values()), prod(shape)
    return Needs(
        max((t.subset.num_real for t in trials), default=0) * pixels,
        max((t.subset.num_real + 2 * t.num_synthetic for t in trials), default=0) * pixels,
    )


def resources(nodes: Sequence[Node]) -> list[Finding]:
    """Which of the cluster's resources a run would use, and which would stay idle."""
    count, gpu = whole_slots(nodes)
    has = first_few(
        (f"{n.name} has {n.resources.get('CPU', 0):g} CPU, {n.resources.get('GPU', 0):g} GPU" for n in nodes), SHOWN
    )
    if not count:
        return [
            Finding(
                "slots",
                f"no node has a whole CPU core for a slot ({has}), so Ray would wait for ever; "
                "start a node with --num-cpus 1 or more (nodes that an autoscaler might add do not count)",
                "problem",
            )
        ]
    each = "GPU with a CPU core" if gpu else "CPU core"
    rows = [Finding("slots", f"{count:,} {'slot' if count == 1 else 'slots'}, each a {each}: {has}")]
    idle = [n for n in nodes if n.whole("GPU") > _on_gpus(n)]
    if idle:
        rows.append(
            Finding(
                "GPUs",
                f"not all are used on {names(idle)}: each needs a CPU core of its own node. Start "
                "these nodes with --num-cpus as large as --num-gpus",
                "note",
            )
        )
    aside = [n for n in nodes if n.whole("CPU") and not n.whole("GPU")]
    if gpu and aside:
        rows.append(
            Finding(
                "CPUs",
                f"the CPUs of {names(aside)} are not used: on a cluster with GPUs, all work runs on GPUs",
                "note",
            )
        )
    return rows


def versions(driver: Software, nodes: Sequence[Node]) -> list[Finding]:
    """Nodes whose software differs from the driver's: a run would mix results of both, or fail there."""
    skew: dict[tuple[str, bool], list[Node]] = {}
    for node in nodes:
        for said in _skew(driver, node.answer.software) if node.answer else ():
            skew.setdefault(said, []).append(node)
    rows = [
        Finding(
            "versions",
            f"{what} on {names(where)}; install the driver's versions on every node",
            "problem" if refused else "note",
        )
        for (what, refused), where in skew.items()
    ]
    ours = f"synaug_ray {driver.version}, Python {driver.python}, ray {driver.packages.get('ray')}"
    return rows + [
        Finding(
            "versions",
            f"the software of {n.name} is unknown (here: {ours}): {n.silence}; repair "
            "that node, or remove it from the cluster",
            "problem",
        )
        for n in nodes
        if n.silence
    ]


def _skew(ours: Software, theirs: Software) -> Iterable[tuple[str, bool]]:
    """The differences, each with whether a run is refused for it."""
    if ours.python != theirs.python:
        minor = [s.python.split(".")[:2] for s in (ours, theirs)]
        yield f"Python {ours.python} here, {theirs.python}", minor[0] != minor[1]
    if (ours.version, ours.code) != (theirs.version, theirs.code):
        yield (
            (
                f"synaug_ray {ours.version} here (source {ours.code} in {ours.folder}), {theirs.version} "
                f"(source {theirs.code} in {theirs.folder})"
            ),
            True,
        )
    for name in (n for n in ours.packages if n != "synaug-ray"):  # whose source was compared above
        here, there = ours.packages[name], theirs.packages.get(name)
        if there is None:
            yield f"{name} {here} here, none", True
        elif there != here:
            yield f"{name} {here} here, {there}", name in DECIDING


def sharing(storage: str, here: str, nodes: Sequence[Node], unwritten: str = "") -> list[Finding]:
    """Whether all nodes can read and write the driver's storage; ``unwritten`` says why the driver itself cannot."""
    if unwritten:
        return [
            Finding(
                "shared",
                f"cannot write to {storage} ({unwritten}); set --storage to a folder you may write "
                "to, or $SYNAUG_STORAGE",
                "problem",
                StorageProblem,
            )
        ]
    rows = []
    for said, attribute in (
        (f"is not shared by all nodes: a marker written on {here} was not seen on", "unread"),
        ("can be read but not written on", "unwritten"),
    ):
        where: dict[str, list[Node]] = {}
        for n in nodes:
            if n.answer and (reason := getattr(n.answer, attribute)):
                where.setdefault(reason, []).append(n)
        rows += [(f"{storage} {said} {names(some_nodes)} ({reason})") for reason, some_nodes in where.items()]
    back = [n for n in nodes if n.unseen]
    if back:
        rows.append(
            f"{storage} is not shared by all nodes: a marker written on {names(back)} was not seen on {here} "
            f"({back[0].unseen})"
        )
    if rows:
        return [
            Finding(
                "shared",
                f"{row}; set --storage to a folder that all nodes can read and write, or to a URL",
                "problem",
                StorageProblem,
            )
            for row in rows
        ]
    asked = [n for n in nodes if n.answer]
    return [Finding("shared", f"all {len(asked)} nodes can read and write it")] if len(asked) > 1 else []


def weights(nodes: Sequence[Node]) -> list[Finding]:
    """Nodes without the weights of a pretrained network: steps that need it would fail there."""
    where: dict[str, list[Node]] = {}
    for node in nodes:
        for path in node.answer.missing_files if node.answer else ():
            where.setdefault(path, []).append(node)
    return [
        Finding(
            "weights",
            f"the weights {path} are missing on {names(some_nodes)}, or differ there; "
            "copy it to the same path on all nodes, or give a path that all nodes share",
            "problem",
        )
        for path, some_nodes in where.items()
    ]


def memory(nodes: Sequence[Node], needed: Needs = Needs(0, 0)) -> list[Finding]:
    """Whether each node has enough memory, and enough object store for the images; estimates, so only notes."""
    gpu = whole_slots(nodes)[1]
    rows = []
    for n in nodes:
        lanes = LANES * (_on_gpus(n) if gpu else n.whole("CPU"))
        wanted, has = lanes * (WORKER_BYTES + needed.process), n.resources.get("memory", 0)
        if lanes and wanted > has:
            rows.append(
                f"{n.name}: {lanes} processes need about {size(wanted)}, and Ray found {size(has)} free; it "
                "may kill some to free memory. Start that node with fewer CPUs (--num-cpus)"
            )
        store = n.resources.get("object_store_memory", 0)
        if lanes and needed.dataset > store:
            rows.append(
                f"{n.name}: the images take at least {size(needed.dataset)} of an object store of "
                f"{size(store)}, and would spill to disk; start it with a larger --object-store-memory"
            )
    if rows:
        return [Finding("memory", row, "note") for row in rows]
    return [
        Finding("memory", f"enough for {LANES} processes per slot, about {size(WORKER_BYTES + needed.process)} each")
    ]


def bf16(nodes: Sequence[Node], asked: bool) -> list[Finding]:
    """CPUs that would have to emulate bf16, if the run uses CPUs; ``asked``: whether the run uses bf16."""
    lacking = [n for n in nodes if n.answer and n.answer.bf16 is False]
    if whole_slots(nodes)[1]:
        return []
    if not lacking:
        known = all(n.answer and n.answer.bf16 for n in nodes)
        return [Finding("bf16", "all CPUs support it in hardware")] if known else []
    return [
        Finding(
            "bf16",
            f"the CPU of {names(lacking)} has to emulate it, about ten times slower than fp32"
            + (", and this grid uses it; set precision=fp32" if asked else ""),
            "note" if asked else "ok",
        )
    ]


def names(nodes: Iterable[Node]) -> str:
    """The names of nodes, for a sentence."""
    return first_few((n.name for n in nodes), SHOWN)
