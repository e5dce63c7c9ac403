"""A run far larger than the memory that the dashboard may take, looked at on every page."""

import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from promise_table import progress, row
from prunescope.app.feeds import FEEDS
from prunescope.engine.store import LayerInfo, Store

LIMIT = 1.5e9
# How long each page stays open.
SECONDS = 8.0


def memory(store: Store, full: bool) -> None:
    """Record gigabytes, open every page of one run for a while, and read what the server took at its peak."""
    wanted = 9e9 if full else 2.5e9
    run_id = large_run(store, wanted)
    server, address = start(store)
    try:
        for feed in (name for name, feed in FEEDS.items() if not getattr(feed, "whole", False)):
            look(address, feed, run_id)
            progress(f"{feed}: {peak(server.pid) / 1e9:.2f} GB so far")
        most = peak(server.pid)
    finally:
        server.terminate()
        server.wait()
    promise = f"memory bounded: every page of a run of {wanted / 1e9:.1f} GB"
    row(promise, "server under 1.5 GB", f"{most / 1e9:.2f} GB at its peak", most < LIMIT)


def large_run(store: Store, size: float) -> str:
    """A run whose one layer of 512 × 4608 moves a little every epoch."""
    layer = LayerInfo(name="fc", kind="linear", units=512, fan_in=4608, shape=(512, 4608))
    generator = np.random.default_rng(0)
    start, step = (generator.standard_normal((512, 4608), np.float32) for _ in range(2))
    run_id = store.create_run({})
    with store.writer(run_id) as writer:
        writer.declare([layer], total_epochs=None)
        for epoch in range(int(size / start.nbytes)):
            writer.commit(epoch, {"fc.weight": start + 0.01 * epoch * step}, {"val/accuracy": 0.5})
        writer.set_state("done")
    return run_id


def start(store: Store) -> tuple[subprocess.Popen[bytes], str]:
    """A dashboard over this store, and its address."""
    log = store.root / "server.txt"
    command = [sys.executable, "-m", "prunescope.app.cli", "ui", "--no-open", "--port", "0", "--logdir", str(store.root)]
    with log.open("wb") as sink:
        server = subprocess.Popen(command, stdout=sink, stderr=sink)
    while not (found := re.search(r"Prunescope on (http://[^/\s]+)", log.read_text(errors="replace"))):
        if server.poll() is not None:
            raise SystemExit(log.read_text())
        time.sleep(0.05)
    return server, found[1]


def look(address: str, feed: str, run_id: str) -> None:
    """Read a page's numbers as they come, for as long as a page stays open."""
    query = urlencode({"feed": feed, "run": run_id, "have": 0, "at": 100})
    until = time.monotonic() + SECONDS
    with urllib.request.urlopen(f"{address}/api/rows?{query}", timeout=600) as answer:
        while time.monotonic() < until and answer.read1(1 << 20):
            pass


def peak(pid: int) -> int:
    """Bytes of memory that a process has held at most (VmHWM)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return 1024 * int(found[1])
