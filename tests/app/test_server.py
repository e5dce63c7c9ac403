"""The assembled app: its callbacks' bodies, its files, and that it is made of arguments alone."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from dash import ALL, Dash, Input, Output, State
from prunescope.app import compression
from prunescope.app.server import create_app, well_formed
from prunescope.app.settings import Settings
from prunescope.engine.store import Store

PLOTLY = "/_dash-component-suites/plotly/package_data/plotly.min.js"


def test_two_apps_over_two_stores_live_in_one_process(tmp_path: Path) -> None:
    stores = [Store(tmp_path / name) for name in ("a", "b")]
    stores[0].create_run({}, name="only-in-a")
    clients = [create_app(store, Settings(logdir=store.root)).server.test_client() for store in stores]
    assert [len(client.get("/api/runs").json["runs"]) for client in clients] == [1, 0]


def test_making_an_app_writes_nothing(tmp_path: Path) -> None:
    client = create_app(Store(tmp_path / "runs"), Settings(logdir=tmp_path / "runs")).server.test_client()
    assert client.get("/").status_code == 200
    assert client.get("/api/runs").json == {"runs": []}
    assert list(tmp_path.iterdir()) == []


def test_no_debug_no_reload_no_background_no_protocol_for_agents(app: Dash) -> None:
    assert app.server.debug is False
    assert app._dev_tools.ui in (None, False)
    assert app._background_manager is None
    assert app._enable_mcp is False
    assert not any("mcp" in rule.rule for rule in app.server.url_map.iter_rules())


def test_importing_the_server_imports_no_torch_no_sklearn_and_no_second_framework() -> None:
    code = "import sys, prunescope.app.cli, prunescope.app.serve; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "torchvision", "sklearn", "pandas", "fastapi", "matplotlib"} & set(loaded)


def callbacks() -> dict:
    app = Dash("callbacks")
    app.callback(Output("out", "children"), Input("in", "value"), State("kept", "data"))(lambda value, kept: value)
    app.callback(Output("a", "x"), Output("b", "y"), Input({"type": "row", "index": ALL}, "value"))(lambda v: (1, 2))
    app.clientside_callback("function(x) {return x;}", Output("client", "x"), Input("in", "value"))
    return app.callback_map


ONE = {
    "output": "out.children",
    "outputs": {"id": "out", "property": "children"},
    "inputs": [{"id": "in", "property": "value", "value": 3}],
    "state": [{"id": "kept", "property": "data"}],
    "changedPropIds": ["in.value"],
}
MANY = {
    "output": "..a.x...b.y..",
    "outputs": [{"id": "a", "property": "x"}, {"id": "b", "property": "y"}],
    "inputs": [[{"id": {"type": "row", "index": 0}, "property": "value", "value": 1}]],
    "changedPropIds": [],
}


@pytest.mark.parametrize("body", [ONE, MANY])
def test_what_a_page_sends_is_a_callback(body: dict) -> None:
    assert well_formed(body, callbacks())


@pytest.mark.parametrize(
    "change",
    [
        {"output": "absent.children"}, {"output": None}, {"output": ["out.children"]}, {"inputs": None},
        {"inputs": []}, {"inputs": [3]}, {"inputs": [[]]}, {"inputs": [{"id": "other", "property": "value"}]},
        {"inputs": [{"id": "in", "property": "other"}]}, {"inputs": [{"id": {}, "property": "value"}]},
        {"state": []}, {"state": {}}, {"outputs": []}, {"outputs": {"id": "x", "property": "children"}},
        {"changedPropIds": 3}, {"changedPropIds": [3]},
    ],
)
def test_what_no_page_sends_is_none(change: dict) -> None:
    assert not well_formed(ONE | change, callbacks())


def test_a_callback_that_runs_in_the_browser_is_none_of_the_servers() -> None:
    body = {"output": "client.x", "outputs": {"id": "client", "property": "x"},
            "inputs": [{"id": "in", "property": "value"}]}
    assert not well_formed(body, callbacks())


def test_scripts_are_compressed_for_those_who_accept_it_and_are_the_same_inside(client) -> None:
    plain = client.get(PLOTLY)
    packed = client.get(PLOTLY, headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 2
    assert "Accept-Encoding" in packed.headers["Vary"] and "Accept-Encoding" in plain.headers["Vary"]


def test_an_unchanged_script_is_not_sent_again(client) -> None:
    first = client.get(PLOTLY, headers={"Accept-Encoding": "gzip"})
    headers = {"Accept-Encoding": "gzip", "If-None-Match": first.headers["ETag"].removeprefix("W/")}
    assert client.get(PLOTLY, headers=headers).status_code == 304


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "br"])
def test_no_gzip_for_those_who_do_not_take_it(client, accepted: str) -> None:
    assert "Content-Encoding" not in client.get(PLOTLY, headers={"Accept-Encoding": accepted}).headers


def test_a_stream_is_never_held_back_for_compression(client) -> None:
    answer = client.get("/live", headers={"Accept-Encoding": "gzip"}, buffered=False)
    assert "Content-Encoding" not in answer.headers
    assert next(answer.response).startswith(b"retry: ")
    answer.close()


def test_a_long_list_of_runs_travels_compressed(client, store: Store) -> None:
    for index in range(20):
        store.create_run({}, name=f"run-{index}")
    answer = client.get("/api/runs", headers={"Accept-Encoding": "gzip"})
    assert len(json.loads(gzip.decompress(answer.data))["runs"]) == 20


def test_invented_fingerprints_do_not_fill_the_memory() -> None:
    files = compression.CompressedFiles()
    for index in range(3 * compression.KEPT):
        files.get(str(index).encode())
    assert len(files._files) == compression.KEPT


@pytest.mark.parametrize(
    "path", ["/_dash-component-suites/nothing/x.js", "/_dash-component-suites/dash/../dash.py", "/assets/absent.css",
             "/assets/../server.py", "/assets/%2e%2e/server.py"]
)
def test_a_file_that_is_none_of_the_pages_is_404(client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.mimetype == "application/json"
