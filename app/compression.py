"""gzip for what compresses: scripts, styles, JSON, HTML. Files that never change are compressed once."""

import gzip
import hashlib

from flask import Flask, Response, request
from prunescope.engine.recent import Recent

TEXT = frozenset(
    {
        "application/javascript",
        "application/json",
        "image/svg+xml",
        "text/css",
        "text/csv",
        "text/html",
        "text/javascript",
        "text/plain",
    }
)
SMALLEST = 1024
"""Below this one packet is sent either way."""
KEPT = 128
"""Compressed files kept; Dash, plotly and the components are about 60."""


class CompressedFiles:
    """The newest `KEPT` compressed files, by content: a path may carry any fingerprint a client invents."""

    def __init__(self) -> None:
        self._files = Recent[bytes, bytes](KEPT)

    def get(self, data: bytes) -> bytes:
        key = hashlib.blake2b(data, digest_size=16).digest()
        # mtime 0: the same file always gives the same bytes.
        return self._files.once(key, lambda: gzip.compress(data, 6, mtime=0))


def install(server: Flask) -> None:
    """Compress answers of `server` for browsers that accept gzip; event streams pass untouched."""
    files = CompressedFiles()

    @server.after_request
    def compress(response: Response) -> Response:
        if response.mimetype not in TEXT or response.status_code != 200 or request.method != "GET":
            return response
        # What is generated piece by piece must leave piece by piece; a file is an iterator too, but whole.
        static = response.direct_passthrough or request.path.startswith("/_dash-component-suites/")
        if response.is_streamed and not static:
            return response
        response.vary.add("Accept-Encoding")
        if request.accept_encodings["gzip"] <= 0 or "Content-Encoding" in response.headers:
            return response
        response.direct_passthrough = False
        data = response.get_data()
        if len(data) < SMALLEST:
            return response
        # Level 1 for answers made for this request: there the time counts, not the bytes.
        response.set_data(files.get(data) if static else gzip.compress(data, 1))
        response.headers["Content-Encoding"] = "gzip"
        if etag := response.get_etag()[0]:
            # Two encodings of one file: equal in meaning, not in bytes.
            response.set_etag(etag, weak=True)
        return response
