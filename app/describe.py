"""What is said of a run, as JSON: to pages, to scripts, and on the shell. Imports no web framework."""

import logging
from dataclasses import asdict
from typing import Any

from prunescope.app.wire import plain
from prunescope.engine.config import field_specs
from prunescope.engine.store import Run

LOG_LINES = 40

log = logging.getLogger(__name__)


def describe(run: Run) -> dict[str, Any]:
    """Return what every page shows of a run, as JSON; a run that cannot be read says why."""
    try:
        head, error = run.head, run.error
        unreadable = error is not None and head.n_snapshots == 0
        return plain(
            {
                "name": run.name,
                "kind": run.kind,
                "created": run.created,
                "status": "damaged" if unreadable else run.status,
                "message": error or head.message,
                "error": error,
                "version": head.version,
                "epoch": head.epoch,
                "total": head.total_epochs,
                "n": head.n_snapshots,
                "best": head.best,
            }
        )
    except Exception as error:
        # A run may be deleted, or cut off by a full disk, between the listing and this look.
        log.debug("run %s cannot be described", run.id, exc_info=True)
        why = f"{type(error).__name__}: {error}"
        return {
            "name": run.id,
            "kind": "",
            "created": None,
            "status": "damaged",
            "message": why,
            "error": why,
            "version": 0,
            "epoch": None,
            "total": None,
            "n": 0,
            "best": None,
        }


def summary(run: Run) -> dict[str, Any]:
    """Return one line of the list of runs, as JSON."""
    config = run.config
    return plain(
        {
            "id": run.id,
            **describe(run),
            "created": run.created,
            "parent": run.parent,
            "dataset": config.get("dataset"),
            "model": config.get("model"),
            "settings": changed_settings(config),
        }
    )


def details(run: Run) -> dict[str, Any]:
    """Return what there is to know of one run besides its numbers, as JSON."""
    return plain(
        {
            **summary(run),
            "config": run.config,
            "layers": [asdict(layer) for layer in run.layers],
            "meta": run.meta,
            "epochs": run.epochs,
            "durable_epoch": run.head.durable_epoch,
            "updated": run.head.updated,
            "log": run.log_tail(LOG_LINES),
        }
    )


def changed_settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that are not at their defaults: what tells one run from another."""
    defaults = {spec.name: plain(spec.default) for spec in field_specs()}
    return {
        key: value
        for key, value in config.items()
        if key != "name" and (key not in defaults or plain(value) != defaults[key])
    }
