"""What is drawn is what Python computes, and what leaves the page is what was seen."""

import math
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from prunescope.app.feeds import FEEDS
from prunescope.app.figures.template import Rows, figure
from prunescope.app.figures.theme import THEMES
from prunescope.app.state import PAGES, read_view

# Those of one run; the others lay many runs over one another, and have tests of their own.
MARKS = ("mark", "now")
RUN_PAGES = [page for page in PAGES if not getattr(FEEDS[page], "whole", False)]

PLAIN = "JSON.parse(JSON.stringify(({}), (key, value) => ArrayBuffer.isView(value) ? Array.from(value) : value))"
DRAWN = PLAIN.format(
    """(() => { const plot = document.querySelector(arg);
    return {data: plot.data, annotations: plot.layout.annotations, shapes: plot.layout.shapes,
        marks: plot.marks}; })()"""
)
FIGURES = """[...document.querySelectorAll('.page:not([hidden]) [data-figure]')]
    .filter(box => !box.classList.contains('is-unused')).map(box => box.dataset.figure)"""


@pytest.fixture(scope="module")
def server(serve, trained):
    return serve(logdir=trained.logdir)


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
    known = server.store.run(trained.ids[run])
    tab.page.emulate_media(color_scheme="light")
    tab.open(f"/{page}?run={known.id}&{query}").drawn(page, at_least=len(known.epochs))
    tab.until("location.search.includes('layer=') || ps.view().page === 'overview'")
    view = read_view(dict(parse_qsl(urlsplit(tab.page.url).query)))
    view["layer"] = tab.view()["layer"]
    view["fit"] = tab.view()["fit"]
    expected = python_figures(known, page, view)
    assert set(tab(FIGURES)) >= set(expected)
    for name, made in expected.items():
        drawn = tab(DRAWN, tab.plot(name))
        assert_same(drawn["data"], [plain(trace.to_plotly_json()) for trace in made.data], name)
        layout = made.layout.to_plotly_json()
        marks = []
        for part in ("shapes", "annotations"):
            all_of_it = plain(layout.get(part, []))
            # What moves with a slider or the scrubber lies over the figure.
            marks += [one for one in all_of_it if one.get("name") in MARKS]
            still = [one for one in all_of_it if one.get("name") not in MARKS]
            assert_same(drawn.get(part) or [], still, f"{name}.{part}")
        assert_same(drawn.get("marks") or [], marks, f"{name}.marks")


HELD = PLAIN.format(
    """ps.pageFeeds(document.querySelector('.page:not([hidden])')).map(name => ps.feed(name)).map(feed => ({
    name: feed.name, error: feed.error, figures: feed.figures, epochs: feed.epochs, cursor: ps.cursor(feed),
    columns: Object.fromEntries([...feed.columns].map(([name, column]) =>
        [name, feed.epochs.map((_, i) => column.row(i))]))}))"""
)


def as_rows(feed):
    """What a page holds, as Python's figures take it."""
    rows = Rows(epochs=feed["epochs"])
    for name, column in feed["columns"].items():
        rows.values[name] = [
            np.array([np.nan if item is None else item for item in value])
            if isinstance(value, list) and not any(isinstance(item, str) for item in value)
            else value
            for value in column
        ]
    return rows


@pytest.mark.parametrize("page", RUN_PAGES)
def test_python_fills_the_same_picture_from_the_rows_that_a_page_holds(tab, trained, page):
    tab.page.emulate_media(color_scheme="light")
    tab.choose(trained.ids["digits"], page, epoch=4, follow=0).drawn(page)
    held = tab.settled()(HELD)
    local = tab("ps.locals()")
    assert [feed["error"] for feed in held if feed["error"]] == []
    assert sum(len(feed["figures"]) for feed in held) == len(tab(FIGURES))
    for feed in held:
        for name, template in feed["figures"].items():
            made = figure(template, as_rows(feed), feed["cursor"], local)
            drawn = tab(DRAWN, tab.plot(name))
            assert_same(drawn["data"], [plain(trace.to_plotly_json()) for trace in made.data], name)


def open_export(tab, figure_id):
    """The export dialog of a figure, its preview drawn."""
    box = tab.page.locator(f'.page:not([hidden]) [data-figure="{figure_id}"]')
    box.locator("[data-menu]").click()
    box.get_by_role("menuitem", name="Export …").click()
    dialog = tab.page.locator("dialog[open]")
    dialog.locator("button[data-format=svg]:enabled").wait_for()
    return dialog


def save(tab, dialog, kind):
    """Press a format's button and return the file that the browser saves: (name, bytes)."""
    with tab.page.expect_download() as download:
        dialog.locator(f"button[data-format={kind}]").click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_an_export_of_the_dark_page_is_on_white_and_keeps_the_zoom(tab, trained):
    tab.page.emulate_media(color_scheme="dark")
    tab.choose(trained.ids["digits"]).drawn("alignment", epoch=5)
    box = tab.page.locator(tab.plot("angles") + " .nsewdrag").first.bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 20)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + 2 * box["width"] / 3, box["y"] + 22, steps=6)
    tab.page.mouse.up()
    tab.until("document.querySelector(arg).layout.xaxis.range[0] > 25", tab.plot("angles"))
    _, svg = save(tab, open_export(tab, "angles"), "svg")
    words = re.findall(r">([^<>]+)</text>", svg.decode())
    assert b"rgb(255, 255, 255)" in svg
    assert "45°" in words and "75°" not in words and "15°" not in words


def test_the_menu_of_a_figure_shows_its_data_and_how_it_is_computed(tab, trained):
    tab.choose(trained.ids["digits"]).drawn("alignment", epoch=5)
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
