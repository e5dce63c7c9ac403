"""A real server in its own process, real runs, and headless Chromium; every page is watched for errors.

A tab that logs an error, throws one, breaks the content policy or asks another host for anything fails its test.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from prunescope.engine.launch import launch
from prunescope.engine.presets import XORD
from prunescope.engine.store import LayerInfo, RunWriter, Store

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
LAYERS = (
    LayerInfo(name="conv1", kind="conv", units=16, fan_in=9, shape=(16, 1, 3, 3)),
    LayerInfo(name="fc", kind="linear", units=24, fan_in=32, shape=(24, 32)),
)
DIGITS = {
    "dataset": "digits", "model": "channels", "hidden": [24], "epochs": 5, "init_scale": 0.1, "threads": 1,
    "batch_size": 256,
}  # fmt: skip
# The limit only keeps a broken test from hanging: a loaded machine is slow, not wrong.
PATIENCE = 90.0


def until(condition: Callable[[], Any], what: str, nap: Callable[[], None] = lambda: time.sleep(0.05)) -> Any:
    """Wait for a condition to become true, and return what it returned."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"waited in vain until {what}"
        nap()
    return found


def weights_at(epoch: float, layer: LayerInfo) -> np.ndarray:
    """Weight vectors that drift from random directions towards four of them, the same every time."""
    generator = np.random.default_rng(layer.units)
    start = generator.standard_normal((layer.units, layer.fan_in))
    goals = generator.standard_normal((4, layer.fan_in))[np.arange(layer.units) % 4]
    share = epoch / (epoch + 10.0)
    return (((1 - share) * start + 1.5 * share * goals).reshape(layer.shape)).astype(np.float32)


class Recording:
    """A run that the test itself writes, one commit at a time."""

    def __init__(self, store: Store, name: str, layers: tuple[LayerInfo, ...] = LAYERS, total: float | None = 50):
        self.layers = layers
        self.id = store.create_run({"dataset": "digits", "model": "channels"}, name=name, kind="train")
        self.writer: RunWriter = store.writer(self.id)
        self.writer.declare(layers, total_epochs=total)
        self.writer.set_state("running")

    def commit(self, *epochs: float) -> None:
        for epoch in epochs:
            tensors = {f"{layer.name}.weight": weights_at(epoch, layer) for layer in self.layers}
            accuracy = 1 - 0.9 / (1 + epoch / 4)
            self.writer.commit(
                epoch,
                tensors,
                {
                    "train/loss": 2.3 / (1 + epoch),
                    "val/loss": 2.4 / (1 + epoch),
                    "train/accuracy": accuracy,
                    "val/accuracy": 0.98 * accuracy,
                },
            )

    def close(self, state: str = "done") -> None:
        self.writer.set_state(state)
        self.writer.close()


@dataclass
class Server:
    """`prunescope ui` or `demo` in a process of its own; it can be killed and come back on the same port."""

    logdir: Path
    command: str = "ui"
    flags: tuple[str, ...] = ()
    token: str = "a-token-that-only-the-tests-know"
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    launch_path: str = "/"
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.logdir)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Server":
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PRUNESCOPE_")}
        said = self.logdir.with_name(f"{self.logdir.name}-server.txt")
        command = [sys.executable, "-m", "prunescope.app.cli", self.command, "--logdir", str(self.logdir)]
        with said.open("wb") as sink:
            self.process = subprocess.Popen(
                [*command, "--no-open", "--port", str(self.port), *self.flags],
                stdout=sink,
                stderr=sink,
                env=clean | {"PRUNESCOPE_TOKEN": self.token},
            )
        pattern = re.compile(r"Prunescope on http://127\.0\.0\.1:(\d+)(/\S*)")
        found = until(
            lambda: pattern.search(said.read_text()) or self.process.poll() is not None, "the server said its address"
        )
        assert found is not True, said.read_text()
        self.port, self.launch_path = int(found[1]), found[2]
        return self

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def stop(self) -> None:
        """End the server and whatever training it has started."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=30)
        for run in self.store.runs():
            if (pid := worker_pid(run)) and pid != os.getpid() and run.status in ("running", "paused", "queued"):
                os.kill(pid, signal.SIGKILL)
        self.store.close()


def worker_pid(run: Any) -> int | None:
    """The process that writes a run, as its lock file notes it."""
    try:
        return json.loads((run.path / "lock").read_text())["pid"]
    except (OSError, ValueError, KeyError):
        return None


@dataclass
class Tab:
    """One tab on a server's dashboard."""

    page: Any
    server: Server
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    # What a test brings about itself (a killed server) may be logged; nothing else may.
    expected: list[str] = field(default_factory=list)

    def open(self, path: str = "/") -> "Tab":
        self.page.goto(self.server.url + path)
        self.until("document.documentElement.dataset.ready === '1'")
        return self

    def sign_in(self) -> "Tab":
        """Open the printed address: what follows may change things."""
        return self.open("/?token=" + self.server.token)

    def __call__(self, script: str, argument: Any = None) -> Any:
        """Evaluate JavaScript in the page; ``ps`` is the product's own namespace."""
        return self.page.evaluate(f"(arg) => {{ const ps = window.prunescope; return ({script}); }}", argument)

    def until(self, script: str, argument: Any = None, doing: Callable[[], Any] = lambda: None) -> Any:
        """Wait for a JavaScript condition, ``doing`` something before each look.

        Not playwright's own wait: it needs the eval that our policy forbids.
        """
        return until(lambda: (doing(), self(script, argument))[1], script, lambda: self.page.wait_for_timeout(40))

    def drawn(self, feed: str, *, epoch: float | None = None, at_least: int = 1) -> None:
        """Wait until this feed's page is on screen with the row of this epoch, of at least so many rows."""
        self.until(
            """(() => { const [feed, epoch, count] = (document.documentElement.dataset.drawn || "").split(" ");
            return feed === arg[0] && (arg[1] === null || Number(epoch) === arg[1]) && Number(count) >= arg[2]; })()""",
            [feed, epoch, at_least],
        )

    def drag(self, selector: str) -> None:
        """Drag over the middle of a plot, as one who zooms in or turns it."""
        box, mouse = self.page.locator(selector).first.bounding_box(), self.page.mouse
        mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.3 * box["height"])
        mouse.down()
        mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.8 * box["height"], steps=8)
        mouse.up()

    def turn(self, plot: str) -> dict[str, float]:
        """Turn a scene by hand; where the eye is then. One that is still being drawn does not hear the pointer."""
        self.until("document.querySelector(arg)?._fullLayout?.scene?._scene?.glplot?.cameraParams !== undefined", plot)
        eye = "document.querySelector(arg).layout.scene.camera?.eye"
        self.until(
            f"{eye} !== undefined", plot, lambda: (self.drag(f"{plot} .gl-container"), self.page.wait_for_timeout(500))
        )
        return self(eye, plot)

    def plot(self, figure: str) -> str:
        """CSS selector of a figure's plot on the page shown."""
        return f'.page:not([hidden]) [data-figure="{figure}"] .plot'

    def view(self) -> dict[str, Any]:
        return self("({...ps.view()})")

    def settled(self) -> "Tab":
        """Wait until every feed of the page shown has said all it has to say, and that is on screen."""
        self.until(
            """(() => { const page = document.querySelector('.page:not([hidden])');
            const feeds = ps.pageFeeds(page).map(name => ps.feed(name));
            return feeds.every(feed => feed && !feed.busy && (feed.epochs.length || feed.error)); })()"""
        )
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return self

    def choose(self, run: str, page: str = "alignment", **view: Any) -> "Tab":
        query = "&".join(f"{key}={value}" for key, value in {"run": run, **view}.items())
        return self.open(f"/{page}?{query}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Headless Chromium of this machine, driven by playwright."""
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"needs a browser: install one of {', '.join(BROWSERS)} (Debian: apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install '.[test]'")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """serve(command="ui", *flags) starts a server over a new folder; all are ended after the module."""
    started: list[Server] = []

    def start(command: str = "ui", *flags: str, logdir: Path | None = None) -> Server:
        folder = logdir or tmp_path_factory.mktemp("browser") / "runs"
        server = Server(folder, command, flags)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


@dataclass
class Trained:
    """A folder with real, finished trainings: ``ids["digits"]``, five epochs, and ``ids["xord"]``, twelve."""

    logdir: Path
    ids: dict[str, str]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """Filters trained on digits, and XORD's neurons in their plane; each in a process of its own."""
    store = Store(tmp_path_factory.mktemp("trained") / "runs")
    configs = {"digits": DIGITS, "xord": XORD.to_dict() | {"epochs": 12, "snapshot_every": 3, "threads": 1}}
    ids = {name: launch(store, config, name=name) for name, config in configs.items()}
    for run in map(store.run, ids.values()):
        until(lambda run=run: run.status == "done", "the training was done")
    yield Trained(store.root, ids)
    store.close()


@pytest.fixture
def record() -> Iterator[Callable[..., Recording]]:
    """record(server, name) begins a run that the test writes itself; left open ones are closed after the test."""
    begun: list[Recording] = []

    def begin(server: Server, name: str = "live", **options: Any) -> Recording:
        begun.append(Recording(server.store, name, **options))
        return begun[-1]

    yield begin
    for recording in begun:
        recording.writer.close()


@contextmanager
def watched(browser: Any, server: Server, **options: Any) -> Iterator[Callable[[], Tab]]:
    """One browser profile; gives a function that opens tabs in it, and checks them all at the end."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, "accept_downloads": True} | options)
    context.set_default_timeout(1000 * PATIENCE)
    tabs: list[Tab] = []

    def new_tab() -> Tab:
        tab = Tab(context.new_page(), server)
        tab.page.on("pageerror", lambda error: tab.problems.append(f"page error: {error}"))
        tab.page.on("console", lambda said: said.type == "error" and tab.problems.append(f"console: {said.text}"))
        tab.page.on("request", lambda request: tab.requests.append(request.url))
        tabs.append(tab)
        return tab

    try:
        yield new_tab
    finally:
        context.close()
    for tab in tabs:
        # Measured by what was asked for, not by what was answered: a refused request counts as well.
        strangers = [u for u in tab.requests if urlsplit(u).hostname not in ("127.0.0.1", None)]
        assert not strangers, f"asked other hosts: {strangers}"
        unexpected = [p for p in tab.problems if not any(words in p for words in tab.expected)]
        assert not unexpected, "\n".join(unexpected)


@pytest.fixture
def tab(chromium: Any, server: Server, request: pytest.FixtureRequest) -> Iterator[Tab]:
    """A tab in a fresh profile; ``@pytest.mark.parametrize("tab", [{...}], indirect=True)`` sets the profile."""
    with watched(chromium, server, **getattr(request, "param", {})) as new_tab:
        yield new_tab()


@pytest.fixture(scope="session")
def profile(chromium: Any) -> Callable[..., Any]:
    """profile(server, **options) is a context manager of one browser profile for several tabs."""
    return lambda server, **options: watched(chromium, server, **options)


@pytest.fixture(scope="session")
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def wait() -> Callable[..., Any]:
    return until
