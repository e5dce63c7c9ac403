"""Before a run starts: how much it will record, and how much room there is."""

import shutil
from pathlib import Path

from flask import Flask, Response, jsonify
from prunescope.app import guard
from prunescope.app.api import config_from
from prunescope.app.evaluator import Evaluator, EvaluatorError
from prunescope.engine.config import ConfigError
from prunescope.engine.store import Store


def register(server: Flask, store: Store, evaluator: Evaluator) -> None:
    """Answer ``/api/estimate``: one sentence about the settings of a form, "" while they cannot be used."""

    @server.post("/api/estimate")
    def estimate() -> Response:
        guard.require_change()
        try:
            config = config_from(guard.read_json())
            # The network is counted where PyTorch is loaded anyway.
            told = next(evaluator.ask("recording", config=config.to_dict()))
        except (ConfigError, EvaluatorError):
            return jsonify(says="", tight=False)
        free = free_bytes(store.root)
        size = told["bytes"]
        says = f"{told['parameters']:,} parameters · {told['snapshots']:,} snapshots · about {in_words(size)}"
        return jsonify(says=f"{says} of {in_words(free)} free", tight=size > free)


def free_bytes(folder: Path) -> int:
    """Room on the disk of a folder that may not be there yet."""
    there = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    return shutil.disk_usage(there).free


def in_words(size: float) -> str:
    """Bytes with a unit that people read: 950 kB, 12 MB, 3.4 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
