"""The JSON routes: what runs there are, what a run is, start one, control one."""
from flask import Flask, Response, jsonify
from prunescope.app import guard
from prunescope.app.live import Live
from prunescope.app.settings import Settings
from prunescope.engine.store import Store


def register(server: Flask, store: Store, settings: Settings, live: Live) -> None:
    @server.get("/api/session")
    def session() -> Response:
        return jsonify(boot=live.boot, logdir=str(settings.logdir), may_change=guard.may_change(),
                       read_only=not settings.changes_allowed)
