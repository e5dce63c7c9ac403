"""Where a figure comes from: the record that goes into its files, and the link back to it.

Nothing here knows the clock or the machine: the same view gives the same words tomorrow and elsewhere.
"""

import hashlib
import json
import platform
from importlib import metadata
from typing import Any
from urllib.parse import urlencode

from prunescope.app.exporting.collect import Picture
from prunescope.app.exporting.merge import Merged
from prunescope.app.exporting.style import PaperStyle
from prunescope.app.state import KEYS
from prunescope.app.wire import plain
from prunescope.engine.store import LayerInfo, Run

PACKAGES = ("prunescope", "numpy", "scipy", "scikit-learn", "plotly")
# The frame around a figure, not the figure.
_FRAME = ("theme", "sidebar", "full", "present", "hide", "show", "speed", "play")
# Said beside the view, not in it.
_SAID = ("run", "layer", "epoch", "follow")


def provenance(picture: Picture, style: PaperStyle, merged: Merged | None) -> dict[str, Any]:
    """Everything that it takes to draw this figure again."""
    return {
        "figure": picture.entry.figure,
        "title": picture.entry.title,
        **(_many(picture) if picture.runs else _one(picture)),
        "view": {key: value for key, value in picture.view.items() if key not in (*_FRAME, *_SAID)},
        "paper": plain(style.words()),
        "merged": None if merged is None else merged._asdict(),
        "link": link(picture),
        "versions": versions(picture.run),
    }


def _one(picture: Picture) -> dict[str, Any]:
    run, layer = picture.run, layer_of(picture)
    return {
        **_run(run),
        "config": plain(run.config),
        "layer": None if layer is None else {"name": layer.name, "units": layer.units, "dimensions": layer.fan_in},
        "epoch": picture.epoch,
        "n": {"runs": 1, "units": None if layer is None else layer.units, "points": _points(picture)},
    }


def _many(picture: Picture) -> dict[str, Any]:
    """Of figures about many runs: all of them, none in particular."""
    exp = picture.view["exp"]
    return {
        **({"experiment": exp} if exp and exp != "*" and "exp" in picture.settings else {}),
        "runs": [_run(run) for run in picture.runs],
        "layer": None,
        "epoch": None,
        "n": {"runs": len(picture.runs), "units": None, "points": _points(picture)},
    }


def _run(run: Run) -> dict[str, Any]:
    return {"run": run.id, "run_name": run.name, "config_sha256": config_hash(run), "seed": run.config.get("seed")}


def config_hash(run: Run) -> str:
    """SHA-256 of the run's settings as sorted JSON."""
    text = json.dumps(plain(run.config), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def link(picture: Picture) -> str:
    """The address of this view, from the slash on: it opens the same picture wherever the run folder is."""
    query: dict[str, str] = {}
    for key in KEYS:
        value = picture.view[key.name]
        if key.name in _FRAME or value == key.default:
            continue
        query[key.name] = ("1" if value else "0") if key.kind == "flag" else _short(value)
    return f"/{picture.entry.page}?{urlencode(query | {'full': picture.entry.figure})}"


def versions(run: Run) -> dict[str, str]:
    found = {name: metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()}
    trained = {name: str(run.meta[name]) for name in ("torch", "numpy", "python") if run.meta.get(name)}
    return found | {f"{name} (training)": value for name, value in trained.items()}


def layer_of(picture: Picture) -> LayerInfo | None:
    name = picture.view.get("layer")
    return next((layer for layer in picture.run.layers if layer.name == name), None)


def _points(picture: Picture) -> int:
    return sum(len(trace.get("x") or trace.get("y") or trace.get("z") or []) for trace in picture.data)


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
