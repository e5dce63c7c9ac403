"""No input makes the server fail: whatever a client sends, the answer is below 500.

The long form: FUZZ_EXAMPLES=10000 pytest -o faulthandler_timeout=0 tests/app/test_fuzz.py
"""

import os

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prunescope.app import control
from prunescope.app.server import create_app
from prunescope.app.settings import Settings
from prunescope.engine.config import field_specs
from prunescope.engine.launch import launch
from prunescope.engine.store import Store
from werkzeug.test import create_environ, run_wsgi_app

TOKEN = "a-token-that-only-the-tests-know"
NAMES = [spec.name for spec in field_specs()]

text = st.text(max_size=30) | st.sampled_from(["one", "..", "%2e%2e", "digits", "mlp", "os:system", "\x00", "1e400"])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | text
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)
configs = st.dictionaries(st.sampled_from(NAMES) | text, values, max_size=6)
bodies = values | st.fixed_dictionaries({"config": configs | values})
controls = values | st.fixed_dictionaries(
    {"action": st.sampled_from(control.ACTIONS) | values}, optional={"name": values}
)
callbacks = values | st.fixed_dictionaries(
    {},
    optional={
        "output": values | st.just("n.children"),
        "inputs": values,
        "state": values,
        "outputs": values,
        "changedPropIds": values,
    },
)
paths = st.text(max_size=40) | st.lists(
    st.sampled_from(["api", "runs", "live", "one", "..", ".", "", "assets", "_dash-component-suites", "dash", "control",
                     "%2e%2e", "%00", "\\", "~", "etc", "passwd", "rows", "poll", "_dash-layout", "js", ".css"]),
    max_size=7,
).map("/".join)
# What Hypothesis would call slow here is the machine, shared with other work.
some = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """A browser with the token, over a store with one run; nothing that it asks for starts a process."""
    store = Store(tmp_path_factory.mktemp("fuzz") / "runs")
    store.create_run({"model": "x:y"}, name="one")
    patch = pytest.MonkeyPatch()
    patch.setattr("prunescope.engine.launch.start_worker", lambda *_, **__: None)
    client = create_app(store, Settings(logdir=store.root, token=TOKEN)).server.test_client()
    client.get(f"/?token={TOKEN}")
    yield client
    patch.undo()


def test_the_fuzz_starts_no_process(fuzzed: FlaskClient) -> None:
    assert launch.__globals__["start_worker"].__name__ == "<lambda>"


@some
@given(body=bodies)
@pytest.mark.parametrize("path", ["/api/validate", "/api/runs"])
def test_no_settings_make_the_server_fail(fuzzed: FlaskClient, path: str, body: object) -> None:
    answer = fuzzed.post(path, json=body)
    assert answer.status_code in (200, 201, 400, 415, 422), answer.text


@some
@given(body=controls, run_id=st.just("one") | text)
def test_no_control_request_makes_the_server_fail(fuzzed: FlaskClient, body: object, run_id: str) -> None:
    answer = fuzzed.open(path=f"/api/runs/{run_id}/control", base_url="http://localhost", method="POST", json=body)
    assert answer.status_code < 500, answer.text


@some
@given(body=callbacks)
def test_no_callback_body_makes_the_server_fail(fuzzed: FlaskClient, body: object) -> None:
    assert fuzzed.post("/_dash-update-component", json=body).status_code in (400, 415)


@some
@given(body=st.binary(max_size=200))
def test_no_bytes_make_the_server_fail(fuzzed: FlaskClient, body: bytes) -> None:
    for path in ("/api/runs", "/_dash-update-component"):
        answer = fuzzed.post(path, data=body, content_type="application/json")
        assert answer.status_code in (400, 422, 201)


@some
@given(path=paths, query=st.text(max_size=30))
def test_no_address_makes_the_server_fail(fuzzed: FlaskClient, path: str, query: str) -> None:
    # Written into the environment as a server does: the test client would tidy the address first.
    raw = {name: text.encode("utf-8", "surrogatepass").decode("latin-1") for name, text in
           (("PATH_INFO", f"/{path}"), ("QUERY_STRING", query))}
    body, status, _ = run_wsgi_app(fuzzed.application, create_environ("/") | raw)
    assert int(status[:3]) < 500
    getattr(body, "close", lambda: None)()


@some
@given(st.dictionaries(st.sampled_from(["Host", "Origin", "Cookie", "Authorization", "Sec-Fetch-Site", "Accept",
                                        "Content-Type", "If-None-Match", "Accept-Encoding", "Range"]),
                       st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=30), max_size=4))
def test_no_header_makes_the_server_fail(fuzzed: FlaskClient, headers: dict[str, str]) -> None:
    for path, method in (("/", "GET"), ("/api/runs", "GET"), ("/api/runs", "POST")):
        body = b"{}" if method == "POST" else None
        assert fuzzed.open(path, method=method, headers=headers, data=body).status_code < 500
