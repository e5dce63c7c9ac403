"""Figures leave the page as files, wait in the tray, are presented; a run opens from one file without a server."""

import io
import json
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prunescope.app.export import Exporter, exporter, render
from prunescope.app.exporting import pdf

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def server(serve):
    return serve()


@pytest.fixture
def run(server, record):
    recording = record(server, "paper", total=5)
    recording.commit(*range(6))
    recording.close()
    return recording.id


def opened(tab, path):
    tab.page.goto(tab.server.url + path)
    page = urlsplit(path).path.strip("/")
    tab.page.wait_for_selector(f"#page-{page} .main-svg")
    tab.page.wait_for_function("() => document.documentElement.dataset.drawn?.endsWith(' 6')")
    return tab.page


def menu(page, figure, entry):
    page.click(f"[data-figure={figure}] .dots")
    page.get_by_role("menuitem", name=entry).click()


def saved(page, act):
    with page.expect_download() as caught:
        act()
    return Path(caught.value.path()).read_bytes(), caught.value.suggested_filename


def export_dialog(page, figure):
    menu(page, figure, "Export …")
    page.wait_for_selector(".sheet img[src]")


@pytest.mark.parametrize("theme", [{"color_scheme": "light"}, {"color_scheme": "dark"}])
def test_the_browser_and_the_shell_write_the_same_file(profile, server, run, theme):
    with profile(server, **theme) as new_tab:
        page = opened(new_tab(), f"/alignment?run={run}")
        export_dialog(page, "angles")
        data, name = saved(page, lambda: page.click("[data-format=svg]"))
    with exporter(server.store) as ours:
        made = render([ours.document(run, "angles")], ["svg"])
    assert made[name] == data


def test_every_button_of_the_dialog_saves_its_file(tab, run):
    page = opened(tab, f"/alignment?run={run}&epoch=3&follow=0")
    export_dialog(page, "angles")
    begins = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF", "html": b"<!DOCTYPE", "json": b"{", "zip": b"PK"}
    for kind in ("svg", "png", *(["pdf"] if pdf.available() else []), "html", "csv", "json", "py", "zip"):
        data, name = saved(page, page.locator(f"[data-format={kind}]").click)
        together = ".zip" if kind in ("csv", "py") else ""
        assert name == f"{run}_conv1_angles_epoch-3.{kind}{together}"
        assert data.startswith(begins.get(kind, b"PK")), kind


def test_a_zoom_is_exported_as_it_is_on_screen(tab, run):
    page = opened(tab, f"/alignment?run={run}")
    area = page.locator("[data-figure=angles] .nsewdrag").bounding_box()
    page.mouse.move(area["x"] + area["width"] * 0.3, area["y"] + area["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.8, area["y"] + area["height"] * 0.5, steps=5)
    page.mouse.up()
    page.wait_for_function("() => document.querySelector('[data-figure=angles] .plot').layout.xaxis.range[0] > 5")
    shown = page.evaluate("() => document.querySelector('[data-figure=angles] .plot').layout.xaxis.range")
    export_dialog(page, "angles")
    data, _ = saved(page, lambda: page.click("[data-format=json]"))
    assert json.loads(data)["provenance"]["paper"]["ranges"]["xaxis"] == pytest.approx(shown)


def test_a_turned_scene_is_exported_as_it_is_on_screen_and_in_lines(tab, run):
    page = opened(tab, f"/trajectories?run={run}&dims=3")
    plot = "[data-figure=paths] .plot"
    tab.turn(plot)
    # What plotly's own matrices make of every point of the paths, in halves of the view's height.
    shown = """() => {
      const plot = document.querySelector("PLOT"), { shape, cameraParams } = plot._fullLayout.scene._scene.glplot;
      const scale = plot._fullLayout.scene._scene.dataScale;
      const times = (m, v) => [0, 1, 2, 3].map((row) => v.reduce((sum, value, column) => sum + m[4 * column + row] * value, 0));
      return plot.data.filter((trace) => trace.mode === "lines").map((trace) => Array.from(trace.x, (x, i) => {
        if (Number.isNaN(x)) return null;
        const data = [x * scale[0], trace.y[i] * scale[1], trace.z[i] * scale[2], 1];
        const seen = times(cameraParams.projection, times(cameraParams.view, times(cameraParams.model, data)));
        return [seen[0] / seen[3] * shape[0] / shape[1], seen[1] / seen[3]];
      }));
    }""".replace("PLOT", plot)
    # The scene turns there over some frames.
    before = None
    while (now := page.evaluate(shown)) != before:
        before = now
        page.wait_for_timeout(300)
    plotted = page.evaluate("""async () => {
      const ps = window.prunescope;
      return (await ps.plotOf(ps.itemOf(document.querySelector("[data-figure=paths]")), ps.paper())).data;
    }""")
    paths = [trace for trace in plotted if trace["name"].endswith(", path")]
    assert len(paths) == len(now)
    for trace, seen in zip(paths, now, strict=True):
        for x, y, place in zip(trace["x"], trace["y"], seen, strict=True):
            assert (x is None) == (place is None)
            assert place is None or (x, y) == pytest.approx(place, abs=2e-3)
    export_dialog(page, "paths")
    data, _ = saved(page, lambda: page.click("[data-format=svg]"))
    assert b"<image" not in data
    assert b"PC 3" in data


def test_an_impossible_size_is_said_and_the_page_goes_on(tab, run):
    tab.expected.append("422")
    page = opened(tab, f"/alignment?run={run}")
    export_dialog(page, "angles")
    page.select_option("#paper-preset", "own")
    page.fill("#paper-width", "wide")
    page.wait_for_selector(".export-status.is-error")
    assert "width: 'wide' is no length" in page.inner_text(".export-status")
    assert page.is_disabled("[data-format=svg]")
    page.fill("#paper-width", "100mm")
    page.wait_for_selector("[data-format=svg]:not([disabled])")
    assert "100 ×" in page.inner_text(".export-status")


def test_the_tray_keeps_figures_of_several_pages_through_a_reload_and_exports_them_in_order(tab, run):
    page = opened(tab, f"/alignment?run={run}")
    menu(page, "sizes", "Pin to the tray")
    page = opened(tab, f"/trajectories?run={run}")
    menu(page, "moved", "Pin to the tray")
    page.reload()
    page.wait_for_selector("#page-trajectories .main-svg")
    assert page.get_attribute("#tray-button", "data-count") == "2"
    page.click("#tray-button")
    page.get_by_role("button", name="Move up “Distance from init").click()
    for words in ("PDF",):
        page.get_by_label(words, exact=True).uncheck()
    data, name = saved(page, lambda: page.get_by_role("button", name="Export all as ZIP").click())
    assert name == "figures.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        assert packed.testzip() is None
        names = [entry for entry in packed.namelist() if entry.endswith(".svg")]
        assert ["moved" in names[0], "sizes" in names[1]] == [True, True]
        letters = ["".join(t.itertext()) for t in ET.fromstring(packed.read(names[1])).iter(f"{SVG}text")]
        assert "b" in letters
        assert "n = 1 run" in packed.read("captions.txt").decode()


def test_a_pinned_figure_leads_back_to_its_view(tab, run):
    page = opened(tab, f"/alignment?run={run}&k=3")
    menu(page, "angles", "Pin to the tray")
    page = opened(tab, f"/overview?run={run}")
    page.click("#tray-button")
    page.click(".tray a")
    page.wait_for_selector("#page-alignment [data-figure=angles].is-full .main-svg")
    assert "k=3" in page.url


def test_presenting_shows_two_figures_the_scrubber_and_nothing_else(tab, run):
    page = opened(tab, f"/alignment?run={run}&present=1&full=angles,sizes&hide=finding")
    assert page.locator(".figure-card:visible").count() == 2
    assert page.is_visible("#scrubber")
    for hidden in (".top", ".runs", ".rail", "#page-alignment .page-head"):
        assert not page.is_visible(hidden)
    size = page.evaluate("() => document.querySelector('[data-figure=angles] .plot').layout.font.size")
    assert size > 13
    page.keyboard.press("Escape")
    page.wait_for_selector(".top", state="visible")
    assert "present" not in page.url.split("?")[1] or page.wait_for_url(lambda url: "present" not in url) is None


def test_a_replay_begins_at_the_first_epoch_and_ends_at_the_last(tab, run):
    page = opened(tab, f"/alignment?run={run}&present=1&full=angles&play=1&speed=20")
    page.wait_for_function("() => Number(document.querySelector('.scrub-range').value) < 4")
    page.wait_for_function("() => Number(document.querySelector('.scrub-range').value) === 5")


def test_an_answer_given_up_while_parts_of_it_are_at_hand_adds_no_epoch_twice(tab, run):
    page = opened(tab, f"/alignment?run={run}&epoch=0&follow=0")
    epochs = page.evaluate(
        """async () => {
          const ps = window.prunescope, frames = ps.frames;
          let begun = false;
          // A whole answer in one piece, and the scrubber moves before it is read: as in a replay that has just begun.
          ps.frames = async function* (body) {
            const parts = [];
            for await (const part of frames(body)) parts.push(part);
            if (!begun) { begun = true; ps.set({ epoch: 2 }); }
            yield* parts;
          };
          ps.set({ k: 3, layer: "" });
          const feed = () => ps.feed("alignment");
          while (!begun || feed().busy || feed().epochs.length < 6) await new Promise((done) => setTimeout(done, 20));
          await new Promise((done) => setTimeout(done, 300));
          return feed().epochs;
        }"""
    )
    assert epochs == [0, 1, 2, 3, 4, 5]


def test_a_run_opens_from_one_file_with_all_pages_and_asks_nobody(chromium, server, run, tmp_path):
    from prunescope.app import layout
    from prunescope.app.exporting import travel
    from prunescope.app.settings import Settings

    with exporter(server.store) as ours:
        assert isinstance(ours, Exporter)
        page_of = layout.page(Settings(logdir=server.logdir))
        text = travel.as_html(ours.rows, server.store.run(run), page_of)
        assert text == travel.as_html(ours.rows, server.store.run(run), page_of)
    path = tmp_path / "run.html"
    path.write_text(text, encoding="utf-8")
    context = chromium.new_context(offline=True)
    page = context.new_page()
    problems, asked = [], []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: said.type == "error" and problems.append(said.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    for number, name in enumerate(("overview", "alignment", "trajectories"), 1):
        page.keyboard.press(str(number))
        page.wait_for_selector(f"#page-{name} .main-svg")
        assert page.inner_text(f"#{name}-finding")
    page.evaluate("() => prunescope.goTo(2)")
    page.wait_for_function("() => document.getElementById('trajectories-sub').textContent.includes('epoch\u00a02')")
    # The address follows a moment later: a browser forbids hundreds of changes in seconds.
    page.wait_for_function("() => location.hash.includes('epoch=2')")
    page.reload()
    page.wait_for_function("() => document.getElementById('trajectories-sub').textContent.includes('epoch\u00a02')")
    context.close()
    assert problems == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
