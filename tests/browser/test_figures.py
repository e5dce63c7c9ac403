"""What is drawn is what Python computes, and every figure leaves the page as a picture and as numbers."""

import csv
import io
import math
from itertools import zip_longest
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from prunescope.app.feeds import FEEDS
from prunescope.app.figures.template import Rows, figure
from prunescope.app.figures.theme import THEMES
from prunescope.app.state import read_view
from prunescope.engine.config import XORD
from prunescope.engine.launch import launch

DIGITS = {
    "dataset": "digits", "model": "channels", "hidden": [24], "epochs": 5, "init_scale": 0.1, "threads": 1,
    "batch_size": 256,
}  # fmt: skip
PLAIN = "JSON.parse(JSON.stringify(({}), (key, value) => ArrayBuffer.isView(value) ? Array.from(value) : value))"
DRAWN = PLAIN.format(
    """(() => { const plot = document.querySelector(arg);
    return {data: plot.data, annotations: plot.layout.annotations, shapes: plot.layout.shapes}; })()"""
)
FIGURES = """[...document.querySelectorAll('.page:not([hidden]) [data-figure]')]
    .filter(box => !box.classList.contains('is-unused')).map(box => box.dataset.figure)"""


@pytest.fixture(scope="module")
def server(serve):
    return serve()


@pytest.fixture(scope="module")
def trained(server, wait):
    """Two real trainings: filters on digits, and XORD's neurons in their plane."""
    short = XORD.to_dict() | {"epochs": 12, "snapshot_every": 3, "threads": 1}
    ids = {"digits": launch(server.store, DIGITS, name="digits"), "xord": launch(server.store, short, name="xord")}
    for run_id in ids.values():
        wait(lambda run_id=run_id: server.store.run(run_id).status == "done", "the training was done")
    return ids


def as_sent(row):
    """A row as it reaches the page: single precision, and no nan among scalars."""
    sent = {}
    for name, value in row.items():
        if isinstance(value, np.ndarray):
            value = value.astype(np.int32 if value.dtype.kind in "iub" else np.float32)
        elif isinstance(value, float | np.floating) and not math.isfinite(value):
            value = None
        sent[name] = value
    return sent


def python_figures(run, feed_name, view):
    """The finished figures of a feed as an export makes them: figure id → go.Figure."""
    feed = FEEDS[feed_name]
    memory = feed.begin(run, view)
    rows = Rows()
    for index, epoch in enumerate(run.epochs):
        rows.append(float(epoch), as_sent(feed.row(run, memory, index, float(epoch))))
    last = len(rows.epochs) - 1
    shown = last if view["follow"] else int(np.searchsorted(rows.epochs, view["epoch"], side="right")) - 1
    templates = feed.templates(run, memory, view, THEMES["light"])["figures"]
    return {name: figure(template, rows, shown, view) for name, template in templates.items()}


def plain(value):
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def assert_same(drawn, computed, where):
    """Equal in structure; numbers to single precision; what is None may be missing."""
    if isinstance(computed, dict):
        for key in computed.keys() | drawn.keys():
            assert_same(drawn.get(key), computed.get(key), f"{where}.{key}")
    elif isinstance(computed, list):
        assert isinstance(drawn, list), where
        assert len(drawn) == len(computed), where
        for i, (one, other) in enumerate(zip(drawn, computed, strict=True)):
            assert_same(one, other, f"{where}[{i}]")
    elif isinstance(computed, float) and drawn is not None:
        assert drawn == pytest.approx(computed, rel=2e-6, abs=1e-7), where
    else:
        assert drawn == computed, where


@pytest.mark.parametrize(
    ("run", "page", "query"),
    [
        ("digits", "overview", "epoch=3&follow=0"),
        ("digits", "alignment", ""),
        ("digits", "alignment", "epoch=2&follow=0&k=3&pct=20&weight=norm&against=null&normalise=centred"),
        ("digits", "trajectories", "basis=last"),
        ("digits", "trajectories", "epoch=4&follow=0&tail=2&basis=first&colour=norm&k=3"),
        ("xord", "trajectories", "epoch=6&follow=0&tail=1"),
    ],
)
def test_the_page_draws_what_python_computes(tab, server, trained, run, page, query):
    known = server.store.run(trained[run])
    tab.page.emulate_media(color_scheme="light")
    tab.open(f"/{page}?run={known.id}&{query}").drawn(page, at_least=len(known.epochs))
    tab.until("location.search.includes('layer=') || ps.view().page === 'overview'")
    view = read_view(dict(parse_qsl(urlsplit(tab.page.url).query)))
    view["layer"] = tab.view()["layer"]
    view["fit"] = tab.view()["fit"]
    expected = python_figures(known, page, view)
    assert set(tab(FIGURES)) == set(expected)
    for name, made in expected.items():
        drawn = tab(DRAWN, tab.plot(name))
        assert_same(drawn["data"], [plain(trace.to_plotly_json()) for trace in made.data], name)
        layout = made.layout.to_plotly_json()
        for part in ("annotations", "shapes"):
            assert_same(drawn.get(part) or [], plain(layout.get(part, [])), f"{name}.{part}")


def save(tab, figure_id, item):
    """Choose an item of a figure's menu and return the file that the browser saves: (name, bytes)."""
    box = tab.page.locator(f'.page:not([hidden]) [data-figure="{figure_id}"]')
    box.locator("[data-menu]").click()
    with tab.page.expect_download() as download:
        box.get_by_role("menuitem", name=item).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def plotted(data):
    """Rows of the CSV as they should be, from plotly's own arrays."""
    columns = [key for key in ("x", "y", "z", "text") if any(trace.get(key) is not None for trace in data)]
    rows = []
    for i, trace in enumerate(data):
        values = []
        for key in columns:
            value = trace.get(key)
            values.append(value if isinstance(value, list) else None)
        count = max((len(v) for v, key in zip(values, columns, strict=True) if v and key in "xy"), default=0)
        for row in zip_longest(range(count), *(v if v else [trace.get(k)] * count if isinstance(trace.get(k), str) else []
                                               for v, k in zip(values, columns, strict=True))):
            rows.append([trace.get("name") or str(i), *row[1:]])
    return columns, rows


@pytest.mark.parametrize(
    ("run", "page"),
    [("digits", "overview"), ("digits", "alignment"), ("digits", "trajectories"), ("xord", "trajectories")],
)
def test_every_figure_is_saved_as_svg_png_and_csv_under_a_telling_name(tab, trained, run, page):
    tab.choose(trained[run], page, epoch=3, follow=0).drawn(page, epoch=3)
    tab.until("!ps.feed('curve').busy && ps.view().page === arg", page)
    layer = tab.view()["layer"]
    for name in tab(FIGURES):
        stem = "_".join(part for part in (trained[run], layer, name, "epoch-3") if part)
        file, svg = save(tab, name, "Save SVG")
        assert file == stem + ".svg"
        assert svg.startswith(b"<svg") and svg.rstrip().endswith(b"</svg>")
        file, png = save(tab, name, "Save PNG")
        assert file == stem + ".png"
        assert png.startswith(b"\x89PNG") and len(png) > 5000
        file, text = save(tab, name, "Save CSV")
        assert file == stem + ".csv"
        header, *rows = csv.reader(io.StringIO(text.decode()))
        columns, expected = plotted(tab(DRAWN, tab.plot(name))["data"])
        assert header == ["trace", *columns]
        assert len(rows) == len(expected) > 0
        for row, wanted in zip(rows, expected, strict=True):
            for cell, value in zip(row, wanted, strict=True):
                assert cell == ("" if value is None else value if isinstance(value, str) else cell), name
                assert value is None or isinstance(value, str) or float(cell) == value, name


def test_an_export_of_the_dark_page_is_dark_ink_on_white_and_keeps_the_zoom(tab, trained):
    tab.page.emulate_media(color_scheme="dark")
    tab.choose(trained["digits"]).drawn("alignment", epoch=5)
    tab("window.Plotly.relayout(document.querySelector(arg), {'xaxis.range': [30, 60]}) && 1", tab.plot("angles"))
    _, svg = save(tab, "angles", "Save SVG")
    assert b"rgb(255, 255, 255)" in svg
    light = THEMES["light"]
    red, green, blue = (int(light.ink[i : i + 2], 16) for i in (1, 3, 5))
    muted = tuple(int(light.muted[i : i + 2], 16) for i in (1, 3, 5))
    assert any(f"rgb({r}, {g}, {b})".encode() in svg for r, g, b in ((red, green, blue), muted))
    assert b"45\xc2\xb0" in svg and b"75\xc2\xb0" not in svg


def test_the_menu_of_a_figure_shows_its_data_and_how_it_is_computed(tab, trained):
    tab.choose(trained["digits"]).drawn("alignment", epoch=5)
    box = tab.page.locator('#page-alignment [data-figure="angles"]')
    box.locator("[data-menu]").click()
    tab.page.keyboard.press("Escape")
    assert box.locator("[data-menu]").evaluate("e => e === document.activeElement")
    box.locator("[data-menu]").click()
    box.get_by_role("menuitem", name="Data").click()
    dialog = tab.page.get_by_role("dialog", name="Data of this figure")
    assert dialog.locator("thead th").all_text_contents() == ["trace", "x", "y"]
    tab.page.keyboard.press("Escape")
    box.locator("[data-menu]").click()
    box.get_by_role("menuitem", name="How is this computed?").click()
    how = tab.page.get_by_role("dialog", name="How is this computed?")
    assert "Brutzkus" in how.text_content()
    tab.page.keyboard.press("Escape")
    box.locator("[data-menu]").click()
    box.get_by_role("menuitem", name="Full screen").click()
    tab.until("document.querySelector(arg).clientWidth > 1000", tab.plot("angles"))
