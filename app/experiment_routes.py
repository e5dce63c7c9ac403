"""The JSON routes of experiments: what there are, what a form may ask, start one, steer its queue."""

from typing import Any

from flask import Flask, Response, jsonify
from prunescope.app import experiments, guard, recipe_form
from prunescope.app.live import Live
from prunescope.app.wire import plain
from prunescope.engine.config import ConfigError
from prunescope.engine.experiments.folder import Experiments
from prunescope.engine.store import Store


def register(server: Flask, store: Store, live: Live) -> None:
    """Add the routes below `/api/experiments`; errors are answered as those of `api` are."""

    @server.get("/api/experiments")
    def list_experiments() -> Response:
        return jsonify(experiments=experiments.overview(store))

    @server.get("/api/experiments/form")
    def experiment_form() -> Response:
        return jsonify(recipes=recipe_form.forms())

    @server.get("/api/experiments/<name>")
    def show_experiment(name: str) -> Response:
        return jsonify(experiments.queue(store, Experiments(store).open(name)))

    @server.get("/api/experiments/<name>/report")
    def report_experiment(name: str) -> Response:
        # On first use: only a report needs the pages' layouts and the drawing library.
        from prunescope.app.exporting import report

        answer = Response(report.page(store, Experiments(store).open(name)), mimetype="text/html")
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}.html"'
        return answer

    @server.post("/api/experiments/validate")
    def validate_experiment() -> Response:
        # The token, as for runs: the check of an image folder tells what is on the disk.
        guard.require_change()
        try:
            _, runs = recipe_form.asked_for(*_asked(guard.read_json()))
        except ConfigError as error:
            # Problems are the answer here, not a failure: browsers log a failed request as an error.
            return jsonify(problems=error.problems, runs=None)
        return jsonify(problems={}, runs=runs)

    @server.post("/api/experiments")
    def start_experiment() -> tuple[Response, int]:
        guard.require_change()
        name = recipe_form.start(store, *_asked(guard.read_json()))
        live.look_now()
        return jsonify(experiment=name), 201

    @server.post("/api/experiments/<name>/control")
    def control_experiment(name: str) -> Response:
        guard.require_change()
        body = guard.read_json()
        action = body.get("action") if isinstance(body, dict) else None
        key = body.get("run", "") if isinstance(body, dict) else ""
        if not isinstance(key, str):
            guard.refuse(400, "run is no text.", plain(key), "Send a run's key, or leave it out for the whole queue.")
        allowed = experiments.ONE if key else experiments.ALL
        if not isinstance(action, str) or action not in allowed:
            guard.refuse(400, "Unknown action.", plain(action), f"Choose one of {', '.join(allowed)}.")
        experiments.steer(store, Experiments(store).open(name), action, key)
        live.look_now()
        return jsonify(experiment=name)


def _asked(body: Any) -> tuple[str, dict[str, Any]]:
    """The recipe and the changes of it that a form sent."""
    recipe = body.get("recipe") if isinstance(body, dict) else None
    changes = body.get("changes", {}) if isinstance(body, dict) else None
    if not isinstance(recipe, str) or not isinstance(changes, dict):
        guard.refuse(
            400, "The body holds no experiment.", None,
            'Send {"recipe": "digits-lenet", "changes": {"run.epochs": "4"}}.',
        )  # fmt: skip
    return recipe, changes
