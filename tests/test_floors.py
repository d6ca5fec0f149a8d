"""The floors of the house: a room may use only rooms below it. Read from the code, not from memory."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "synaug_ray"
MODULES = {".".join(("synaug_ray", *p.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): p
           for p in sorted(PACKAGE.rglob("*.py"))}
FLOOR_0 = {f"synaug_ray.{name}" for name in (
    "errors", "command_line", "keys", "recipes", "feature_recipes", "presets", "data_options", "grid_yaml", "spec",
    "grid_errors", "grid_checks", "grid_file", "steps", "cpu_features", "findings")} | {"synaug_ray"}
FLOOR_1 = {f"synaug_ray.{name}" for name in (
    "plan", "store", "object_store", "run_folder", "cache_folder", "tables", "quality_tables", "costs", "provenance",
    "standing", "cluster_checks", "ray_access", "records", "disk_space", "storage_faults", "upkeep")}
WORK = {f"synaug_ray.{name}" for name in (
    "bench", "execute", "causes", "vetting", "session", "summary", "local", "loggers", "grid")}
ROOMS = {"data", "generators", "samplers", "classifiers", "passes", "precision", "quality"}
COMPUTE = {m for m in MODULES if len(m.split(".")) > 1 and m.split(".")[1] in ROOMS}
ANALYSIS = {m for m in MODULES if len(m.split(".")) > 1 and m.split(".")[1] in ("laws", "report")}
CLUSTER = {m for m in MODULES if m.split(".")[1:2] == ["cluster"]}


def found(tree):
    """(imported name, whether when the module is imported) for every import statement of a module."""
    deferred = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            deferred |= {id(n) for n in ast.walk(node)}
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            deferred |= {id(n) for n in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in deferred
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module, id(node) not in deferred


@cache
def imports(module, deferred=True):
    """What a module imports; with ``deferred``, inside functions too."""
    tree = ast.parse(MODULES[module].read_text())
    return frozenset(name for name, at_once in found(tree) if at_once or deferred)


def ours(names):
    return {n for n in names if n.split(".")[0] == "synaug_ray"}


def others(names):
    """Names outside the package and the standard library, without their parts."""
    return {n.split(".")[0] for n in names} - {"synaug_ray"} - set(sys.stdlib_module_names)


def reached(module):
    """Every module that importing this one imports, and what of others they import."""
    seen, todo, outside = set(), [module], set()
    while todo:
        at = todo.pop()
        if at in seen:
            continue
        seen.add(at)
        names = imports(at, deferred=False)
        outside |= others(names)
        parents = {".".join(n.split(".")[:i]) for n in ours(names) for i in range(1, n.count(".") + 2)}
        todo += [n for n in parents if n in MODULES]
    return seen, outside


def test_the_reader_of_imports_sees_what_it_should():
    tree = ast.parse("import os.path\nfrom synaug_ray import plan\nfrom synaug_ray.keys import content_key\n"
                     "if TYPE_CHECKING:\n    import torch\ndef f():\n    import ray.data\n")
    assert set(found(tree)) == {("os.path", True), ("synaug_ray.plan", True), ("synaug_ray.keys", True),
                                ("torch", False), ("ray.data", False)}
    assert len(MODULES) > 40 and FLOOR_0 | FLOOR_1 <= set(MODULES) and CLUSTER and ANALYSIS and len(COMPUTE) > 8


@pytest.mark.parametrize("module", sorted(set(MODULES) - CLUSTER))
def test_ray_is_imported_in_the_cluster_alone(module):
    assert "ray" not in others(imports(module))


def test_the_cluster_does_use_ray():
    """Else the test above could say nothing."""
    assert any("ray" in others(imports(m)) for m in CLUSTER)


@pytest.mark.parametrize("module", sorted(FLOOR_0))
def test_names_need_pydantic_and_yaml_alone(module):
    assert others(imports(module)) <= {"pydantic", "yaml"}
    assert ours(imports(module)) <= FLOOR_0


@pytest.mark.parametrize("module", sorted(FLOOR_1))
def test_the_disk_floor_stands_on_the_names_and_itself(module):
    assert ours(imports(module)) <= FLOOR_0 | FLOOR_1
    assert others(imports(module)) <= {"fsspec", "pandas", "safetensors", "numpy", "yaml"}


@pytest.mark.parametrize("module", sorted(COMPUTE))
def test_compute_knows_no_cluster_and_no_store(module):
    above = FLOOR_1 | WORK | CLUSTER | ANALYSIS
    above -= {"synaug_ray.plan"}  # a check compares what a plan asks for with what the data hold
    assert not ours(imports(module)) & above
    assert not others(imports(module)) & {"fsspec", "ray", "pandas", "plotly"}


@pytest.mark.parametrize("module", sorted(ANALYSIS))
def test_analysis_runs_on_a_laptop_from_tables_alone(module):
    """Neither torch nor anything that needs it, nor images, nor a cluster."""
    assert not others(imports(module)) & {"torch", "torchvision", "timm", "diffusers", "safetensors", "sklearn", "ray"}
    above = WORK | CLUSTER | COMPUTE
    assert not ours(imports(module)) & above


def test_nothing_but_a_door_starts_a_cluster():
    users = {m for m in set(MODULES) - CLUSTER if ours(imports(m)) & CLUSTER}
    assert users <= {f"synaug_ray.{door}" for door in ("grid", "audit", "predict", "status", "doctor")}


def test_everything_a_dry_run_imports_is_free_of_torch_and_ray():
    modules, outside = reached("synaug_ray.grid")
    assert "synaug_ray.plan" in modules and "synaug_ray.data.sources" in modules
    assert not outside & {"torch", "torchvision", "ray", "timm", "diffusers", "sklearn", "plotly", "scipy"}


def test_the_page_is_made_without_torch_and_ray():
    """In a process of its own: what the packages pull in counts too."""
    code = ("import sys, synaug_ray.report.page, synaug_ray.laws.analysis, synaug_ray.tables; "
            "print(sorted({'torch', 'ray'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent, check=True)
    assert done.stdout.strip() == "[]"


def test_no_module_imports_its_own_importer_when_it_is_imported():
    """A circle among modules works until somebody imports them in another order."""
    graph = {m: {n for n in ours(imports(m, deferred=False)) if n in MODULES and n != m} for m in MODULES}
    while True:
        leaves = {m for m, needs in graph.items() if not needs & graph.keys()}
        if not leaves:
            break
        graph = {m: needs for m, needs in graph.items() if m not in leaves}
    assert graph == {}


def test_no_pickle_and_no_code_from_a_file():
    """The Store holds safetensors, JSON, Parquet and npy; a grid is never executed."""
    picklers = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    for module, path in MODULES.items():
        assert not picklers & {n.split(".")[0] for n in imports(module)}, module
        names = {n.func.id for n in ast.walk(ast.parse(path.read_text()))
                 if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        assert not names & {"eval", "exec", "compile", "__import__"}, module
