"""Every request passes here first: who may ask, from which page, for what.

The attacks this stops are those that reach a server on loopback through the user's own browser:
a foreign page that posts to it, and a foreign name that is made to point at it (DNS rebinding).
"""

import hmac
import logging
import re
from collections.abc import Sequence
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

from dash.exceptions import DependencyException, InvalidResourceError
from flask import Flask, Response, abort, current_app, jsonify, make_response, redirect, request
from prunescope.app.settings import Settings
from werkzeug.exceptions import HTTPException

MAX_BODY = 2 * 1024 * 1024
READING = frozenset({"GET", "HEAD"})
# An address literal in brackets, or a name; then perhaps a port. Anything else is no Host.
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::([0-9]{1,5}))?", re.ASCII)
_KEY = "prunescope.settings"

log = logging.getLogger(__name__)


def problem(status: int, error: str, value: object = None, do: str = "") -> Response:
    """Build an error answer: what is wrong, which value, what to do."""
    response = jsonify(error=error, value=value, do=do)
    response.status_code = status
    return response


def refuse(status: int, error: str, value: object = None, do: str = "") -> NoReturn:
    """End the request with `problem(…)`."""
    abort(problem(status, error, value, do))


def split_host(header: str) -> str | None:
    """Return the name in a Host header, lower-cased, without port and brackets; None if it is none.

    Written out because Flask's TRUSTED_HOSTS cannot express IPv6 and globs let `10.evil.com` through.
    """
    match = _HOST.fullmatch(header.lower())
    return (match[1] or match[2]) if match else None


def own_origin(origin: str, host_header: str) -> bool:
    """Say whether `origin` is the page that this very address served (https: behind a TLS proxy)."""
    return origin.lower() in (f"http://{host_header.lower()}", f"https://{host_header.lower()}")


def has_token() -> bool:
    """Say whether this request carries the launch token as `Authorization: Bearer`, or the cookie given for it."""
    settings = _settings()
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _same(bearer.strip(), settings.token)
    return _same(request.cookies.get(cookie_name(settings), ""), settings.session)


def may_change() -> bool:
    """Say whether this request may change state (for pages that show or hide their buttons)."""
    return _settings().changes_allowed and has_token()


def require_change() -> None:
    """Refuse the request unless it may change state; every route and callback that does calls this."""
    if not _settings().changes_allowed:
        refuse(
            403,
            "This dashboard is read-only.",
            None,
            "Start it without --read-only on this machine, "
            "or with --allow-changes when it is bound to another address.",
        )
    if not has_token():
        refuse(
            401,
            "Changing anything needs the token of this launch.",
            None,
            "Open the address that `prunescope ui` printed when it started (it ends in ?token=…).",
        )


def cookie_name(settings: Settings) -> str:
    # Cookies ignore the port, so two dashboards on one machine would overwrite each other's.
    return f"prunescope_{settings.port}"


def read_json() -> Any:
    """Return the request's JSON body; refuse with 400 what is not JSON, is nested absurdly, or is no text."""
    try:
        body = request.get_json(cache=True)
        # A lone surrogate is valid JSON and no valid text: it would fail later, when written to a file.
        if b"\\u" in request.get_data(cache=True):
            current_app.json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError, HTTPException):
        refuse(400, "The request body is not valid JSON.", None, "Send one JSON value in UTF-8.")
    return body


def install(server: Flask, settings: Settings, csp_hashes: Sequence[str]) -> None:
    """Put the checks before, and the headers behind, every route of `server`."""
    server.config[_KEY] = settings
    server.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    # First in line: Dash's own before_request hooks build the page on the first request.
    server.before_request_funcs.setdefault(None, []).insert(0, _check)
    policy = _content_security_policy(csp_hashes)

    @server.after_request
    def add_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        return response

    @server.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        if error.response is not None:
            return make_response(error.response)
        response = problem(error.code or 500, error.description or error.name, request.path, "")
        if error.code == 405:
            response.headers["Allow"] = ", ".join(getattr(error, "valid_methods", None) or ())
        return response

    @server.errorhandler(InvalidResourceError)
    @server.errorhandler(DependencyException)
    def no_such_file(_: Exception) -> Response:
        # Dash answers the first with the path inside HTML, and the second with a 500.
        return problem(404, "There is no such file.", request.path, "Reload the page.")

    @server.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        # The traceback belongs in the terminal of the one who runs the server, not in an answer.
        log.error("unforeseen error at %s", request.path, exc_info=error)
        return problem(
            500,
            "The server met an error that it did not foresee.",
            type(error).__name__,
            "See the terminal that runs prunescope, and please report what it says there.",
        )


def _check() -> Response | None:
    settings = _settings()
    host = request.headers.get("Host", "")
    if split_host(host) not in settings.hosts:
        return problem(
            400,
            "This server does not answer to that host name.",
            host,
            f"If it is yours, start prunescope with --allowed-hosts {split_host(host) or 'NAME'}.",
        )
    if refused := _check_origin(host):
        return refused
    if request.method in READING and "token" in request.args:
        return _exchange_token(settings)
    if request.method not in READING and request.method != "OPTIONS" and (refused := _check_body()):
        return refused
    if settings.reading_needs_token and not has_token():
        return problem(
            401,
            "This dashboard needs the token of its launch.",
            None,
            "Open the address that `prunescope ui` printed when it started (it ends in ?token=…).",
        )
    return None


def _check_origin(host: str) -> Response | None:
    origin = request.headers.get("Origin")
    if origin is not None and not own_origin(origin, host):
        return problem(403, "Requests from other pages are refused.", origin, "Use the dashboard's own page.")
    # A link on another page may open the dashboard (a plain GET); nothing else may come from there.
    site = request.headers.get("Sec-Fetch-Site")
    opened_by_link = request.method in READING and request.headers.get("Sec-Fetch-Mode") == "navigate"
    if site not in (None, "same-origin", "none") and not opened_by_link:
        return problem(403, "Requests from other pages are refused.", site, "Use the dashboard's own page.")
    return None


def _check_body() -> Response | None:
    if request.mimetype != "application/json":
        return problem(415, "Only JSON is accepted.", request.mimetype, "Send it as application/json.")
    if (request.content_length or 0) > MAX_BODY:
        return problem(413, "The request body is too large.", request.content_length, f"Send at most {MAX_BODY} bytes.")
    read_json()
    return None


def _exchange_token(settings: Settings) -> Response:
    """Put the token of the address into a cookie and show the same address without it."""
    rest = [pair for pair in request.args.items(multi=True) if pair[0] != "token"]
    # One leading slash exactly: "//name/" would be an address on another machine.
    path = "/" + quote(request.path.lstrip("/\\"))
    response = make_response(redirect(f"{path}?{urlencode(rest)}" if rest else path, code=303))
    if _same(request.args["token"], settings.token):
        response.set_cookie(cookie_name(settings), settings.session, httponly=True, samesite="Strict", path="/")
    return response


def _content_security_policy(hashes: Sequence[str]) -> str:
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {' '.join(hashes)}",
            # Dash and plotly set style attributes; style alone runs nothing.
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "object-src 'none'",
            "form-action 'none'",
        )
    )


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def _settings() -> Settings:
    return current_app.config[_KEY]
