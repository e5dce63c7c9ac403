"""The geometry pages on wide layers, as a browser sees them: ``python tests/benchmarks/bench_wide.py``.

A small run is on the screen, in headless Chromium, and each page of a wide one is chosen, of which the server has
computed nothing yet: seconds from the choice until the first figure is drawn, until the page offers to stop the
computation (where that takes long), and until every epoch is computed and drawn. Then, on the similarity graph,
milliseconds from a move of the cutoff or of the epoch to its paint.
Promised: each quantity of a 512 × 4608 layer over 100 epochs within 2 s, or progress that can be stopped.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench_geometry import trajectory
from prunescope.engine.store import LayerInfo, Store
from serving import chromium, served

LAYERS = {"512 × 4,608, 100 epochs": (512, 4608, 100), "2,048 × 64, 30 epochs": (2048, 64, 30)}
PAGES = ("alignment", "trajectories", "structure", "similarity", "spectrum")
MOVES = 40
CHOOSE = """
([page, run]) => {
window.seen = {};
const begun = performance.now();
const look = () => {
  const now = performance.now() - begun, ps = window.prunescope, page = document.querySelector(".page:not([hidden])");
  if (page && ps?.feed && ps.view) {
    if (!seen.figure && page.querySelector("[data-figure] .main-svg")) seen.figure = now;
    const stop = page.querySelector("[data-do=stop]");
    if (!seen.stop && stop && !stop.hidden && !seen.whole) seen.stop = now;
    const feeds = ps.pageFeeds(page).map((name) => ps.feed(name));
    const has = (feed) => feed && !feed.busy && feed.epochs.length && (feed.done || feed.epochs.length === feed.total);
    const done = feeds.every(has);
    const boxes = [...page.querySelectorAll("[data-figure]:not(.is-unused)")].filter((box) => box.offsetParent);
    if (!seen.whole && done && seen.figure && boxes.every((box) => box.querySelector(".main-svg"))) seen.whole = now;
  }
  if (!seen.whole) requestAnimationFrame(look);
};
window.prunescope.set({ page, run });
requestAnimationFrame(look);
}
"""
# Resolves once the frame that follows a change has been painted.
MOVE = """
async ([changes]) => {
  const ps = window.prunescope, times = [];
  for (const change of changes) {
    const begun = performance.now();
    ps.set(change);
    await new Promise((done) => requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = done;
      channel.port2.postMessage(0);
    }));
    times.push(performance.now() - begun);
    await new Promise((done) => setTimeout(done, 120));
  }
  return times;
}
"""


def main() -> int:
    """Open every page, move the similarity graph's sliders, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    serve = str(Path(__file__).with_name("bench_page.py"))
    with chromium() as browser, tempfile.TemporaryDirectory() as folder:
        small = record(Path(folder), "small", 8, 16, 3)
        for number, (name, (units, fan_in, epochs)) in enumerate(LAYERS.items()):
            run = record(Path(folder), f"wide{number}", units, fan_in, epochs)
            print(f"{name:28}{'first figure':>14}{'Stop offered':>14}{'every epoch':>14}   s")
            for page in PAGES:
                with served(serve, "--serve", "markup", folder) as address:
                    tab = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
                    tab.goto(f"{address}?run={small}")
                    tab.wait_for_function("() => document.querySelector('.page:not([hidden]) .main-svg')")
                    tab.evaluate(CHOOSE, [page, run])
                    tab.wait_for_function("() => window.seen.whole", timeout=180_000)
                    seen = tab.evaluate("() => window.seen")
                    times = [seen["figure"], seen.get("stop"), seen["whole"]]
                    told = "".join(f"{'–' if time is None else format(time / 1000, '.1f'):>14}" for time in times)
                    print(f"  {page:26}{told}", flush=True)
                    if page == "similarity":
                        cutoffs = [{"cut": round(0.3 + 0.6 * (i * 17 % MOVES) / MOVES, 2)} for i in range(MOVES)]
                        scrubs = [{"follow": False, "epoch": i * 7 % epochs} for i in range(MOVES)]
                        moves = {"cutoff → paint": cutoffs, "epoch → paint": scrubs}
                        for words, changes in moves.items():
                            print(f"    {words:24}{spread(tab.evaluate(MOVE, [changes]))}", flush=True)
                    tab.context.close()
    return 0


def spread(times: list[float]) -> str:
    """Median and 95 of 100, in milliseconds."""
    ordered = sorted(times)
    return f"{statistics.median(ordered):.0f} ms, 95 of 100 {ordered[int(0.95 * (len(ordered) - 1))]:.0f} ms"


def record(folder: Path, name: str, units: int, fan_in: int, epochs: int) -> Any:
    """A finished run of one layer whose weights drift along a few directions."""
    store = Store(folder)
    layer = LayerInfo(name="wide", kind="linear", units=units, fan_in=fan_in, shape=(units, fan_in))
    run = store.create_run({"dataset": "digits", "model": "mlp"}, name=name)
    with store.writer(run) as writer:
        writer.declare([layer], total_epochs=epochs - 1)
        for epoch, weights in enumerate(trajectory(epochs, units, fan_in)):
            writer.commit(float(epoch), {"wide.weight": weights}, {"val/accuracy": epoch / epochs})
        writer.set_state("done")
    return run


if __name__ == "__main__":
    sys.exit(main())
