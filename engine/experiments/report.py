"""An experiment as one page or a folder: tables as CSV, settings, and the command that repeats it.

    index.html        tables with mean ± sd and n, settings, versions, seeds, command; all files once more inside
    groups.csv        one row an arm and level
    runs.csv          one row a run
    experiment.json   the settings in the shape of a recipe
    recipe.toml       the same, to be asked for again

Nothing from elsewhere: the page opens anywhere, years later. Whoever draws figures adds them (`Drawn`).
Imports no torch.
"""

import base64
import csv
import io
import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from prunescope.engine.experiments.folder import Described
from prunescope.engine.experiments.recipes import toml_of
from prunescope.engine.experiments.specs import Experiment
from prunescope.engine.experiments.summary import Spread, Summary, mask_overlap, summarise
from prunescope.engine.store import Store, StoreError, files

PAGE = "index.html"
# What a reader looks for first; further numbers follow in their own order.
_FIRST = ("remaining", "accuracy", "early_stop_iteration", "early_stop_accuracy", "train_accuracy", "first_accuracy")
_DIGITS = {"early_stop_iteration": 0, "iterations": 0, "weights": 0, "of": 0, "hidden": 0, "macs": 0, "macs_before": 0}
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:22px;margin:0 0 .4rem}h2{font-size:16px;margin:2rem 0 .4rem}.lead{font-size:18px;font-weight:600}
p{color:#59616b}.lead{color:#1b1f24}.scroll{overflow:auto}
table{border-collapse:collapse;margin:.6rem 0;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:.22rem .8rem .22rem 0;text-align:left;border-bottom:1px solid #dcdcd6;white-space:nowrap}
th{border-bottom-color:#8a9099}
pre{background:#f7f7f5;padding:.7rem;overflow:auto;font-size:13px}a{color:#0b62c4}
"""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What whoever draws figures adds to a report: HTML, trusted as it is.

    head : style and script of the figures
    lead : the finding, in one sentence of plain text
    figures : the figures themselves
    tail : at the end of the page
    """

    head: str = ""
    lead: str = ""
    figures: str = ""
    tail: str = ""


def write_report(store: Store, described: Described, folder: Path, drawn: Drawn | None = None) -> Path:
    """Write the report of an experiment as it stands; returns the page.

    Parameters
    ----------
    folder : made if it is not there; files of an earlier report in it are replaced

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    summary = summarise(store, described)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in _files(described, summary).items():
            _write(folder / name, text)
        _write(folder / PAGE, report_page(store, described, drawn, summary=summary))
    except OSError as error:
        raise StoreError(f"{folder}: the report cannot be written ({error.strerror}).") from error
    return folder / PAGE


def report_page(
    store: Store, described: Described, drawn: Drawn | None = None, *, summary: Summary | None = None
) -> str:
    """The report as one page that needs no other file: the tables lie inside it as well."""
    summary = summary or summarise(store, described)
    return _page(store, described, summary, drawn or Drawn())


def _files(described: Described, summary: Summary) -> dict[str, str]:
    """Name → text of what a reader may want to compute with."""
    names = _quantities(summary)
    return {
        "groups.csv": _csv(_group_rows(summary, names)),
        "runs.csv": _csv(_run_rows(summary, names)),
        "experiment.json": json.dumps(described.experiment.to_dict(), indent=1),
        "recipe.toml": _recipe(described.experiment),
    }


def _recipe(experiment: Experiment) -> str:
    """The experiment as a recipe file; what is an empty table is left out."""
    lines = []
    # In TOML what stands below a table's head belongs to it: tables last.
    for name, value in sorted(experiment.to_dict().items(), key=lambda item: isinstance(item[1], Mapping)):
        if isinstance(value, Mapping):
            lines += [f"\n[{name}]", *(f"{key} = {toml_of(inner)}" for key, inner in value.items() if inner not in ({}, []))]
        elif value:
            lines.append(f"{name} = {toml_of(value)}")
    return "\n".join(lines) + "\n"


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


def _page(store: Store, described: Described, summary: Summary, drawn: Drawn) -> str:
    experiment = described.experiment
    counts = ", ".join(f"{number} {state}" for state, number in summary.counts.items() if number)
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(described.created))
    seeds = ", ".join(map(str, experiment.seeds))
    about = " · ".join(filter(None, [experiment.paper, experiment.scale and f"at the scale of {experiment.scale}",
                                     experiment.note]))  # fmt: skip
    parts = [
        f"<h1>{escape(summary.title)}</h1>",
        f'<p class="lead">{escape(drawn.lead)}</p>' if drawn.lead else "",
        f"<p>{escape(about)}</p>",
        f"<p>{escape(summary.id)}, begun {made}: {escape(counts)}. Mean ± standard deviation (n − 1) over n seeds "
        f"({escape(seeds)}).</p>",
        drawn.figures,
        "<h2>Numbers</h2>",
        _groups_table(summary, _quantities(summary)[:8]),
        *_overlaps(store, summary),
        *_failures(summary),
        "<h2>Repeat it</h2>",
        f"<pre>{escape(described.command or 'prunescope ' + _command(experiment.kind) + ' --recipe recipe.toml')}</pre>",
        "<p>" + escape(", ".join(f"{name} {number}" for name, number in described.versions.items())) + "</p>",
        "<h2>Settings</h2>",
        f"<pre>{escape(_recipe(experiment))}</pre>",
        "<h2>Files</h2>",
        f"<p>{' · '.join(_link(name, text) for name, text in _files(described, summary).items())}</p>",
        drawn.tail,
    ]  # fmt: skip
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head += f"<title>{escape(summary.title)}</title><style>{_STYLE}</style>{drawn.head}"
    return head + "\n".join(filter(None, parts)) + "</html>\n"


def _command(kind: str) -> str:
    return {"tickets": "tickets", "sweep": "sweep", "probe": "sweep"}.get(kind, "schedule")


def _link(name: str, text: str) -> str:
    data = base64.b64encode(text.encode()).decode()
    return f'<a download="{name}" href="data:text/plain;base64,{data}">{name}</a>'


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
            if name.endswith(".bias"):
                continue  # a unit's bias goes with its weights
            rows.append([group.label, name, f"{value.mean:.3f}", f"{value.expected:.3f}", str(value.n_pairs)])
    heads = ["level", "parameter", "shared of kept", "by chance", "pairs of seeds"]
    return ["<h2>Overlap of the masks</h2>", _table(heads, rows)] if rows else []


def _failures(summary: Summary) -> list[str]:
    rows = [[line.key, line.state, line.error] for line in summary.lines if line.error or line.state == "blocked"]
    return ["<h2>Not done</h2>", _table(["run", "state", "error"], rows)] if rows else []


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _shown(name: str, value: Spread | None) -> str:
    if value is None:
        return "–"
    digits = _DIGITS.get(name, 4)
    sd = "" if math.isnan(value.sd) else f" ± {value.sd:.{digits}f}"
    return f"{value.mean:.{digits}f}{sd}"


def _write(path: Path, text: str) -> None:
    files.replace(path, [text.encode()])
