"""From the command to the first answer, as a user waits for it: ``python tests/benchmarks/bench_start.py``."""

import argparse
import importlib.util
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROUNDS = 5
REACH_SECONDS = 2.0


def main() -> int:
    """Measure `prunescope ui` and, where it is installed, TensorBoard, in turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="starts of each (default %(default)s)")
    rounds = parser.parse_args().rounds
    has_tensorboard = importlib.util.find_spec("tensorboard") is not None
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            ours.append(first_answer(["prunescope.app.cli", "ui", "--no-open"], folder))
            if has_tensorboard:
                theirs.append(first_answer(["tensorboard.main", "--host", "127.0.0.1"], folder))
        loaded = "torch" in imported(folder)
    print(f"{'what':52} {'against':34} {'to reach':>10} {'measured':>12}")
    against = f"TensorBoard, {statistics.median(theirs):.2f} s" if theirs else "TensorBoard: not installed"
    row("prunescope ui: command to first page", against, f"≤ {REACH_SECONDS:.0f} s", f"{statistics.median(ours):.2f} s")
    row("the same, slowest of " + str(rounds), "–", "", f"{max(ours):.2f} s")
    row("torch imported on the way", "–", "no", "yes" if loaded else "no")
    return 0


def row(what: str, against: str, reach: str, measured: str) -> None:
    """One line of the table."""
    print(f"{what:52} {against:34} {reach:>10} {measured:>12}", flush=True)


def first_answer(command: list[str], folder: str) -> float:
    """Seconds from starting a server until its first page has been read."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--logdir", folder, "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
                    answer.read()
                return time.perf_counter() - begin
            except (urllib.error.URLError, ConnectionError):
                if process.poll() is not None:
                    raise SystemExit(f"{command[0]} ended with {process.returncode}") from None
                time.sleep(0.005)
    finally:
        process.terminate()
        process.wait()


def imported(folder: str) -> set[str]:
    """Top-level modules that a server has loaded when it has answered, as its own import log tells."""
    log = Path(folder) / "imports.txt"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "prunescope.app.cli", "ui", "--no-open", "--port", "0"],
            stderr=sink,
            env=os.environ | {"PRUNESCOPE_LOGDIR": folder},
        )
        try:
            while not (found := re.search(r"Prunescope on (http://[^/\s]+)", log.read_text(errors="replace"))):
                if process.poll() is not None:
                    raise SystemExit(f"prunescope ended with {process.returncode}")
                time.sleep(0.02)
            with urllib.request.urlopen(found[1] + "/", timeout=60) as answer:
                answer.read()
        finally:
            process.terminate()
            process.wait()
    lines = (line for line in log.read_text(errors="replace").splitlines() if line.startswith("import time:"))
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}


if __name__ == "__main__":
    sys.exit(main())
