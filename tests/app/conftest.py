"""A store with small runs, an app over it, and a real server in a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dash import Dash
from flask.testing import FlaskClient
from prunescope.app.server import create_app
from prunescope.app.settings import Settings
from prunescope.engine.store import LayerInfo, RunWriter, Store

TOKEN = "a-token-that-only-the-tests-know"
LAYER = LayerInfo(name="fc1", kind="linear", units=4, fan_in=3, shape=(4, 3))




def _refuse_strangers(event: str, arguments: tuple[Any, ...]) -> None:
    """Fail whatever reaches for another machine: the dashboard and its tests never do."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
        assert host in ("127.0.0.1", "::1", "localhost"), f"connects to {host}"


sys.addaudithook(_refuse_strangers)


def commit(writer: RunWriter, epoch: float, accuracy: float = 0.5) -> None:
    """One small snapshot."""
    weights = np.full((4, 3), epoch, np.float32)
    writer.commit(epoch, {"fc1.weight": weights}, {"val/accuracy": accuracy})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def record(store: Store) -> Callable[..., str]:
    """record(name, epochs=2, state="done", **config) makes a run with that many snapshots; returns its id."""

    def make(name: str = "one", *, epochs: int = 2, state: str = "done", kind: str = "train", **config: Any) -> str:
        run_id = store.create_run(config, name=name, kind=kind)
        with store.writer(run_id) as writer:
            writer.declare([LAYER], total_epochs=epochs - 1)
            writer.set_state("running")
            for epoch in range(epochs):
                commit(writer, epoch, epoch / 10)
            writer.set_state(state)
        return run_id

    return make


@pytest.fixture
def committing() -> Callable[..., None]:
    return commit


@pytest.fixture
def settings(store: Store) -> Settings:
    return Settings(logdir=store.root, token=TOKEN)


@pytest.fixture
def app(store: Store, settings: Settings) -> Dash:
    return create_app(store, settings)


@pytest.fixture
def client(app: Dash) -> FlaskClient:
    """A browser of this machine without the token."""
    return app.server.test_client()


@pytest.fixture
def owner(app: Dash) -> FlaskClient:
    """A browser that opened the printed address, and so holds the token."""
    browser = app.server.test_client()
    browser.get(f"/?token={TOKEN}")
    return browser


@dataclass
class Server:
    """`prunescope ui` in a process of its own."""

    process: subprocess.Popen[str]
    url: str
    token: str
    command: list[str]

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            self.url + path,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (event name, data) from the live stream until the server ends it."""
        with urllib.request.urlopen(self.url + "/live", timeout=20) as stream:
            name = "message"
            for raw in stream:
                line = raw.decode().rstrip("\n")
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield name, json.loads(line.removeprefix("data: "))
                    name = "message"

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=20)


@pytest.fixture
def serve(store: Store) -> Iterator[Callable[..., Server]]:
    """serve(*flags) starts a server over `store`; all are ended after the test."""
    started: list[Server] = []

    def start(*flags: str) -> Server:
        command = [sys.executable, "-m", "prunescope.app.cli", "ui", "--logdir", str(store.root), "--no-open"]
        command += flags if "--port" in flags else ["--port", "0", *flags]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PRUNESCOPE_")}
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=clean)
        line = process.stderr.readline()
        found = re.search(r"(http://\S+?)/(?:\?token=(\S+))?$", line.strip())
        assert found, line + process.stderr.read()
        server = Server(process, found[1], found[2] or "", command)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.terminate()
        server.process.wait(timeout=20)
        server.process.stderr.close()
