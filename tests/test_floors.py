"""The floors of the house, beyond what the contracts in ``pyproject.toml`` (``lint-imports``) hold."""

import ast
import subprocess
import sys

from helpers.paths import REPOSITORY

MODULES = {path: ast.parse(path.read_text()) for path in sorted((REPOSITORY / "synaug_ray").rglob("*.py"))}


def imported_by(code: str) -> set[str]:
    """Top-level packages that a fresh process has imported after ``code``: what packages pull in counts too."""
    code += "; import sys; print(' '.join(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_a_dry_run_needs_neither_torch_nor_ray(tmp_path):
    words = ["digits", "--dry-run", "--storage", str(tmp_path)]
    code = f"from synaug_ray.grid import main; assert main({words!r}) == 0"
    assert not imported_by(code) & {"torch", "torchvision", "ray", "timm", "diffusers", "sklearn", "plotly", "scipy"}


def test_a_plan_for_a_gain_needs_neither_torch_nor_ray(tmp_path):
    words = [
        "digits",
        "--plan",
        "--no-timing",
        "--storage",
        str(tmp_path),
        "num_real=[40]",
        "synthetic_multiples=[0, 1]",
    ]
    code = "from synaug_ray.analysis import power; power.LEAST_TABLES = power.MOST_TABLES = 2; "
    code += f"from synaug_ray.grid import main; assert main({words!r}) == 0"
    assert not imported_by(code) & {"torch", "torchvision", "ray", "timm", "diffusers", "plotly"}


def test_the_answer_and_its_page_are_made_without_torch_and_ray():
    found = imported_by("import synaug_ray.compare, synaug_ray.report.page, synaug_ray.analysis.analyse")
    assert not found & {"torch", "torchvision", "ray", "timm", "diffusers", "sklearn"}
    assert "scipy" in found and "plotly" in found


def test_no_pickle_and_no_code_from_a_file():
    """The Store holds safetensors, JSON, Parquet and npy; a grid is never executed."""
    picklers = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    # CIFAR is published as pickles: their md5 is checked first, and the Unpickler allows uint8 arrays alone
    may_unpickle = REPOSITORY / "synaug_ray/data/sources/cifar.py"
    for path, tree in MODULES.items():
        for node in ast.walk(tree):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [])
            )
            found = picklers & {name.split(".")[0] for name in names}
            assert not found or (path == may_unpickle and found == {"pickle"}), path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile", "__import__"}, path
