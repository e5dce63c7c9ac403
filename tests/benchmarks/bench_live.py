"""From a committed epoch to paint, against polling; from a slider to paint: ``python tests/benchmarks/bench_live.py``.

The figure is the paths of all units through all epochs. Polling is the usual way: a ``dcc.Interval`` of 0.5 s
whose callback returns the whole figure, made of the same rows by the same functions, only when there is
something new. Ours draws the page's two smaller figures as well. Painted: the frame after the figure carries
the new epoch has been shown; commit and frame are read from the same machine's clock.
"""

import argparse
import contextlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from prunescope.engine.store import LayerInfo, Store
from serving import chromium, served

FAN_IN = 576
PERIOD_MS = 500
GIVE_UP_SECONDS = 20.0
CATCH_UP_SECONDS = 120.0
SIZES = {(64, 40): 150, (512, 200): 450}
"""(units, epochs before the measured ones) → median to reach, ms."""

# Notes when each epoch was first seen on screen: a frame that finds it waits for its own paint.
STAMP = """
window.painted = {};
const look = () => {
  const epoch = (EPOCH_OF)();
  if (epoch !== undefined && !(epoch in painted)) {
    painted[epoch] = 0;
    setTimeout(() => { painted[epoch] = Date.now(); });
  }
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
performance.setResourceTimingBufferSize(100000);
"""
OURS = "() => document.querySelector('#page-trajectories [data-figure=paths]')?.dataset.epoch"
POLLED = "() => document.querySelector('.js-plotly-plot')?.layout?.meta"
BYTES = """performance.getEntriesByType('resource').filter(e => /rows\\?|_dash-update/.test(e.name))
    .reduce((sum, e) => sum + e.transferSize, 0)"""
DRAG = """async () => {
  const slider = document.querySelector('.page:not([hidden]) [data-control=frac] input');
  const times = [];
  for (let i = 0; i < 60; i++) {
    slider.value = slider.min + (slider.max - slider.min) * (0.5 + 0.45 * Math.sin(i / 5));
    const begin = performance.now();
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    times.push(performance.now() - begin);
    await new Promise(done => setTimeout(done, 40));
  }
  return times;
}"""
FIRST = """
const see = () => {
  const plot = document.querySelector('.page:not([hidden]) .main-svg');
  if (plot && plot.getBoundingClientRect().width) setTimeout(() => { window.firstFigure = performance.now(); });
  else requestAnimationFrame(see);
};
requestAnimationFrame(see);
"""


def main() -> int:
    """Run all measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--updates", type=int, default=20, help="measured epochs of each (default %(default)s)")
    parser.add_argument("--poll", nargs=3, metavar=("LOGDIR", "RUN", "PORT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.poll:
        serve_polling(*options.poll)
        return 0
    with chromium() as browser, tempfile.TemporaryDirectory() as folder:
        print(f"{'what':52} {'against':34} {'to reach':>10} {'measured':>12}")
        for (units, history), reach in SIZES.items():
            updates(browser, Path(folder) / str(units), units, history, reach, options.updates)
        first_figure(browser, Path(folder) / "64")
        slider(browser, Path(folder) / "real")
    return 0


def row(what: str, against: str, reach: str, measured: str) -> None:
    """One line of the table."""
    print(f"{what:52} {against:34} {reach:>10} {measured:>12}", flush=True)


def updates(browser: Any, folder: Path, units: int, history: int, reach: int, count: int) -> None:
    """Time from commit to paint and bytes an update: pushed, then polled, over the same epochs."""
    pushed, pushed_early, pushed_late = course(browser, folder, units, history, count, ours, OURS)
    polled, polled_early, polled_late = course(browser, folder, units, history, count, polling, POLLED)
    name = f"{units} units × {history} epochs"
    row(f"epoch → paint, {name}: median", f"polling, {words(polled, 0.5)}", f"≤ {reach} ms", words(pushed, 0.5))
    row("the same, 95 of 100", f"polling, {words(polled, 0.95)}", "", words(pushed, 0.95))
    row("bytes an update, at epoch 5", f"polling, {polled_early / 1000:.0f} kB", "", f"{pushed_early / 1000:.1f} kB")
    against = f"polling, {polled_late / 1000:.0f} kB"
    row(f"bytes an update, at epoch {history}", against, "as at 5", f"{pushed_late / 1000:.1f} kB")


def course(
    browser: Any, folder: Path, units: int, history: int, count: int, server: Callable[..., Any], epoch_of: str
) -> tuple[list[float], float, float]:
    """One run from its first epochs on, with one page open: (ms to paint, bytes an epoch early, and late)."""
    with recording(folder, units) as (run_id, commit):
        commit(5)
        with server(folder, run_id) as url:
            page = watch(browser, url, epoch_of)
            _, early = measure(page, commit, 5)
            last = commit(history - 10)
            caught_up(page, last)
            times, late = measure(page, commit, count)
            page.context.close()
    return times, early, late


def caught_up(page: Any, epoch: float) -> None:
    """Wait until a page shows the newest epoch: what it had to make up for is no part of an update."""
    end = time.time() + CATCH_UP_SECONDS
    while not page.evaluate("epoch => window.painted[epoch]", epoch) and time.time() < end:
        page.wait_for_timeout(100)


def measure(page: Any, commit: Callable[[int], float], count: int) -> tuple[list[float], float]:
    """Commit at uneven times; milliseconds until each was painted (inf: never), and mean bytes an epoch."""
    generator = random.Random(0)
    page.wait_for_timeout(2000)
    before, times = page.evaluate(BYTES), []
    for _ in range(count):
        epoch = commit(1)
        begin = time.time()
        while not (seen := page.evaluate("epoch => window.painted[epoch]", epoch)):
            page.wait_for_timeout(20)
            if time.time() - begin > GIVE_UP_SECONDS:
                break
        times.append(seen - 1000 * begin if seen else float("inf"))
        page.wait_for_timeout(300 + 700 * generator.random())
    return times, (page.evaluate(BYTES) - before) / count


def words(times: list[float], share: float) -> str:
    """A quantile in words."""
    value = sorted(times)[min(len(times) - 1, int(share * len(times)))]
    return f"{value:.0f} ms" if value < float("inf") else f"> {GIVE_UP_SECONDS:.0f} s"


def first_figure(browser: Any, folder: Path) -> None:
    """From the first byte of the page to its first figure, each time in a browser that has nothing cached."""
    times = []
    with ours(folder) as url:
        urllib.request.urlopen(url).close()
        url = url.partition("/trajectories")[0]
        for _ in range(5):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            page = context.new_page()
            page.add_init_script(FIRST)
            page.goto(url + "/alignment")
            while not (seen := page.evaluate("() => window.firstFigure")):
                page.wait_for_timeout(20)
            times.append(seen - page.evaluate("() => performance.getEntriesByType('navigation')[0].responseStart"))
            context.close()
    row("first figure after the server's answer", "nothing cached", "≤ 5 s", f"{statistics.median(times) / 1000:.2f} s")


def slider(browser: Any, folder: Path) -> None:
    """From a move of the pruning slider to paint, on the measured curve of a real network."""
    command = [sys.executable, "-m", "prunescope.app.cli", "train", "--logdir", str(folder), "--epochs", "2"]
    subprocess.run(
        [*command, "--model", "lenet-300-100"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with ours(folder) as url:
        url = url.partition("/trajectories")[0]
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.goto(url + "/pruning")
        ready = """() => { const ps = window.prunescope, page = document.getElementById('page-pruning');
            return Boolean(page && document.documentElement.dataset.ready && ps.view().run &&
                ps.pageFeeds(page).every(name => !ps.feed(name).busy && ps.feed(name).epochs.length)); }"""
        while not page.evaluate(ready):
            page.wait_for_timeout(100)
        times = page.evaluate(DRAG)
        page.context.close()
    row("pruning slider → paint, known curve: 95 of 100", "–", "≤ 50 ms", words(times, 0.95))
    row("the same, median", "–", "", words(times, 0.5))


@contextlib.contextmanager
def recording(folder: Path, units: int) -> Iterator[tuple[str, Callable[[int], float]]]:
    """A run that this process writes: ``commit(n)`` adds n epochs and returns the last."""
    store = Store(folder)
    run_id = store.create_run({}, name="bench")
    layer = LayerInfo(name="conv", kind="conv", units=units, fan_in=FAN_IN, shape=(units, 64, 3, 3))
    weights = np.random.default_rng(0).standard_normal((units, 64, 3, 3), dtype=np.float32)
    drift = np.random.default_rng(1).standard_normal((units, 64, 3, 3), dtype=np.float32) / 100
    with store.writer(run_id) as writer:
        writer.declare([layer], total_epochs=1000)
        writer.set_state("running")
        count = 0

        def commit(epochs: int) -> float:
            nonlocal count
            for _ in range(epochs):
                accuracy = 1 - 1 / (2 + count)
                writer.commit(count, {"conv.weight": weights + count * drift}, {"val/accuracy": accuracy})
                count += 1
            return count - 1

        yield run_id, commit
        writer.set_state("done")
    store.close()


def watch(browser: Any, url: str, epoch_of: str) -> Any:
    """A page in a profile of its own that notes when each epoch was painted."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.add_init_script(STAMP.replace("EPOCH_OF", epoch_of))
    page.goto(url)
    while not page.evaluate("() => Object.values(window.painted).some(Boolean)"):
        page.wait_for_timeout(50)
    return page


@contextlib.contextmanager
def ours(folder: Path, run_id: str = "") -> Iterator[str]:
    """The product's own server over a folder: the address of a run's trajectories."""
    command = [sys.executable, "-m", "prunescope.app.cli", "ui", "--no-open", "--port", "0", "--logdir", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        found = re.search(r"http://[^/\s]+", process.stderr.readline())
        try:
            yield f"{found[0]}/trajectories?run={run_id}"
        finally:
            process.terminate()


@contextlib.contextmanager
def polling(folder: Path, run_id: str) -> Iterator[str]:
    """The app that polls, in a process of its own."""
    with served(__file__, "--poll", str(folder), run_id) as address:
        yield address


def serve_polling(folder: str, run_id: str, port: str) -> None:
    """Serve one graph and an interval whose callback returns the whole figure when an epoch has come."""
    import waitress
    from dash import Dash, Input, Output, State, dcc, html, no_update
    from prunescope.app.feeds.trajectories import TrajectoriesFeed
    from prunescope.app.figures.template import Rows, figure
    from prunescope.app.figures.theme import THEMES
    from prunescope.app.state import read_view

    run, view, feed = Store(folder).run(run_id), read_view({"run": run_id}), TrajectoriesFeed()
    memory, rows = feed.begin(run, view), Rows()
    template = feed.templates(run, memory, view, THEMES["light"])["figures"]["paths"]
    app = Dash("polling", compress=False)
    app.layout = html.Div([dcc.Graph(id="graph"), dcc.Interval(id="tick", interval=PERIOD_MS), dcc.Store(id="have")])

    @app.callback(
        Output("graph", "figure"), Output("have", "data"), Input("tick", "n_intervals"), State("have", "data")
    )
    def draw(_: int | None, have: int | None) -> Any:
        epochs = run.epochs
        if have == len(epochs):
            return no_update, no_update
        for index in range(len(rows.epochs), len(epochs)):
            epoch = float(epochs[index])
            rows.append(epoch, feed.row(run, memory, index, epoch))
        made = figure(template, rows, len(epochs) - 1, view)
        return made.update_layout(meta=float(epochs[-1])), len(epochs)

    waitress.serve(app.server, host="127.0.0.1", port=int(port), threads=1)


if __name__ == "__main__":
    sys.exit(main())
