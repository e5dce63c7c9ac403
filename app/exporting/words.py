"""What a paper says of a figure: a caption to paste, and sentences for its methods section."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from prunescope.app.exporting.collect import Picture
from prunescope.app.exporting.merge import Merged
from prunescope.app.exporting.provenance import config_hash, layer_of, versions
from prunescope.app.feeds.words import epoch_text, units
from prunescope.app.state import BY_NAME, Key
from prunescope.engine.experiments.summary import config_differences

# What a reader must know of a training, and at which values it goes without saying.
_TRAINING: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
    ("optimizer", "optimiser {}", ()),
    ("lr", "learning rate {}", ()),
    ("momentum", "momentum {}", (0, 0.0)),
    ("weight_decay", "weight decay {}", (0, 0.0)),
    ("schedule", "{} schedule", ("constant",)),
    ("warmup_epochs", "{} epochs of warm-up", (0, 0.0)),
    ("batch_size", "batch size {}", ()),
    ("width", "width × {}", (1, 1.0)),
    ("init_scale", "initialisation scale {}", (1, 1.0)),
    ("label_noise", "label noise {}", (0, 0.0)),
    ("seed", "seed {}", ()),
)
_OPTIMISERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}
# Settings that name a run or its folder, and change nothing that is drawn.
_NOT_SAID = ("name", "dataset", "model", "data_dir", "threads", "device", "durable", "download", "min_epoch_seconds")
MOST_VALUES = 8


def caption(picture: Picture, merged: Merged | None, *, marked: bool = False) -> str:
    """What is shown, what is seen, of what, and how many; ``marked``: a line stands at the epoch."""
    note = picture.note or (_axes(picture) if picture.runs else "")
    title = picture.entry.title + (f" ({note})" if note else "")
    parts = [_sentence(title), picture.finding, f"{_of_what(picture)}.", _key(picture)]
    if marked:
        parts.append(f"Dotted upright line: {epoch_text(picture.epoch)}.")
    if merged is not None:
        parts.append(merged.words())
    return " ".join(part for part in parts if part)


def methods(picture: Picture) -> str:
    """The training, the computation, the settings, the software."""
    now = versions(picture.run)
    used = [key for name in picture.settings if (key := BY_NAME[name]) and _said(key, picture.view[name])]
    told = [f"{key.label[:1].lower()}{key.label[1:]}: {_value(key, picture.view[key.name])}" for key in used]
    hashes = sorted({config_hash(run)[:12] for run in picture.runs or (picture.run,)})
    one = len(hashes) == 1
    return " ".join(
        part
        for part in [
            _trainings(picture) if picture.runs else _training(picture.run.config),
            *(_sentence(text) for text in _without_buttons(picture, used)),
            f"Settings: {'; '.join(told)}." if told else "",
            f"Computed with Prunescope {now['prunescope']} (NumPy {now['numpy']}, scikit-learn "
            f"{now['scikit-learn']}); "
            + (f"configuration SHA-256 {hashes[0]}." if one else "the SHA-256 of each configuration is in the files."),
        ]
        if part
    )


def _axes(picture: Picture) -> str:
    """What is drawn against what: such a figure is named by the question, not by the quantities chosen."""
    across, up = (((picture.layout.get(axis) or {}).get("title") or {}).get("text") for axis in ("xaxis", "yaxis"))
    return f"{up} against {across}" if across and up else ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!", ".)")) else f"{text}."


def _of_what(picture: Picture) -> str:
    if picture.runs:
        common = _common([run.config for run in picture.runs])
        named = [str(common[key]) for key in ("dataset", "model") if common.get(key)]
        exp, many = picture.view["exp"] if "exp" in picture.settings else "", len(picture.runs)
        lead = f"Experiment “{exp}”" if exp not in ("", "*") else "Runs compared" if many > 1 else "One run"
        return lead + (f" ({', '.join(named)})" if named else "") + f", n = {many} run{'s' if many > 1 else ''}"
    config, layer = picture.run.config, layer_of(picture)
    named = [str(config[key]) for key in ("dataset", "model") if config.get(key)]
    if config.get("seed") is not None:
        named.append(f"seed {config['seed']}")
    parts = [f"Run “{picture.run.name}”" + (f" ({', '.join(named)})" if named else "")]
    if layer is not None:
        parts.append(f"layer {layer.name} ({units(layer, layer.units)}, {layer.fan_in} dimensions)")
    return ", ".join([*parts, epoch_text(picture.epoch), "n = 1 run"])


def _key(picture: Picture) -> str:
    shown = [
        str(trace["name"])
        for trace in picture.data
        if trace.get("name")
        and trace.get("y") not in ([], None)
        # The ends of a band are no curves.
        and not ((trace.get("line") or {}).get("width") == 0 and trace.get("fill") in (None, "tonexty"))
    ]
    names = list(dict.fromkeys(shown))
    return f"Shown: {'; '.join(names)}." if 1 < len(names) <= 6 else ""


def _training(config: Mapping[str, Any]) -> str:
    if not config.get("model"):
        return ""
    return f"A network ({config['model']}) was trained{_on(config)}{_how(config)}."


def _trainings(picture: Picture) -> str:
    """What many runs have in common, and what tells them apart."""
    configs = [dict(run.config) for run in picture.runs]
    common, many = _common(configs), len(configs)
    model = f" ({common['model']})" if common.get("model") else ""
    told = f"{many} networks{model} were trained" if many > 1 else f"A network{model} was trained"
    varied = [
        f"{name.replace('_', ' ')} ({_values(values)})"
        for name, values in config_differences(configs).items()
        if name not in _NOT_SAID or name in ("dataset", "model")
    ]
    apart = f" They differ in {', '.join(varied)}." if varied else ""
    return f"{told}{_on(common)}{_how(common)}.{apart}"


def _on(config: Mapping[str, Any]) -> str:
    told = f" on {config['dataset']}" if config.get("dataset") else ""
    return told + (f" for {config['epochs']} epochs" if config.get("epochs") else "")


def _how(config: Mapping[str, Any]) -> str:
    how = [
        words.format(_OPTIMISERS.get(str(config[key]), config[key]))
        for key, words, silent in _TRAINING
        if config.get(key) is not None
        and config[key] not in silent
        # It is SGD's alone.
        and (key != "momentum" or config.get("optimizer") == "sgd")
    ]
    return f" ({', '.join(how)})" if how else ""


def _common(configs: list[Any]) -> dict[str, Any]:
    apart = config_differences(configs)
    return {name: value for name, value in configs[0].items() if name not in apart}


def _values(values: Iterable[Any]) -> str:
    told = [", ".join(map(str, value)) or "–" if isinstance(value, list | tuple) else str(value) for value in values]
    return ", ".join(told) if len(told) <= MOST_VALUES else f"{len(told)} values"


def _said(key: Key, value: Any) -> bool:
    """Whether a setting has a value to tell: none where it is left open, or names nothing."""
    return (
        value not in ("", "none")
        and key.name not in ("exp", "runs", "log")
        and not (key.kind == "number" and value == -1)
    )


def _value(key: Key, value: Any) -> str:
    shown = dict(key.choices).get(value, f"{value:g}" if isinstance(value, float) else str(value))
    return f"{shown} {key.unit}".strip()


def _without_buttons(picture: Picture, used: Iterable[Key]) -> Iterable[str]:
    """How the figure is computed, without the sentences about controls that have no part in it.

    Words in quotation marks are those of a control: they stay where it is a setting of this figure, or the choice made.
    """
    chosen = {word.lower() for key in used for word in (key.label, _value(key, picture.view[key.name]))}
    for text in picture.entry.how:
        kept = [
            part
            for part in re.split(r"(?<=[.!?]) (?=[^a-zα-ω])", text)
            if not (quoted := re.findall(r"“([^”]+)”", part)) or any(word.lower() in chosen for word in quoted)
        ]
        if kept:
            yield " ".join(kept)
