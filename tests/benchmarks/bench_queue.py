"""Pages while a queue trains on all cores, beside an idle machine: ``python tests/benchmarks/bench_queue.py``.

One page of a trained LeNet-300-100 is used by hand and by its routes: nothing trains; an experiment started from the
browser trains (one worker); one from the shell trains with a worker for each core. The queue is in the same folder,
and its runs record every epoch, so the page is told of each.
"""

import argparse
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench_live import DRAG, ours, row, words
from prunescope.engine.pruning.criteria import CRITERIA
from prunescope.engine.store import Store
from serving import chromium

# Nets that take long enough to train that the queue outlasts the measurement.
QUEUE = ("run.epochs=2000", "run.snapshot_every=1", "sweep.measures=[]", "sweep.grid={hidden=[[300],[301],[302],[303]]}")
CLUSTERS = range(2, 13)
SLIDER_MS, ANSWER_MS = 50, 300
GIVE_UP_SECONDS = 120.0
READY = """() => { const ps = window.prunescope, page = document.getElementById('page-pruning');
    return Boolean(page && document.documentElement.dataset.ready && ps.view().run &&
        ps.pageFeeds(page).every(name => !ps.feed(name).busy && ps.feed(name).epochs.length)); }"""


def main() -> int:
    """Measure each thing idle and beside two queues, and print them in turn."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    cores = os.cpu_count() or 1
    with chromium() as browser, tempfile.TemporaryDirectory() as name:
        print(f"{'what':52} {'against':34} {'to reach':>10} {'measured':>12}")
        folder = Path(name)
        run_id = trained(folder)
        with ours(folder) as address:
            url = address.partition("/trajectories")[0]
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.goto(f"{url}/pruning?run={run_id}&epoch=2&follow=0")
            wait_for(lambda: page.evaluate(READY))
            idle = used(page, url, run_id)
            for workers in sorted({1, cores}):
                with training(folder, workers):
                    busy = used(page, url, run_id)
                for what, reach in TABLE.items():
                    for share, of in ((0.5, "median"), (0.95, "95 of 100")):
                        against = f"idle, {words(idle[what], share)}"
                        row(f"{what}, {workers} training: {of}", against, reach, words(busy[what], share))
    return 0


TABLE = {"slider → paint": f"≤ {SLIDER_MS} ms", "first answer, new criterion": f"≤ {ANSWER_MS} ms", "rows of another k": ""}


def used(page: Any, url: str, run_id: str) -> dict[str, list[float]]:
    """What → milliseconds of each time."""
    return {
        "slider → paint": page.evaluate(DRAG),
        "first answer, new criterion": [first_bytes(url, "pruning", run=run_id, at="2", crit=name)
                                        for name in fresh(CRITERION, 8)],
        "rows of another k": [first_bytes(url, "alignment", run=run_id, k=str(k), pct=str(pct), whole=True)
                              for k, pct in fresh(SETTINGS, 12)],
    }  # fmt: skip


def fresh(of: Iterator[Any], count: int) -> list[Any]:
    """The next ones that nobody has asked for yet: what is known already needs no computing."""
    return list(itertools.islice(of, count))


CRITERION = iter([name for name in CRITERIA if name not in ("l2", "random") and "ablation" not in name])
SETTINGS = itertools.product(CLUSTERS, range(5, 91, 5))


def first_bytes(url: str, feed: str, *, whole: bool = False, **view: str) -> float:
    """Milliseconds until the first row, or all of them, of a feed has come."""
    query = "&".join(f"{name}={value}" for name, value in ({"feed": feed} | view).items())
    begin = time.perf_counter()
    with urllib.request.urlopen(f"{url}/api/rows?{query}") as answer:
        if whole:
            answer.read()
        else:
            # The head comes at once and says what is drawn; the row behind it is what was measured.
            frame(answer)
            frame(answer)
        return 1000 * (time.perf_counter() - begin)


def frame(answer: Any) -> None:
    sizes = answer.read(8)
    answer.read(int.from_bytes(sizes[:4], "little") + int.from_bytes(sizes[4:], "little"))


def trained(folder: Path) -> str:
    """A network of 2 epochs; its run's id."""
    command = [sys.executable, "-m", "prunescope.app.cli", "train", "--logdir", str(folder), "--epochs", "2"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*command, "--model", "lenet-300-100"], check=True, **quiet)
    with contextlib.closing(Store(folder)) as store:
        return store.runs()[0].id


@contextlib.contextmanager
def training(folder: Path, workers: int) -> Iterator[None]:
    """A queue with so many runs under way; it is wound down at the end."""
    changes = [word for change in (*QUEUE, f"name='bench-{workers}'") for word in ("--set", change)]
    command = [sys.executable, "-m", "prunescope.app.cli", "sweep", "--recipe", "digits-width", *changes,
               "--logdir", str(folder), "--executor", f"local:{workers}"]  # fmt: skip
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with contextlib.closing(Store(folder)) as store, subprocess.Popen(command, **quiet) as process:
        wait_for(lambda: sum(run.status == "running" and len(run.epochs) > 3 for run in store.runs()) >= workers)
        try:
            yield
        finally:
            assert process.poll() is None, "the queue ended before it was measured beside"
            process.send_signal(signal.SIGINT)


def wait_for(condition: Any) -> None:
    end = time.monotonic() + GIVE_UP_SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain: is the machine free?"
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
