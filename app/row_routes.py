"""Where pages pull rows: what they hold stays with them, what they lack is sent.

``GET /api/rows?feed=…&run=…&have=N&boot=…`` answers with frames: a JSON header and raw little-endian
arrays behind it. ``have`` is the number of rows that the page holds, so an update carries the new
epochs only, a gap repairs itself, and a page that comes back asks for all it missed in one request.
``shown`` is the epoch on screen: where computing all rows takes long, its row is sent first.
"""

from typing import Any

from flask import Flask, Response, request, stream_with_context
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds import FEEDS
from prunescope.app.figures.theme import THEMES
from prunescope.app.guard import problem
from prunescope.app.measured import Measured
from prunescope.app.rows import RowServer
from prunescope.app.state import read_view
from prunescope.engine.store import Store, StoreError


def register(server: Flask, store: Store, evaluator: Evaluator, *, keep: bool = True) -> RowServer:
    """Answer ``/api/rows`` on a Flask app; ``keep``: what is measured of many runs may be written beside them."""
    row_server = RowServer(store, evaluator, kept=Measured(store.root, write=keep))

    @server.get("/api/rows")
    def rows() -> Any:
        feed_name = request.args.get("feed", "")
        if feed_name not in FEEDS:
            return problem(404, "This feed is unknown.", feed_name[:40], f"Use one of {', '.join(FEEDS)}.")
        view = read_view(request.args)
        theme = request.args.get("theme_now", "")
        if theme not in ("", *THEMES):
            return problem(400, "This theme is unknown.", theme[:40], f"Use one of {', '.join(THEMES)}.")
        if getattr(FEEDS[feed_name], "whole", False):
            told = row_server.whole(feed_name, view, theme)
            return Response(stream_with_context(told), mimetype="application/octet-stream")
        try:
            run = store.run(view["run"])
        except StoreError as error:
            return problem(404, str(error), view["run"])
        try:
            have = max(0, int(request.args.get("have", "0")))
        except ValueError:
            return problem(400, "have is not a whole number.", None, "Send the number of rows that the page holds.")
        # Rows counted under another server may have been other rows: begin again.
        if request.args.get("boot") != row_server.boot:
            have = 0
        row_server.visited()
        at = None
        if getattr(FEEDS[feed_name], "answers", False):
            at = request.args.get("at", type=float)
            if at is None or at not in run.epochs:
                return problem(400, "at is no recorded epoch of this run.", request.args.get("at"), "Reload the page.")
        shown = request.args.get("shown", -1.0, type=float)
        frames = row_server.frames(feed_name, run, view, have, theme, at=at, shown=shown)
        return Response(stream_with_context(frames), mimetype="application/octet-stream")

    return row_server
