"""Figures as files, from Python and from the shell.

from prunescope.app.export import export_figure
from prunescope.engine import Store

export_figure(Store("runs"), "demo", "angles", {"k": 4}, formats=("svg", "csv"), folder="paper")
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prunescope.app.evaluator import Evaluator
from prunescope.app.exporting import browser, pdf
from prunescope.app.exporting.catalog import Entry
from prunescope.app.exporting.collect import ExportError, collect
from prunescope.app.exporting.document import FORMATS, WRITTEN, Document
from prunescope.app.exporting.style import PaperStyle
from prunescope.app.layout import FIGURES
from prunescope.app.rows import RowServer
from prunescope.app.state import BY_NAME, read_view
from prunescope.engine.store import Store

__all__ = ["FORMATS", "ExportError", "Exporter", "PaperStyle", "export_figure", "exporter"]


@dataclass(frozen=True)
class Exporter:
    """Exports of one store; what two figures share is computed once."""

    store: Store
    rows: RowServer

    def document(
        self, run_id: str, figure: str, view: Mapping[str, Any] | None = None, style: PaperStyle | None = None
    ) -> Document:
        """A figure of a run in a view (keys as in the dashboard's address), set for paper.

        Raises
        ------
        ExportError
            If there is no such figure or view key.
        StoreError
            If there is no such run.
        """
        entry = known_figure(figure)
        full = whole_view(run_id, view or {})
        return Document(collect(self.rows, self.store.run(run_id), full, entry), style or PaperStyle())


@contextmanager
def exporter(store: Store, *, model: str | None = None, data: str | None = None) -> Iterator[Exporter]:
    """An exporter whose measuring process, should one be needed, ends with the block."""
    evaluator = Evaluator(store.root, model=model, data=data)
    try:
        yield Exporter(store, RowServer(store, evaluator))
    finally:
        evaluator.close()


def export_figure(
    store: Store,
    run_id: str,
    figure: str,
    view: Mapping[str, Any] | None = None,
    *,
    formats: Sequence[str] = ("svg",),
    style: PaperStyle | None = None,
    folder: str | Path = ".",
) -> list[Path]:
    """Write one figure, and its provenance beside it.

    Parameters
    ----------
    figure : its name in the dashboard's address and menu, e.g. ``angles``
    view : what the address would say: ``{"layer": "conv1", "epoch": 12, "k": 4}``
    formats : any of svg, pdf, png, html, csv, json, py

    Returns
    -------
    The files written; the last is the sidecar with provenance, caption and methods.

    Raises
    ------
    ExportError
        If the figure, a key or a format is unknown, or a program that a format needs is missing.
    """
    with exporter(store) as ours:
        return write([ours.document(run_id, figure, view, style)], formats, Path(folder))


def write(documents: Sequence[Document], formats: Sequence[str], folder: Path) -> list[Path]:
    """Write documents in some formats, each with its sidecar."""
    contents = render(documents, formats)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, data in contents.items():
        path = folder / name
        path.write_bytes(data)
        paths.append(path)
    return paths


def render(documents: Sequence[Document], formats: Sequence[str]) -> dict[str, bytes]:
    """File name → bytes, in the order asked; a document's last is its sidecar.

    All that is to be drawn is drawn by one start of the browser.
    """
    if unknown := [kind for kind in formats if kind not in FORMATS]:
        raise ExportError(f"format: {unknown[0]!r} is unknown. Use {', '.join(FORMATS)}.")
    if "pdf" in formats and not pdf.available():
        raise ExportError(pdf.INSTALL)
    # The program reads the points from beside itself.
    wanted = list(dict.fromkeys([*formats, *(["csv"] if "py" in formats else [])]))
    drawn = list(dict.fromkeys("png" if kind == "png" else "svg" for kind in wanted if kind not in WRITTEN))
    jobs = [(document.plot, kind) for document in documents for kind in drawn]
    images = iter(browser.draw(jobs) if jobs else ())
    files: dict[str, bytes] = {}
    for document in documents:
        own = {kind: next(images) for kind in drawn}
        for kind in wanted:
            files[f"{document.name}.{kind}"] = _file(document, kind, own)
        files[f"{document.name}.provenance.json"] = document.sidecar().encode()
    return files


def _file(document: Document, kind: str, images: Mapping[str, bytes]) -> bytes:
    if kind in WRITTEN:
        return document.written(kind).encode()
    if kind != "pdf":
        return images[kind]
    title = document.picture.entry.title
    return pdf.svg_to_pdf(images["svg"].decode(), title=title, caption=document.caption, about=document.provenance)


def known_figure(figure: str) -> Entry:
    if figure not in FIGURES:
        raise ExportError(f"figure: {figure!r} is unknown. Use one of {', '.join(FIGURES)}.")
    return FIGURES[figure]


def whole_view(run_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A view with all its keys; one that is unknown or impossible is an error here, where somebody typed it."""
    raw: dict[str, str] = {}
    for name, value in given.items():
        key = BY_NAME.get(name)
        if key is None:
            raise ExportError(f"view: {name!r} is no setting. Use one of {', '.join(BY_NAME)}.")
        raw[name] = ("1" if value else "0") if isinstance(value, bool) else str(value)
        if key.read(raw[name]) == key.default and raw[name] != _written(key.default):
            raise ExportError(f"view: {name}={value!r} is not possible.{_possible(key)}")
    if "epoch" in raw and "follow" not in raw:
        raw["follow"] = "0"
    return read_view(raw | {"run": run_id})


def figures() -> dict[str, str]:
    """Every figure there is → its title."""
    return {name: entry.title for name, entry in FIGURES.items()}


def _written(default: Any) -> str:
    return ("1" if default else "0") if isinstance(default, bool) else str(default)


def _possible(key: Any) -> str:
    if key.choices:
        return f" Use one of {', '.join(value for value, _ in key.choices)}."
    if key.kind == "number" and key.minimum is not None:
        return f" Use a number from {key.minimum:g}" + (f" to {key.maximum:g}." if key.maximum is not None else " on.")
    return ""
