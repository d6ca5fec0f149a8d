"""Runs of a grid in which processes are killed at random, against one that nobody disturbed.

    python tests/benchmarks/torture.py [--runs 5] [--seed 1] [--grid smoke] [--words draws=8] [--out FILE]

Ten kills a run, each SIGKILL, of a part drawn from a deck, some seconds after it is seen at work: the driver (the same
command is given again at once), a Tune worker, a Train worker, a sampler, the aggregator, the ledger, or a raylet (the
driver then ends by itself, and the same command is given again). Only processes that descend from our own driver are
touched. At the end the table has to be the undisturbed one's, bit for bit, and no step whose Record stood before a kill
may have been made again. A driver without a raylet ends with 75, with 1 where Ray ends it first, with 6 in Ray's start.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.victims import Driver, attempts, table  # noqa: E402

PARTS = ("driver", "tune", "train", "sampler", "aggregator", "ledger", "raylet")
DECK = (*PARTS, "driver", "tune", "raylet")  # the kills of a run, shuffled
PATIENCE = 75.0  # seconds to wait for a part to be played, before another is drawn; an aggregator comes after 60
LEFT_SECONDS = 120.0  # two of Ray's agents look for its head so long, where it went with the driver
END_SECONDS = 120.0  # for a driver that lost its cluster; on an idle machine it takes 20


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--grid", default="smoke")
    parser.add_argument("--words", nargs="*", default=["draws=8"], help="for work to be left until the last kill")
    parser.add_argument(
        "--every", type=float, default=6.0, help="seconds from a part's first being there to its kill, at most"
    )
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    started = time.monotonic()
    quiet = Driver(args.grid, folder / "quiet", *args.words, "--local", log=folder / "quiet.log")
    assert quiet.wait(3600) == 0, (folder / "quiet.log").read_text()
    expected = table(folder / "quiet", Path(args.grid).stem)
    print(f"undisturbed, --local: {time.monotonic() - started:.0f} s, {len(expected)} trials", flush=True)
    lines, good = [], True
    for run in range(args.runs):
        row, ok = torture(run, args, folder, expected)
        good &= ok
        lines.append(row)
        print(row, flush=True)
    head = (
        "| run | seconds | killed | driver's exit codes | steps | made again although it stood | table equal "
        "| left over |\n|---|---|---|---|---|---|---|---|"
    )
    text = f"{head}\n" + "\n".join(lines) + "\n"
    if args.out:
        args.out.write_text(text)
    print(text)
    shutil.rmtree(folder, ignore_errors=True)
    return 0 if good else 1


def torture(number: int, args: argparse.Namespace, folder: Path, expected) -> tuple[str, bool]:
    dice = random.Random(args.seed * 1000 + number)
    storage, log = folder / f"run{number}", folder / f"run{number}.log"
    started, killed, codes, stood, ended = time.monotonic(), [], [], {}, []
    driver = Driver(args.grid, storage, *args.words, log=log)
    deck = dice.sample(DECK, len(DECK))
    while deck:
        part, pause = deck.pop(), dice.uniform(0.0, args.every)
        until = time.monotonic() + PATIENCE
        while driver.process.poll() is None and part != "driver" and not driver.playing(part):
            if time.monotonic() > until:  # a part that nobody plays yet, or any more
                part = dice.choice([p for p in PARTS if p == "driver" or driver.playing(p)])
            time.sleep(0.1)
        at = time.monotonic() + pause
        while driver.process.poll() is None and time.monotonic() < at:
            driver.family()
            time.sleep(0.1)
        if driver.process.poll() is not None:
            break
        if part != "driver" and not driver.playing(part):  # it ended by itself
            deck.append(part)
            continue
        stood |= {k: a for k, a in attempts(storage).items() if k not in stood}
        if part == "driver":
            driver.family()
            driver.process.send_signal(signal.SIGKILL)
            driver.process.wait()
        else:
            dice.choice(driver.playing(part)).kill()
        killed.append(part)
        print(f"  run {number}, {time.monotonic() - started:5.0f} s: {part}; {len(stood)} steps stood", flush=True)
        if part == "raylet":
            codes.append(driver.wait(END_SECONDS))
            if codes[-1] is None:
                driver.end()
        if part in ("driver", "raylet"):
            ended.append(driver)
            driver = Driver(args.grid, storage, *args.words, log=log)
    codes.append(driver.wait(3600))
    seconds = time.monotonic() - started
    left = [name for one in (*ended, driver) for name in one.left(LEFT_SECONDS)]
    again = sum(attempts(storage).get(k) != a for k, a in stood.items())
    equal = expected.equals(table(storage, Path(args.grid).stem))
    counts = ", ".join(f"{killed.count(p)} {p}" for p in PARTS if p in killed)
    row = (
        f"| {number} | {seconds:.0f} | {counts} | {' '.join(map(str, codes))} | "
        f"{len(attempts(storage))} | {again} | {'yes' if equal else 'NO'} | {', '.join(left) or 'none'} |"
    )
    ok = equal and not again and not left and codes[-1] == 0 and set(codes[:-1]) <= {1, 6, 75}
    if not ok:
        print(log.read_text()[-6000:], flush=True)
    return row, ok


if __name__ == "__main__":
    sys.exit(main())
