"""Where a figure comes from: for the file, for the caption, for the methods section.

Nothing here knows the clock or the machine: the same view gives the same words tomorrow and elsewhere.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any
from urllib.parse import urlencode

from prunescope.app.exporting.collect import Picture
from prunescope.app.exporting.merge import Merged
from prunescope.app.exporting.style import PaperStyle
from prunescope.app.feeds.words import epoch_text, units
from prunescope.app.state import KEYS
from prunescope.app.wire import plain
from prunescope.engine.store import LayerInfo, Run

PACKAGES = ("prunescope", "numpy", "scipy", "scikit-learn", "plotly")
# The frame around a figure, not the figure.
_FRAME = ("run", "layer", "epoch", "follow", "theme", "sidebar", "full", "present", "hide", "speed", "play")


def provenance(picture: Picture, style: PaperStyle, merged: Merged | None) -> dict[str, Any]:
    """Everything that it takes to draw this figure again."""
    run, layer = picture.run, _layer(picture)
    return {
        "figure": picture.entry.figure,
        "title": picture.entry.title,
        "run": run.id,
        "run_name": run.name,
        "config": plain(run.config),
        "config_sha256": config_hash(run),
        "seed": run.config.get("seed"),
        "layer": None if layer is None else {"name": layer.name, "units": layer.units, "dimensions": layer.fan_in},
        "epoch": picture.epoch,
        "n": {"runs": 1, "units": None if layer is None else layer.units, "points": _points(picture)},
        "view": {key: value for key, value in picture.view.items() if key not in _FRAME},
        "paper": plain(style.words()),
        "merged": None if merged is None else merged._asdict(),
        "link": link(picture),
        "versions": versions(run),
    }


def config_hash(run: Run) -> str:
    """SHA-256 of the run's settings as sorted JSON."""
    text = json.dumps(plain(run.config), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def link(picture: Picture) -> str:
    """The address of this view, from the slash on: it opens the same picture wherever the run folder is."""
    query: dict[str, str] = {}
    for key in KEYS:
        value = picture.view[key.name]
        if key.name in ("theme", "sidebar", "full", "present", "hide", "speed", "play") or value == key.default:
            continue
        query[key.name] = ("1" if value else "0") if key.kind == "flag" else _short(value)
    page = picture.entry.page
    return f"/{page}?{urlencode(query | {'full': picture.entry.figure})}"


def versions(run: Run) -> dict[str, str]:
    found = {name: metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()}
    trained = {name: str(run.meta[name]) for name in ("torch", "numpy", "python") if run.meta.get(name)}
    return found | {f"{name} (training)": value for name, value in trained.items()}


def caption(picture: Picture, merged: Merged | None) -> str:
    """A caption to paste: what is shown, what is seen, of what, and how many."""
    parts = [f"{picture.entry.title}.", picture.finding, f"{_of_what(picture)}.", _key(picture)]
    if merged is not None:
        parts.append(merged.words())
    return " ".join(part for part in parts if part)


def methods(picture: Picture) -> str:
    """Sentences for a methods section: the training, the computation, the software."""
    config = picture.run.config
    versions_now = versions(picture.run)
    used = [f"{key.label.lower()}: {picture.view[key.name]}" for key in KEYS if picture.entry.page in key.pages]
    software = f"Prunescope {versions_now['prunescope']} (NumPy {versions_now['numpy']}, scikit-learn "
    return " ".join(
        part
        for part in [
            _training(config),
            *(text if text.endswith((".", ")")) else f"{text}." for text in picture.entry.how),
            f"Settings: {'; '.join(used)}." if used else "",
            f"Computed with {software}{versions_now['scikit-learn']}); "
            f"configuration SHA-256 {config_hash(picture.run)[:12]}.",
        ]
        if part
    )


def _training(config: Mapping[str, Any]) -> str:
    if not config.get("model"):
        return ""
    told = f"A network ({config['model']}) was trained"
    if config.get("dataset"):
        told += f" on {config['dataset']}"
    if config.get("epochs"):
        told += f" for {config['epochs']} epochs"
    how = [
        f"{words} {config[key]}"
        for key, words in (
            ("optimizer", "optimiser"), ("lr", "learning rate"), ("batch_size", "batch size"),
            ("init_scale", "initialisation scale"), ("label_noise", "label noise"), ("seed", "seed"),
        )
        if config.get(key) is not None and not (key == "label_noise" and not config[key])
    ]  # fmt: skip
    return f"{told} ({', '.join(how)})." if how else f"{told}."


def _of_what(picture: Picture) -> str:
    config, layer = picture.run.config, _layer(picture)
    named = [str(config[key]) for key in ("dataset", "model") if config.get(key)]
    if config.get("seed") is not None:
        named.append(f"seed {config['seed']}")
    parts = [f"Run “{picture.run.name}”" + (f" ({', '.join(named)})" if named else "")]
    if layer is not None:
        parts.append(f"layer {layer.name} ({units(layer, layer.units)}, {layer.fan_in} dimensions)")
    return ", ".join([*parts, epoch_text(picture.epoch), "n = 1 run"])


def _key(picture: Picture) -> str:
    names = [str(trace["name"]) for trace in picture.data if trace.get("name") and trace.get("y") not in ([], None)]
    return f"Shown: {'; '.join(names)}." if 1 < len(names) <= 6 else ""


def _layer(picture: Picture) -> LayerInfo | None:
    name = picture.view.get("layer")
    return next((layer for layer in picture.run.layers if layer.name == name), None)


def _points(picture: Picture) -> int:
    return sum(len(trace.get("x") or trace.get("y") or trace.get("z") or []) for trace in picture.data)


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
