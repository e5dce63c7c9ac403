"""Answers about a network while it trains on all cores: ``python tests/benchmarks/bench_answers.py``.

A run is trained by `prunescope train` with a thread for each core, and its pruning page is used in headless Chromium:
until the first number of a page just opened (PyTorch is imported then), until the first number is painted when another
criterion is chosen, and from a move of the slider to its paint. LeNet-300-100 and Conv-4 on digits, enlarged to the
size of MNIST and CIFAR-10, at epoch 0. Promised: 300 ms.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench_live import DRAG, ours, row, words
from bench_queue import wait_for
from prunescope.engine.pruning.criteria import CRITERIA
from prunescope.engine.store import Store, StoreError
from serving import chromium

MODELS = {"lenet-300-100": ("28", "fc1"), "conv4": ("32", "conv3")}
ANSWER_MS, SLIDER_MS = 300, 50
# Without those that remove each unit alone, an answer about every unit, and that of BatchNorm, which is not there.
CHOSEN = [name for name in CRITERIA if name not in ("l2", "random") and "ablation" not in name and "bn" not in name]
GIVE_UP_MS = 20_000
NUMBER = "document.getElementById('pruning-big').textContent"
ASK = f"""async (criterion) => {{
  await new Promise((done) => setTimeout(done, 2500));
  const begun = performance.now();
  window.prunescope.set({{ crit: criterion }});
  await new Promise((done) => {{
    const look = () => ({NUMBER} || performance.now() - begun > {GIVE_UP_MS} ? done() : requestAnimationFrame(look));
    requestAnimationFrame(look);
  }});
  return performance.now() - begun;
}}"""


def main() -> int:
    """Train each network, ask about it meanwhile, and print the times."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with chromium() as browser:
        print(f"{'what':52} {'against':34} {'to reach':>10} {'measured':>12}")
        for model, (side, layer) in MODELS.items():
            with (
                tempfile.TemporaryDirectory() as name,
                ours(Path(name)) as address,
                training(Path(name), model, side) as run,
            ):
                page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
                page.set_default_timeout(120_000)
                begun = time.perf_counter()
                url = address.partition("/trajectories")[0]
                page.goto(f"{url}/pruning?run={run}&epoch=0&follow=0&layer={layer}")
                page.wait_for_function(f"() => {NUMBER}")
                opened = time.perf_counter() - begun
                row(f"{model} trains: page opened → first number", "", "", f"{opened:.1f} s")
                asked = [page.evaluate(ASK, criterion) for criterion in CHOSEN]
                page.evaluate("() => window.prunescope.set({ crit: 'l2' })")
                page.wait_for_function(f"() => {NUMBER}")
                moved = page.evaluate(DRAG)
                for share, of in ((0.5, "median"), (0.95, "95 of 100")):
                    row(f"  another criterion → first number: {of}", "", f"≤ {ANSWER_MS} ms", words(asked, share))
                    row(f"  slider → paint: {of}", "", f"≤ {SLIDER_MS} ms", words(moved, share))
                page.context.close()
    return 0


@contextlib.contextmanager
def training(folder: Path, model: str, side: str) -> Iterator[str]:
    """A run that trains for longer than it is looked at; its name, once its first epoch is there."""
    command = [sys.executable, "-m", "prunescope.app.cli", "train", "--logdir", str(folder), "--name", "asked"]
    settings = ["--model", model, "--image-size", side, "--epochs", "5000", "--threads", str(os.cpu_count() or 1)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with contextlib.closing(Store(folder)) as store, subprocess.Popen([*command, *settings], **quiet) as process:
        try:
            wait_for(lambda: begun(store))
            yield "asked"
            assert process.poll() is None, "the training ended before it was measured beside"
        finally:
            process.kill()


def begun(store: Store) -> bool:
    with contextlib.suppress(StoreError):
        return len(store.run("asked").epochs) > 1
    return False


if __name__ == "__main__":
    sys.exit(main())
