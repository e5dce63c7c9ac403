"""The JSON routes: what runs there are, what one of them is, start one, control one.

Whatever comes in is checked here or by the engine's own rules; whatever goes wrong comes back as
`{"error": what, "value": which, "do": what to do}`, and per field as `"problems"`.
"""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Flask, Response, jsonify
from prunescope.app import guard
from prunescope.app.control import ACTIONS, control
from prunescope.app.describe import changed_settings, details, summary
from prunescope.app.live import Live
from prunescope.app.settings import Settings
from prunescope.app.wire import plain
from prunescope.engine.config import ConfigError, RunConfig, check_fits, field_specs
from prunescope.engine.launch import launch
from prunescope.engine.presets import PRESETS
from prunescope.engine.store import RunDamaged, RunExists, RunLocked, Store, StoreError, StoreFull


def register(server: Flask, store: Store, settings: Settings, live: Live) -> None:
    """Add the routes below `/api`, and the answers to errors of the store and of settings."""
    routes = Blueprint("api", __name__, url_prefix="/api")

    @routes.get("/session")
    def session() -> Response:
        return jsonify(
            boot=live.boot,
            logdir=str(settings.logdir),
            may_change=guard.may_change(),
            read_only=not settings.changes_allowed,
        )

    @routes.get("/runs")
    def list_runs() -> Response:
        return jsonify(runs=[summary(run) for run in store.runs()])

    @routes.get("/runs/<run_id>")
    def show_run(run_id: str) -> Response:
        return jsonify(details(store.run(run_id)))

    @routes.get("/form")
    def form() -> Response:
        return jsonify(
            plain(
                {
                    "fields": [asdict(spec) for spec in field_specs()],
                    "presets": {name: changed_settings(config.to_dict()) for name, config in PRESETS.items()},
                }
            )
        )

    @routes.post("/validate")
    def validate() -> Response:
        # It needs the token too: the check of an image folder tells what is on the disk.
        guard.require_change()
        try:
            config_from(guard.read_json())
        except ConfigError as error:
            # Problems are the answer here, not a failure: browsers log a failed request as an error.
            return jsonify(problems=error.problems)
        return jsonify(problems={})

    @routes.post("/runs")
    def start_run() -> tuple[Response, int]:
        guard.require_change()
        run_id = launch(store, config_from(guard.read_json()))
        live.look_now()
        return jsonify(run=run_id), 201

    @routes.post("/runs/<run_id>/control")
    def control_run(run_id: str) -> Response:
        guard.require_change()
        body = guard.read_json()
        action = body.get("action") if isinstance(body, dict) else None
        if action not in ACTIONS:
            guard.refuse(400, "Unknown action.", plain(action), f"Choose one of {', '.join(ACTIONS)}.")
        about = control(store, run_id, action, body.get("name"))
        live.look_now()
        return jsonify(run=about)

    @routes.route("/<path:path>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def unknown(path: str) -> Response:
        # Without this, Dash would answer an unknown address with the page.
        return guard.problem(404, "There is no such address.", f"/api/{path}", "Check its spelling.")

    server.register_blueprint(routes)
    server.register_error_handler(StoreError, store_error)
    server.register_error_handler(ConfigError, config_error)


def config_from(body: Any) -> RunConfig:
    """Return the settings that a form sent as `{"config": {…}}`, checked, and fitting each other.

    Raises
    ------
    ConfigError
        With every problem by field. Settings that would run the user's own code are among them:
        such code comes from the shell alone.
    """
    values: Any = body.get("config") if isinstance(body, dict) else None
    if not isinstance(values, dict):
        guard.refuse(400, "The body holds no settings.", None, 'Send {"config": {"epochs": 10, …}}.')
    config = RunConfig.from_dict(_typed(values), trusted=False)
    check_fits(config)
    return config


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    """Turn the text of a form's fields into numbers, switches and lists, as on the shell."""
    specs = {spec.name: spec for spec in field_specs()}
    typed, problems = dict(values), {}
    for name in values.keys() & specs.keys():
        value = values[name]
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            value = ",".join(value)
        if isinstance(value, str):
            try:
                typed[name] = specs[name].parse(value)
            except ValueError as error:
                problems[name] = str(error)
                del typed[name]
    if problems:
        # With those of the other fields: a form shows all of them at once.
        try:
            RunConfig.from_dict(typed, trusted=False)
        except ConfigError as error:
            problems = error.problems | problems
        raise ConfigError(problems)
    return typed


def config_error(error: ConfigError) -> Response:
    """Answer settings that cannot be used."""
    response = jsonify(
        error="Some settings cannot be used.", value=None, do="See the problems.", problems=error.problems
    )
    response.status_code = 422
    return response


def store_error(error: StoreError) -> Response:
    """Answer what the store reports: unknown, busy, damaged, full."""
    statuses = {RunLocked: 409, RunExists: 409, StoreFull: 507, RunDamaged: 422, KeyError: 404}
    status = next((status for kind, status in statuses.items() if isinstance(error, kind)), 409)
    return guard.problem(status, str(error))
