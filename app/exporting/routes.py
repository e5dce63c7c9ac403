"""Export for the page: the server sets the figure for paper, the browser draws it."""

import json
import tempfile
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request, send_file
from prunescope.app.exporting import archive, pdf, travel
from prunescope.app.exporting.catalog import Entry
from prunescope.app.exporting.collect import ExportError, collect
from prunescope.app.exporting.document import WRITTEN, Document
from prunescope.app.exporting.style import read_style
from prunescope.app.guard import problem, read_json
from prunescope.app.rows import RowServer
from prunescope.app.state import read_view
from prunescope.app.wire import plain
from prunescope.engine.store import Store, StoreError


def register(server: Any, store: Store, rows: RowServer, figures: dict[str, Entry], page: Callable[[], Any]) -> None:
    """Answer ``/api/export`` on a Flask app."""
    routes = Blueprint("export", __name__)

    @routes.get("/api/export")
    def export() -> Any:
        figure, kind = request.args.get("figure", ""), request.args.get("format", "plot")
        if figure not in figures:
            return problem(404, "This figure is unknown.", figure[:40], f"Use one of {', '.join(figures)}.")
        if kind not in ("plot", "about", *WRITTEN):
            return problem(400, "This format is unknown.", kind[:40], f"Use plot, about, {', '.join(WRITTEN)}.")
        view = read_view(request.args)
        try:
            style = read_style(request.args)
            run = store.run(view["run"])
            document = Document(collect(rows, run, view, figures[figure]), style)
            if kind == "plot":
                # In the order of the dictionary: the file's metadata is this text, from the shell as from here.
                return Response(json.dumps(document.plot, ensure_ascii=False), mimetype="application/json")
            text = document.sidecar() if kind == "about" else document.written(kind)
        except (ValueError, StoreError, OSError) as error:
            return problem(422, str(error) or type(error).__name__)
        return _file(text.encode(), WRITTEN.get(kind, "application/json"), f"{document.name}.{kind}")

    @routes.post("/api/export/pdf")
    def as_pdf() -> Any:
        told = read_json()
        if not isinstance(told, dict) or not all(
            isinstance(told.get(k), str) for k in ("svg", "title", "caption", "name")
        ):
            return problem(400, "svg, title, caption and name must be texts.", None, "Export the figure again.")
        about = told.get("provenance")
        try:
            data = pdf.svg_to_pdf(
                told["svg"],
                title=told["title"][:300],
                caption=told["caption"][:4000],
                about=plain(about) if isinstance(about, dict) else {},
            )
        except ExportError as error:
            return problem(501 if str(error) == pdf.INSTALL else 422, str(error))
        return _file(data, "application/pdf", "figure.pdf")

    @routes.get("/api/travel")
    def travelling() -> Any:
        """A whole run as a file."""
        kind = request.args.get("format", "")
        if kind not in ("html", "zip"):
            return problem(400, "This format is unknown.", kind[:40], "Use html or zip.")
        try:
            run = store.run(request.args.get("run", ""))
            if kind == "html":
                return _file(travel.as_html(rows, run, page()).encode(), "text/html", f"{run.id}.html")
            # It has no name that could outlive it, and is gone when it is sent.
            handle = tempfile.TemporaryFile()  # noqa: SIM115 - open until the answer is sent
            archive.pack(run, handle)
            handle.seek(0)
            answer = send_file(handle, mimetype="application/zip", as_attachment=True, download_name=f"{run.id}.zip")
            answer.call_on_close(handle.close)
            return answer
        except (ValueError, StoreError, OSError) as error:
            return problem(422, str(error) or type(error).__name__)

    server.register_blueprint(routes)


def _file(data: bytes, kind: str, name: str) -> Response:
    # As a download always: a page that a run's own words could have shaped is not opened at this address.
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, content_type=f"{kind}; charset=utf-8" if kind.startswith("text/") else kind, headers=headers)
