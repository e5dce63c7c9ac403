"""SVG → PDF, vector and with its text as text, by typst: one wheel, no browser and no system library."""

import json
import re
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from prunescope.app.exporting.collect import ExportError

INSTALL = "PDF needs one more package: pip install typst."
LARGEST_SVG = 12 * 2**20
# Fonts are taken from the machine; these come last, for those that it lacks.
_SIZE = re.compile(r'<svg[^>]*?\swidth="([\d.]+)in"[^>]*?\sheight="([\d.]+)in"', re.DOTALL)


def available() -> bool:
    return find_spec("typst") is not None


def svg_to_pdf(svg: str, *, title: str, caption: str, about: dict[str, Any]) -> bytes:
    """One page of the figure's size; the provenance is in the document's keywords.

    Raises
    ------
    ExportError
        If typst is not installed, or the SVG is not one of ours (its size in inches is missing).
    """
    if not available():
        raise ExportError(INSTALL)
    import typst

    size = _SIZE.search(svg[:4000])
    if size is None or len(svg) > LARGEST_SVG or "<!" in svg:
        raise ExportError("PDF: this is no SVG that Prunescope exported. Export the figure again.")
    # Keywords are parted by commas, so the one keyword that holds the provenance has none outside its JSON.
    keyword = json.dumps(about, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    source = "\n".join(
        [
            f"#set document(title: {_quoted(title)}, description: {_quoted(caption)})",
            # Without a date: the same figure is the same file tomorrow.
            f"#set document(keywords: ({_quoted(keyword)},), date: none)",
            f"#set page(width: {size[1]}in, height: {size[2]}in, margin: 0pt, fill: none)",
            '#image("figure.svg", width: 100%, height: 100%, fit: "stretch")',
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "figure.svg").write_text(svg, encoding="utf-8")
        main = Path(folder) / "main.typ"
        main.write_text(source, encoding="utf-8")
        try:
            # The root keeps typst from reading any file but these two.
            return bytes(typst.compile(str(main), root=folder))
        except Exception as error:
            raise ExportError(f"PDF: typst could not set this figure: {str(error)[:200]}") from None


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
