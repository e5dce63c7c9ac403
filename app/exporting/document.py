"""One exported figure, put together: the drawing and everything that goes with it."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from prunescope.app.exporting import words
from prunescope.app.exporting.collect import Picture
from prunescope.app.exporting.page import as_html
from prunescope.app.exporting.paper import Sheet, on_paper
from prunescope.app.exporting.provenance import provenance
from prunescope.app.exporting.script import as_script
from prunescope.app.exporting.style import PX_PER_INCH, PaperStyle
from prunescope.app.exporting.tables import as_csv, as_json

# What is written from the rows alone; svg and png are drawn by a browser, and pdf is made of the svg.
WRITTEN = {"html": "text/html", "csv": "text/csv", "json": "application/json", "py": "text/x-python"}
FORMATS = ("svg", "pdf", "png", *WRITTEN)


@dataclass(frozen=True)
class Document:
    """A picture in a style; each of its files is made when asked for."""

    picture: Picture
    style: PaperStyle

    @cached_property
    def sheet(self) -> Sheet:
        return on_paper(self.picture.data, self.picture.layout, self.style)

    @cached_property
    def whole(self) -> Sheet:
        """With depth and with every point, for programs that can show them."""
        return on_paper(self.picture.data, self.picture.layout, self.style, whole=True)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        return provenance(self.picture, self.style, self.sheet.merged)

    @cached_property
    def caption(self) -> str:
        marked = any(shape.get("name") == "now" for shape in self.sheet.layout["shapes"])
        return words.caption(self.picture, self.sheet.merged, marked=marked)

    @cached_property
    def methods(self) -> str:
        return words.methods(self.picture)

    @property
    def name(self) -> str:
        """Name of the files, without ending."""
        told, figure = self.provenance, self.picture.entry.figure
        if self.picture.runs:
            # Not about an epoch, nor about any one run.
            parts = [told.get("experiment") or f"{len(self.picture.runs)}-runs", figure]
        else:
            parts = [told["run"], told["layer"] and told["layer"]["name"], figure, f"epoch-{self.picture.epoch:g}"]
        return re.sub(r"[^\w.-]+", "-", "_".join(part for part in parts if part), flags=re.ASCII)

    @property
    def plot(self) -> dict[str, Any]:
        """What a browser needs to draw it."""
        sheet = self.sheet
        return {
            "data": sheet.data,
            "layout": sheet.layout,
            "width": round(sheet.width, 3),
            "height": round(sheet.height, 3),
            "inches": [round(sheet.width / PX_PER_INCH, 4), round(sheet.height / PX_PER_INCH, 4)],
            "title": self.picture.entry.title,
            "caption": self.caption,
            "methods": self.methods,
            "provenance": self.provenance,
            "name": self.name,
        }

    @property
    def about(self) -> dict[str, Any]:
        return {"provenance": self.provenance, "caption": self.caption, "methods": self.methods}

    def sidecar(self) -> str:
        """The file beside the others: where they come from, the caption, the methods."""
        return json.dumps(self.about, indent=1, ensure_ascii=False) + "\n"

    def written(self, kind: str) -> str:
        """One of `WRITTEN`."""
        match kind:
            case "csv":
                return as_csv(self.picture.data)
            case "json":
                return as_json(self.picture.data, self.about)
            case "py":
                title = self.picture.entry.title
                return as_script(self.whole, self.style, title=title, caption=self.caption, csv=f"{self.name}.csv")
            case "html":
                plot = self.plot | {"data": self.whole.data, "layout": self.whole.layout}
                return as_html(plot, self.style.family, self.methods, self.provenance["versions"]["prunescope"])
        raise ValueError(f"format: {kind!r} is unknown. Use one of {', '.join(WRITTEN)}.")
