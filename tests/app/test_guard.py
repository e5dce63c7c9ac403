"""Who may ask, from which page, for what: on every route there is."""

import base64
import hashlib
import logging
import re

import pytest
from dash import Dash
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from prunescope.app import guard
from prunescope.app.experiments import ONE
from prunescope.app.server import create_app
from prunescope.app.settings import Settings
from prunescope.engine.store import Store
from werkzeug.test import TestResponse

TOKEN = "a-token-that-only-the-tests-know"

BAD_HOSTS = (
    "evil.com",
    "evil.com:8050",
    "127.0.0.1.evil.com",
    "localhost.evil.com",
    "10.evil.com",
    "127.0.0.1@evil.com",
    "192.168.1.7:8050",
    "0.0.0.0",
    "[::2]:8050",
    "127.0.0.1:80:80",
    "localhost, evil.com",
    "",
)
GOOD_HOSTS = ("127.0.0.1:8050", "localhost", "LOCALHOST:9000", "[::1]:8050")

ACTIONS = ("pause", "resume", "stop", "rerun", "delete", "restore", "rename")
CHANGING = [
    ("/api/runs", {"config": {}}),
    ("/api/validate", {"config": {}}),
    ("/api/estimate", {"config": {}}),
    *(("/api/runs/one/control", {"action": action}) for action in ACTIONS),
    ("/api/experiments", {"recipe": "digits-lenet", "changes": {}}),
    ("/api/experiments/validate", {"recipe": "digits-lenet", "changes": {}}),
    *(("/api/experiments/one/control", {"action": action}) for action in ONE),
]


def every_route(app: Dash) -> list[tuple[str, str]]:
    """(path, method) of every rule of the app, its variables filled in."""
    found = []
    for rule in app.server.url_map.iter_rules():
        path = re.sub(r"<(?:[^:<>]+:)?[^<>]+>", "x", rule.rule)
        found += [(path, method) for method in sorted(rule.methods)]
    return found


def ask(client: FlaskClient, path: str, method: str, **headers: str) -> TestResponse:
    body = {"json": {}} if method not in ("GET", "HEAD", "OPTIONS") else {}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.open(path, method=method, headers=names, buffered=False, **body)


def test_the_walk_over_all_routes_sees_the_ones_that_matter(app: Dash) -> None:
    paths = {path for path, _ in every_route(app)}
    assert {"/", "/live", "/api/runs", "/api/runs/x/control", "/_dash-update-component", "/assets/x"} <= paths


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_a_foreign_host_is_refused_on_every_route_and_method(app: Dash, owner: FlaskClient, host: str) -> None:
    for path, method in every_route(app):
        answer = ask(owner, path, method, Host=host)
        assert answer.status_code == 400, (path, method, host)
        answer.close()


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_an_own_host_is_never_refused_for_its_name(app: Dash, client: FlaskClient, host: str) -> None:
    for path, method in every_route(app):
        answer = ask(client, path, method, Host=host)
        if answer.status_code == 400:
            assert b"host name" not in answer.data, (path, method, host)
        answer.close()


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.com",
        "http://localhost:3000",
        "http://127.0.0.1:8051",
        "https://localhost.evil.com",
        "null",
        "",
        "file://",
        "http://localhost/",
        "http://user@localhost",
    ],
)
def test_a_foreign_origin_is_refused_on_every_route_and_method(app: Dash, owner: FlaskClient, origin: str) -> None:
    for path, method in every_route(app):
        answer = ask(owner, path, method, Host="localhost", Origin=origin)
        assert answer.status_code == 403, (path, method)
        answer.close()


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_a_request_that_a_foreign_page_makes_is_refused_on_every_route(
    app: Dash, owner: FlaskClient, site: str
) -> None:
    for path, method in every_route(app):
        answer = ask(owner, path, method, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors")
        assert answer.status_code == 403, (path, method)
        answer.close()


def test_a_link_on_a_foreign_page_may_open_the_dashboard_but_not_post_to_it(owner: FlaskClient) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert owner.get("/alignment", headers=link).status_code == 200
    assert owner.post("/api/runs", json={"config": {}}, headers=link).status_code == 403


def test_the_own_page_may_post(owner: FlaskClient) -> None:
    own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert owner.post("/api/validate", json={"config": {}}, headers=own).status_code == 200


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "application/jsonp"]
)
def test_only_json_is_accepted_whatever_the_route(app: Dash, owner: FlaskClient, content_type: str) -> None:
    for path, method in every_route(app):
        if method in ("GET", "HEAD", "OPTIONS"):
            continue
        answer = owner.open(path, method=method, data=b"{}", content_type=content_type)
        assert answer.status_code == 415, (path, method)


def test_a_body_over_two_megabytes_is_refused(owner: FlaskClient) -> None:
    body = b'"' + b"x" * guard.MAX_BODY + b'"'
    for path in ("/api/runs", "/_dash-update-component"):
        assert owner.post(path, data=body, content_type="application/json").status_code == 413


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'"\\ud800"', b"{'a': 1}", b"9" * 5000])
def test_what_is_no_json_is_refused_without_a_traceback(owner: FlaskClient, body: bytes) -> None:
    for path in ("/api/runs", "/api/runs/one/control", "/_dash-update-component"):
        answer = owner.post(path, data=body, content_type="application/json")
        assert answer.status_code == 400
        assert "Traceback" not in answer.text


@pytest.mark.parametrize(("path", "body"), CHANGING)
def test_no_change_without_the_token(client: FlaskClient, path: str, body: dict[str, str]) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Cookie": "prunescope_8050=wrong"},
        {"Authorization": "Bearer \xff"},
    ):
        assert client.post(path, json=body, headers=headers).status_code == 401


@pytest.mark.parametrize(("path", "body"), CHANGING)
def test_read_only_refuses_every_change_even_with_the_token(store: Store, path: str, body: dict[str, str]) -> None:
    client = create_app(store, Settings(logdir=store.root, token=TOKEN, read_only=True)).server.test_client()
    assert client.post(path, json=body, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 403


def test_every_route_that_accepts_a_post_is_known_to_these_tests(app: Dash) -> None:
    posts = {path for path, method in every_route(app) if method == "POST"}
    reading = {"/_dash-update-component", "/api/export/pdf", "/api/x"}
    runs = {"/api/runs", "/api/validate", "/api/estimate", "/api/runs/x/control"}
    assert posts - reading == runs | {"/api/experiments", "/api/experiments/validate", "/api/experiments/x/control"}


def test_reading_needs_no_token_on_this_machine(client: FlaskClient) -> None:
    assert client.get("/api/runs").status_code == 200
    assert client.get("/api/session").json["may_change"] is False


def test_the_address_with_the_token_sets_a_cookie_that_scripts_and_other_sites_cannot_use(
    client: FlaskClient,
) -> None:
    answer = client.get(f"/alignment?run=a%26b&token={TOKEN}&k=3")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/alignment?run=a%26b&k=3"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Domain" not in cookie
    assert client.get("/api/session").json["may_change"] is True


def test_a_wrong_token_opens_the_page_without_the_cookie(client: FlaskClient) -> None:
    answer = client.get("/?token=the-token-of-an-earlier-launch")
    assert answer.status_code == 303
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", ["//evil.com", "/\\evil.com", "/%2f%2fevil.com", "/%5cevil.com"])
def test_the_token_exchange_leads_to_no_other_machine(client: FlaskClient, path: str) -> None:
    answer = client.get(f"http://localhost{path}?token={TOKEN}")
    assert re.fullmatch(r"/([^/\\].*)?|http://localhost/.*", answer.headers["Location"])


def test_the_token_is_in_no_log_and_no_repr(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        client.get(f"/?token={TOKEN}")
        client.get("/_dash-component-suites/x/y", headers={"Authorization": f"Bearer {TOKEN}"})
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(Settings(token=TOKEN))


def elsewhere(store: Store, **more: object) -> Dash:
    """A dashboard that other machines can reach."""
    return create_app(store, Settings(logdir=store.root, token=TOKEN, host="192.168.1.7", **more))


def test_away_from_loopback_every_route_needs_the_token(store: Store) -> None:
    app = elsewhere(store)
    client = app.server.test_client()
    for path, method in every_route(app):
        answer = ask(client, path, method, Host="192.168.1.7:8050")
        assert answer.status_code == 401, (path, method)
        answer.close()
    authorized = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get("/", headers={"Host": "192.168.1.7", **authorized}).status_code == 200


def test_away_from_loopback_nothing_can_be_changed_unless_asked(store: Store) -> None:
    headers = {"Host": "192.168.1.7", "Authorization": f"Bearer {TOKEN}"}
    for path, body in CHANGING:
        assert elsewhere(store).server.test_client().post(path, json=body, headers=headers).status_code == 403
    asked = elsewhere(store, allow_changes=True).server.test_client()
    assert asked.post("/api/validate", json={"config": {}}, headers=headers).status_code == 200


def test_a_forwarded_address_does_not_make_a_stranger_local(store: Store) -> None:
    client = elsewhere(store).server.test_client()
    forwarded = {
        "Host": "192.168.1.7",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": "localhost",
        "Forwarded": "for=127.0.0.1;host=localhost",
    }
    assert client.get("/api/runs", headers=forwarded).status_code == 401


def test_every_answer_carries_the_headers_and_none_lets_other_sites_read(app: Dash, client: FlaskClient) -> None:
    for path, method in every_route(app):
        for headers in ({}, {"Host": "evil.com"}):
            answer = ask(client, path, method, **headers)
            found = answer.headers
            assert found["X-Content-Type-Options"] == "nosniff", (path, method)
            assert found["X-Frame-Options"] == "DENY"
            assert found["Referrer-Policy"] == "no-referrer"
            assert found["Cross-Origin-Opener-Policy"] == found["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "frame-ancestors 'none'" in found["Content-Security-Policy"]
            assert not [name for name, _ in found if name.lower().startswith("access-control-")]
            answer.close()


def test_the_policy_allows_exactly_the_inline_scripts_of_the_page(client: FlaskClient) -> None:
    answer = client.get("/")
    directives = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert "unsafe" not in directives["script-src"]
    page = re.sub(r"<!--.*?-->", "", answer.text, flags=re.S)
    inline = re.findall(r"<script(?![^>]*(?:src=|application/json))[^>]*>(.*?)</script>", page, flags=re.S)
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline]
    assert inline
    assert {f"'sha256-{digest}'" for digest in digests} <= set(directives["script-src"].split())


def test_no_page_names_another_host_to_load_from(client: FlaskClient) -> None:
    loaded = re.findall(r"(?:src|href)=\"([^\"]+)\"", client.get("/").text)
    assert loaded
    assert not [address for address in loaded if not address.startswith(("/", "data:", "#"))]


@given(st.text(max_size=60))
def test_split_host_never_returns_more_than_a_plain_name(header: str) -> None:
    name = guard.split_host(header)
    assert name is None or re.fullmatch(r"[a-z0-9_.:-]+", name)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("LocalHost:80", "localhost"),
        ("[::1]", "::1"),
        ("[::1]:8050", "::1"),
        ("a.b-c:1", "a.b-c"),
        ("::1", None),
        ("a b", None),
        ("a:b", None),
        ("a:", None),
        ("a/b", None),
        ("[::1", None),
        ("localhoſt", None),
        ("a\n", None),
    ],
)
def test_split_host_reads_names_addresses_and_ports(header: str, name: str | None) -> None:
    assert guard.split_host(header) == name
