"""Exactly the plotted points, for spreadsheets and programs."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

COLUMNS = ("trace", "name", "x", "y", "z", "text")


def points(data: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """One row a point, in the order of drawing: number and name of the trace, x, y, z, text; gaps are None."""
    for number, trace in enumerate(data):
        name = str(trace.get("name", ""))
        if trace.get("type") in ("heatmap", "surface"):
            yield from _matrix(number, name, trace)
            continue
        columns = [_column(trace.get(key)) for key in ("x", "y", "z", "text")]
        length = max(len(column) for column in columns)
        columns = [column or [None] * length for column in columns]
        for values in zip(*(column + [None] * (length - len(column)) for column in columns), strict=True):
            yield (number, name, *values)


def as_csv(data: list[dict[str, Any]]) -> str:
    """The points as CSV (RFC 4180 with line feeds); an empty cell is a gap, which parts two lines."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in points(data):
        writer.writerow([_cell(value) for value in row])
    return sink.getvalue()


def as_json(data: list[dict[str, Any]], about: Mapping[str, Any]) -> str:
    """The points trace by trace, and all that is known of them."""
    traces = [
        {"name": trace.get("name", ""), "type": trace.get("type", "scatter")}
        | {key: trace[key] for key in ("x", "y", "z", "text") if trace.get(key) is not None}
        for trace in data
    ]
    return json.dumps(dict(about) | {"traces": traces}, indent=1, ensure_ascii=False) + "\n"


def _matrix(number: int, name: str, trace: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    rows = trace.get("z") or []
    width = len(rows[0]) if rows else 0
    x = _places(trace.get("x"), width)
    y = _places(trace.get("y"), len(rows))
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            yield number, name, x[j], y[i], value, None


def _places(given: Any, length: int) -> list[Any]:
    column = _column(given)
    return column if len(column) == length else list(range(length))


def _column(values: Any) -> list[Any]:
    if values is None:
        return []
    return list(values) if isinstance(values, list | tuple) else [values]


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    # A spreadsheet would run a text that begins like a formula.
    if isinstance(value, str) and value[:1] in "=+-@\t\r" and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
