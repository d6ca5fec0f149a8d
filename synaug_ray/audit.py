"""``python -m synaug_ray.audit SPEC``: a data set's contents, its problems, and what they mean for the answer."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from synaug_ray.common.cli import Parser, print_problem, run_command
from synaug_ray.common.errors import DONE, INTERRUPTED, Message, Problem, StorageProblem, UsageProblem, collect_problems
from synaug_ray.config.data_options import DataOptions
from synaug_ray.config.messages import messages
from synaug_ray.config.yaml_source import Lines, parse_overrides, short
from synaug_ray.data.identify import identify
from synaug_ray.data.load import load, settled
from synaug_ray.plan.subset import DataIdentity
from synaug_ray.store.locations import cache_folder
from synaug_ray.store.run_folder import AUDIT, GRID, PAGE, STATUS, RunFolder

QUIET = 10.0  # seconds between two lines of progress


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code (see ``synaug_ray.common.errors``). Warnings do not count as failures."""
    try:
        return _main(_parser().parse_intermixed_args(sys.argv[1:] if argv is None else argv))
    except Problem as problem:
        return print_problem(problem)
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m synaug_ray.audit",
        allow_abbrev=False,
        description="Checks a data set: its contents, its problems, and what they mean for the answer.",
        epilog="exit codes: 0 done, with warnings or without, 2 command line, 3 data, 5 storage, "
        "6 a package is missing, 70 a bug, 130 interrupted",
    )
    parser.add_argument("dataset", help="as in a grid: digits, folder:PATH, npz:FILE ...")
    parser.add_argument("options", nargs="*", metavar="key=value", help="how to read it, for example size=16 mode=gray")
    parser.add_argument("--json", metavar="FILE", help="write the findings and all their numbers")
    parser.add_argument(
        "--data", metavar="PATH", help="folder for downloads and decoded images; default ~/.cache/synaug_ray"
    )
    return parser


def _main(args: argparse.Namespace) -> int:
    options, _, cache = collect_problems(
        lambda: data_options(args.options), lambda: _check_writable(args.json), lambda: cache_folder(args.data)
    )
    started = time.monotonic()
    data = _identify(args.dataset, options, cache)
    dataset = load(data, cache)
    data = settled(data, cache)
    seconds = time.monotonic() - started
    print(f"read     {seconds:.1f} s", flush=True)

    # after reading the data: torch takes seconds to import
    from synaug_ray.data.audit.audit import audit, table
    from synaug_ray.data.audit.left_out import known_in_train, told_without, without_known
    from synaug_ray.data.audit.mirrored import with_mirrored
    from synaug_ray.data.audit.searched import searched_images

    audited = audit(dataset, searched=searched_images(data, dataset, cache), tell=_progress_printer())
    if data.options.duplicates == "drop-test" and known_in_train(audited):
        audited = told_without(audited, dataset, without_known(dataset, known_in_train(audited)))
    audited = with_mirrored(audited, dataset.train, None)
    if args.json:
        text = json.dumps(
            {
                "source": args.dataset,
                "options": data.options.model_dump(mode="json"),
                "key": data.key,
                "read_seconds": round(seconds, 3),
                **audited.to_json(),
            },
            indent=1,
        )
        try:
            Path(args.json).write_text(text + "\n")
        except OSError as error:
            raise StorageProblem(
                f"--json {args.json}: cannot be written ({error.strerror})", code="json-path"
            ) from None
    print(table(audited) + (f"\njson     {args.json}" if args.json else ""), flush=True)
    return DONE


class _Declared(BaseModel):
    """Makes messages refer to options as in a grid: ``data.size``."""

    model_config = ConfigDict(extra="forbid")

    data: DataOptions = DataOptions()


def data_options(words: list[str]) -> DataOptions:
    """Parse words such as ``size=16`` or ``data.size=16``.

    Raises:
        UsageProblem: with all problems.
    """
    raw: dict[str, object] = {}
    lines = Lines("command line")
    meant = {w if w.startswith("data.") or "=" not in w else f"data.{w}": w for w in words}
    problems = parse_overrides(raw, list(meant), lines)
    lines.overrides = {at: meant[text] for at, text in lines.overrides.items()}  # messages quote what was typed
    problems = [_as_typed(problem, meant) for problem in problems]
    declared = _Declared()
    try:
        declared = _Declared.model_validate(raw)
    except ValidationError as error:
        problems += messages(error, (), lines)
    if problems:
        raise UsageProblem(problems)
    return declared.data


def _as_typed(problem: Message, meant: Mapping[str, str]) -> Message:
    """The message with the override that was typed, instead of the one that was parsed."""
    quoted = {f"override {short(text)}": f"override {short(typed)}" for text, typed in meant.items()}
    return dataclasses.replace(problem, place=quoted.get(problem.place, problem.place))


def _identify(dataset: str, options: DataOptions, cache: Path) -> DataIdentity:
    """Identify the data set like a grid; for a path without a kind, the message suggests one.

    The folder of a run is no data set: the message says where its audit is.
    """
    if (run := _run_at(dataset.removeprefix("folder:"))) is not None:
        raise UsageProblem(
            f"{dataset} is the folder of a run, not a data set. Its audit is in {run.url}/{AUDIT}, and under “Data "
            f"audit” on its page, {run.url}/{PAGE}" + _again(run),
            code="data-is-a-run",
        )
    if ":" not in dataset and os.path.exists(dataset):
        kind = "folder" if os.path.isdir(dataset) else Path(dataset).suffix.lstrip(".")
        raise UsageProblem(
            f"{dataset} is a path; say what kind of source it is"
            + (
                f", for example {kind}:{dataset}"
                if kind in ("folder", "npz", "parquet")
                else ": folder:, npz:, parquet:"
            ),
            code="data-kind",
        )
    return identify(dataset, options, "dataset", cache)


def _run_at(path: str) -> RunFolder | None:
    """The run in a local folder; None if that is no run's."""
    if not os.path.isdir(path) or not all(os.path.isfile(os.path.join(path, name)) for name in (GRID, STATUS)):
        return None
    storage, name = os.path.split(os.path.abspath(path))
    return RunFolder(storage, name)


def _again(run: RunFolder) -> str:
    """The command that audits a run's data set; empty if the run does not say which that is."""
    source = (run.read_json(STATUS) or {}).get("dataset")
    return f". To audit its data set: python -m synaug_ray.audit {shlex.quote(str(source))}" if source else ""


def _check_writable(file: str | None) -> None:
    """Fail before minutes of work, rather than after them, if the result cannot be written."""
    if file is None:
        return
    path = Path(file)
    parent = path.resolve().parent
    if os.path.isdir(path):  # not Path.is_dir, which raises if a parent folder may not be searched
        raise StorageProblem(f"--json {file}: is a folder; name a file", code="json-path")
    if not os.access(path if os.path.exists(path) else parent, os.W_OK):
        if not os.access(parent, os.F_OK) and os.access(next(p for p in parent.parents if os.path.isdir(p)), os.X_OK):
            raise StorageProblem(f"--json {file}: no folder {parent}; create it first", code="json-path")
        raise StorageProblem(
            f"--json {file}: cannot be written (permission denied); name a file in a folder that you may write to",
            code="json-path",
        )
    if not os.path.isdir(parent):
        raise StorageProblem(f"--json {file}: no folder {parent}; create it first", code="json-path")


def _progress_printer() -> Callable[[str, float], None]:
    """Prints progress on stderr, at most one line every ``QUIET`` seconds."""
    last = time.monotonic()

    def progress(what: str, share: float) -> None:
        nonlocal last
        if time.monotonic() - last > QUIET:
            last = time.monotonic()
            print(f"audit    duplicates, {what}: {share:.0%}", file=sys.stderr, flush=True)

    return progress


if __name__ == "__main__":
    sys.exit(run_command(main))
