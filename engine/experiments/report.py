"""An experiment as a folder: one page, tables as CSV, settings, and the command that repeats it.

    index.html        tables with mean ± sd and n, settings, versions, seeds, command
    groups.csv        one row an arm and level
    runs.csv          one row a run
    experiment.json   the settings in the shape of a recipe

No script and nothing from elsewhere: the page opens anywhere, years later. Figures may be laid beside
it by whoever draws them (`figures`). Imports no torch.
"""

import csv
import io
import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from prunescope.engine.experiments.folder import Described
from prunescope.engine.experiments.summary import Spread, Summary, mask_overlap, summarise
from prunescope.engine.store import Store, StoreError, files

PAGE = "index.html"
# What a reader looks for first; further numbers follow in their own order.
_FIRST = ("remaining", "accuracy", "early_stop_iteration", "early_stop_accuracy", "train_accuracy", "first_accuracy")
_DIGITS = {"early_stop_iteration": 0, "iterations": 0, "weights": 0, "of": 0, "hidden": 0, "macs": 0, "macs_before": 0}
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .7rem;text-align:left;border-bottom:1px solid #ddd}th{border-bottom:2px solid #888}
pre{background:#f4f4f4;padding:.7rem;overflow:auto}figure{margin:1rem 0}img{max-width:100%}
@media(prefers-color-scheme:dark){body{color:#e8e8e8;background:#161616}pre{background:#242424}th,td{border-color:#444}}
"""


def write_report(store: Store, described: Described, folder: Path, *, figures: Mapping[str, str] | None = None) -> Path:
    """Write the report of an experiment as it stands; returns the page.

    Parameters
    ----------
    folder : made if it is not there; files of an earlier report in it are replaced
    figures : title → name of an image file that the caller has put into the folder

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    summary = summarise(store, described)
    names = _quantities(summary)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / "groups.csv", _csv(_group_rows(summary, names)))
        _write(folder / "runs.csv", _csv(_run_rows(summary, names)))
        _write(folder / "experiment.json", json.dumps(described.experiment.to_dict(), indent=1))
        _write(folder / PAGE, _page(store, described, summary, names, figures or {}))
    except OSError as error:
        raise StoreError(f"{folder}: the report cannot be written ({error.strerror}).") from error
    return folder / PAGE


def as_json(summary: Summary) -> dict[str, Any]:
    """A summary for scripts; spreads as {"mean", "sd", "n"}."""
    groups = [
        {"arm": group.arm, "level": group.level, "label": group.label, "planned": group.n_planned}
        | {"values": {name: value._asdict() for name, value in group.values.items()}}
        for group in summary.groups
    ]
    lines = []
    for line in summary.lines:
        kept = asdict(line)
        kept.pop("config")
        lines.append(kept)
    kept_names = ("id", "name", "title", "kind", "state", "counts", "seconds_left", "differences")
    return {**{name: getattr(summary, name) for name in kept_names}, "groups": groups, "runs": lines}


def _quantities(summary: Summary) -> list[str]:
    found = dict.fromkeys(name for group in summary.groups for name in group.values)
    return [*[name for name in _FIRST if name in found], *[name for name in found if name not in _FIRST]]


def _group_rows(summary: Summary, names: Sequence[str]) -> list[list[Any]]:
    heads = [f"{name} {part}" for name in names for part in ("mean", "sd")]
    rows: list[list[Any]] = [["arm", "level", "label", "n", "planned", *heads]]
    for group in summary.groups:
        n = max((value.n for value in group.values.values()), default=0)
        spreads = [group.values.get(name, Spread(math.nan, math.nan, 0)) for name in names]
        numbers = ["" if math.isnan(part) else part for value in spreads for part in (value.mean, value.sd)]
        rows.append([group.arm, group.level, group.label, n, group.n_planned, *numbers])
    return rows


def _run_rows(summary: Summary, names: Sequence[str]) -> list[list[Any]]:
    settings = list(summary.differences)
    heads = ["key", "run", "arm", "level", "label", "seed", "state", "seconds", "error"]
    rows: list[list[Any]] = [[*heads, *settings, *names]]
    for line in summary.lines:
        numbers = [line.result.get(name, "") for name in names]
        changed = [line.config.get(name, "") for name in settings]
        told = [line.key, line.run_id, line.arm, line.level, line.label, line.seed, line.state]
        rows.append([*told, round(line.seconds, 3), line.error, *changed, *numbers])
    return rows


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        # A spreadsheet would run a text that begins like a formula.
        writer.writerow([f"'{v}" if isinstance(v, str) and v[:1] in ("=", "+", "-", "@") else v for v in row])
    return text.getvalue()


def _page(
    store: Store, described: Described, summary: Summary, names: Sequence[str], figures: Mapping[str, str]
) -> str:
    experiment = described.experiment
    counts = ", ".join(f"{number} {state}" for state, number in summary.counts.items() if number)
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(described.created))
    parts = [
        f"<h1>{escape(summary.title)}</h1>",
        f"<p>{escape(experiment.paper)} {escape(f'({experiment.scale})' if experiment.scale else '')}</p>",
        f"<p>{escape(experiment.note)}</p>",
        f"<p>{escape(summary.id)}, begun {made}: {escape(counts)}. Mean ± standard deviation over n seeds "
        f"({', '.join(map(str, experiment.seeds))}).</p>",
        *[f'<figure><img src="{escape(name)}" alt=""><figcaption>{escape(title)}</figcaption></figure>'
          for title, name in figures.items()],
        _groups_table(summary, names[:8]),
        *_overlaps(store, summary),
        *_failures(summary),
        "<h2>Repeat it</h2>",
        f"<pre>{escape(described.command or 'see experiment.json, which is a recipe as JSON')}</pre>",
        "<p>" + escape(", ".join(f"{name} {number}" for name, number in described.versions.items())) + "</p>",
        "<h2>Settings</h2>",
        f"<pre>{escape(json.dumps(experiment.to_dict(), indent=1))}</pre>",
        '<p>All numbers: <a href="groups.csv">groups.csv</a>, <a href="runs.csv">runs.csv</a>.</p>',
    ]  # fmt: skip
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(summary.title)}</title>'
    return f"{head}<style>{_STYLE}</style>" + "\n".join(parts) + "</html>\n"


def _groups_table(summary: Summary, names: Sequence[str]) -> str:
    rows = []
    for group in summary.groups:
        n = max((value.n for value in group.values.values()), default=0)
        numbers = [_shown(name, group.values.get(name)) for name in names]
        rows.append([group.arm, group.label, f"{n} of {group.n_planned}", *numbers])
    return _table(["arm", "level", "n", *[name.replace("_", " ") for name in names]], rows)


def _overlaps(store: Store, summary: Summary) -> list[str]:
    """Only for tickets: do different seeds keep the same entries?"""
    rows = []
    for group in summary.groups:
        if group.arm != "ticket":
            continue
        try:
            found = mask_overlap(store, summary.lines, group.arm, group.level)
        except StoreError:
            continue  # a run's folder is gone; the numbers above came from the run table
        for name, value in found.items():
            rows.append([group.label, name, f"{value.mean:.3f}", f"{value.expected:.3f}", str(value.n_pairs)])
    heads = ["level", "parameter", "shared of kept", "by chance", "pairs of seeds"]
    return ["<h2>Overlap of the masks</h2>", _table(heads, rows)] if rows else []


def _failures(summary: Summary) -> list[str]:
    rows = [[line.key, line.state, line.error] for line in summary.lines if line.error or line.state == "blocked"]
    return ["<h2>Not done</h2>", _table(["run", "state", "error"], rows)] if rows else []


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _shown(name: str, value: Spread | None) -> str:
    if value is None:
        return "–"
    digits = _DIGITS.get(name, 4)
    sd = "" if math.isnan(value.sd) else f" ± {value.sd:.{digits}f}"
    return f"{value.mean:.{digits}f}{sd}"


def _write(path: Path, text: str) -> None:
    files.replace(path, [text.encode()])
