"""One figure as one HTML file: it can be zoomed, needs no server and asks nobody for anything."""

import html
from typing import Any

from prunescope.app.exporting.browser import json_in_html, plotly_source

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="generator" content="Prunescope {version}">
<meta name="description" content="{caption}">
<title>{title}</title>
<style>
body {{ margin: 0 auto; padding: 24px 16px; max-width: {width}px; }}
body {{ background: #fff; color: #1b1f24; font: 15px/1.5 {family}; }}
#figure {{ width: 100%; height: {height}px; }}
figure {{ margin: 0; }}
figcaption {{ margin-top: 12px; }}
details {{ margin-top: 16px; color: #59616b; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px; }}
</style>
</head>
<body>
<figure><div id="figure" role="img" aria-label="{title}"></div><figcaption>{caption}</figcaption></figure>
<details><summary>Methods</summary><p>{methods}</p></details>
<details><summary>Where this comes from</summary><pre id="shown"></pre></details>
<script type="application/json" id="provenance">{provenance}</script>
<script type="application/json" id="plot">{plot}</script>
<script>{plotly}</script>
<script>
const read = (id) => JSON.parse(document.getElementById(id).textContent);
document.getElementById("shown").textContent = JSON.stringify(read("provenance"), null, 1);
const plot = read("plot");
const layout = {{...plot.layout, width: undefined, height: undefined, autosize: true}};
Plotly.newPlot("figure", plot.data, layout, {{displaylogo: false, responsive: true}});
</script>
</body>
</html>
"""


def as_html(plot: dict[str, Any], family: str, methods: str, version: str) -> str:
    """The page of a figure as ``plot`` describes it (see ``export.plot_of``)."""
    three = any(trace.get("type") in ("scatter3d", "surface") for trace in plot["data"])
    return _PAGE.format(
        policy=POLICY,
        version=html.escape(version),
        title=html.escape(plot["title"]),
        caption=html.escape(plot["caption"]),
        methods=html.escape(methods),
        family=family,
        width=max(720, round(plot["width"])),
        height=max(420, round(plot["height"])),
        provenance=json_in_html(plot["provenance"]),
        plot=json_in_html({"data": plot["data"], "layout": plot["layout"]}),
        plotly=plotly_source(three),
    )
