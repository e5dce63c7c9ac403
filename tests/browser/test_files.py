"""Every figure of every page leaves as seven files; other programs open them and find the points that are on screen."""

import ast
import base64
import csv
import io
import json
import re
import shutil
import struct
import subprocess
import sys
import urllib.request
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import pytest
from prunescope.app.exporting import pdf
from prunescope.app.feeds import FEEDS
from prunescope.app.layout import FIGURES
from prunescope.app.state import PAGES
from prunescope.engine import RunConfig, train
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.folder import Experiments
from prunescope.engine.experiments.task import run_cell
from prunescope.engine.store import Store

SVG = "{http://www.w3.org/2000/svg}"
TICKETS = {
    "kind": "tickets",
    "name": "tiny",
    "seeds": [0, 1],
    "run": {"model": "mlp", "hidden": [12, 8], "epochs": 2, "train_examples": 320, "batch_size": 64},
    "tickets": {"levels": 2, "rate": 0.5, "arms": ["dense", "ticket", "reinit"]},
}
# What a page must be asked for before it shows all that it has.
VIEWS = {
    "alignment": ("epoch=4&follow=0&unit=3",),
    "trajectories": ("epoch=4&follow=0", "dims=3"),
    "similarity": ("emb=mds&embat=5",),
    # Units of two runs are laid over each other where both have the same layers.
    "compare": ("runs={digits},{xord}", "runs={one},{other}"),
}
# Drawing in depth loads more of plotly first.
DRAWN = """[...document.querySelectorAll(".page:not([hidden]) [data-figure]:not(.is-unused)")]
  .every((box) => box.querySelector(".main-svg"))"""
# All files of all figures on screen, and some of them twice. Of the HTML, plotly's own megabyte stays in the page.
MAKE = """async () => {
  const ps = window.prunescope, made = [];
  const text = (bytes) => btoa(Array.from({length: Math.ceil(bytes.length / 8192)},
    (_, i) => String.fromCharCode(...bytes.subarray(8192 * i, 8192 * (i + 1)))).join(""));
  const cut = (bytes) => ps.utf8(new TextDecoder().decode(bytes).replace(/<script>[^]*?<\\/script>/, ""));
  const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
  const plain = (data) => JSON.parse(JSON.stringify(data, (_, v) => (ArrayBuffer.isView(v) ? Array.from(v) : v)));
  const formats = ps.FORMATS.filter((format) => format !== "pdf" || ps.spec().pdf);
  const boxes = "FIGURES";
  for (const box of document.querySelectorAll(boxes)) {
    const data = box.querySelector(".plot").data;
    if (box.classList.contains("is-unused") || !data || !data.length) continue;
    const item = ps.itemOf(box);
    const files = (await ps.filesOf(item, ps.paper(), formats)).files;
    // All formats of a page's first figure; of the others those that all else is made of.
    const again = new Map((await ps.filesOf(item, ps.paper(), made.length ? ["svg", "csv"] : formats)).files);
    made.push({
      figure: item.figure, data: plain(data), epoch: item.view.epoch,
      different: files.flatMap(([name, bytes]) => (!again.has(name) || same(bytes, again.get(name)) ? [] : [name])),
      files: Object.fromEntries(files.map(([name, bytes]) => [name, text(name.endsWith(".html") ? cut(bytes) : bytes)])),
    });
  }
  return made;
}""".replace("FIGURES", ".page:not([hidden]) [data-figure], #drawer:not([hidden]) [data-figure]")


@dataclass
class Made:
    """The files of one figure, and what the page has drawn."""

    figure: str
    data: list[dict[str, Any]]
    epoch: str
    different: list[str]
    files: dict[str, bytes]

    def file(self, ending: str) -> bytes:
        return next(data for name, data in self.files.items() if name.endswith(f".{ending}"))


@pytest.fixture(scope="module")
def lab(trained, tmp_path_factory):
    """The finished trainings, and a small experiment beside them."""
    store = Store(shutil.copytree(trained.logdir, tmp_path_factory.mktemp("lab") / "runs"))
    described = Experiments(store).create(experiment_from(TICKETS))
    with described.table() as table:
        keys = [row.key for row in table.rows()]
    for key in keys:
        run_cell(str(store.root), described.id, key)
    # Units of runs that differ in more than the seed can be laid over each other.
    train(RunConfig(name="narrow", model="mlp", hidden=(6, 4), epochs=1, train_examples=320, threads=1), store)
    return store


@pytest.fixture(scope="module")
def server(serve, lab):
    return serve(logdir=lab.root)


@pytest.fixture(scope="module")
def made(profile, server, lab, trained):
    """Figure → its files, of every view of every page."""
    found: dict[str, Made] = {}
    alike = next(run.id for run in lab.runs() if run.config.get("hidden") == [12, 8]), "narrow"
    with profile(server, color_scheme="dark") as new_tab:
        tab = new_tab()
        for page in PAGES:
            for query in VIEWS.get(page, ("",)):
                runs = trained.ids | dict(zip(("one", "other"), alike, strict=True))
                tab.open(f"/{page}?run={trained.ids['digits']}&{query.format(**runs)}").settled().until(DRAWN)
                for one in tab.page.evaluate(MAKE):
                    files = {name: base64.b64decode(text) for name, text in one.pop("files").items()}
                    found[f"{one['figure']} {query}" if one["figure"] in found else one["figure"]] = Made(
                        **one, files=files
                    )
    return found


def test_no_figure_is_missing(made):
    assert sorted(FIGURES.keys() - made.keys()) == []


def test_two_exports_of_one_view_are_byte_identical(made):
    assert {name: one.different for name, one in made.items() if one.different} == {}


def test_an_xml_parser_finds_the_provenance_and_no_raster_in_every_svg(made, trained):
    for name, one in made.items():
        assert len(one.file("svg")) < 1_000_000, name
        root = ET.fromstring(one.file("svg"))
        told = json.loads(root.find(f"{SVG}metadata").text)
        runs = [told] if "run" in told else told["runs"]
        assert told["figure"] == one.figure
        assert runs and all(len(run["config_sha256"]) == 64 for run in runs), name
        assert told["n"]["runs"] == len(runs)
        assert told["link"].startswith(f"/{FIGURES[one.figure].page.replace('unit', 'alignment')}?") or "unit" in name
        assert (root.get("width"), root.find(f"{SVG}desc").text[-1]) == ("3.5in", "."), name
        assert [*root.iter(f"{SVG}text")] or one.figure in ("unit-picture", "graph", "embedding"), name
        assert not [*root.iter(f"{SVG}image")], name


def test_every_png_is_a_column_wide_at_300_dpi(made):
    for name, one in made.items():
        png = one.file("png")
        assert png.startswith(b"\x89PNG\r\n\x1a\n"), name
        assert struct.unpack(">I", png[16:20])[0] == 1050, name


def test_a_pdf_reader_finds_one_page_of_text_and_no_raster_in_every_pdf(made):
    if not pdf.available():
        pytest.skip("needs typst: pip install '.[pdf]'")
    pypdf = pytest.importorskip("pypdf", reason="needs pypdf: pip install '.[test]'")
    for name, one in made.items():
        (page,) = pypdf.PdfReader(io.BytesIO(one.file("pdf"))).pages
        assert float(page.mediabox.width) == pytest.approx(252), name
        words = {"".join(text.itertext()).strip() for text in ET.fromstring(one.file("svg")).iter(f"{SVG}text")}
        letters = [word for word in words if re.fullmatch("[a-z]{4,}", word)]
        said = page.extract_text()
        assert all(word in said for word in letters), (name, letters, said)
        assert not page.images, name


def points(trace):
    """x, y, z of every point of a trace as plotly holds it, worked out anew; None where there is none."""
    x, y, z = (trace.get(key) for key in "xyz")
    if trace["type"] in ("heatmap", "surface"):
        xs, ys = x or list(range(len(z[0]))), y or list(range(len(z)))
        return [(xs[j], ys[i], value) for i, row in enumerate(z) for j, value in enumerate(row)]
    return list(zip_longest(x or [], y or [], z or []))


def test_a_spreadsheet_reader_finds_exactly_the_points_on_screen_in_every_csv_and_json(made):
    for name, one in made.items():
        rows = list(csv.DictReader(io.StringIO(one.file("csv").decode())))
        told = json.loads(
            next(data for file, data in one.files.items() if file.endswith(".json") and "prov" not in file)
        )
        assert len(told["traces"]) == len(one.data), name
        for i, trace in enumerate(one.data):
            mine, wanted = [row for row in rows if row["trace"] == str(i)], points(trace)
            assert len(mine) == len(wanted), (name, i)
            for row, point in zip(mine, wanted, strict=True):
                for key, value in zip("xyz", point, strict=True):
                    if isinstance(value, int | float):
                        assert float(row[key]) == pytest.approx(value, rel=2e-6, abs=1e-7), (name, i, key)
                    else:
                        assert row[key] == (value or ""), (name, i, key)
            if isinstance(trace.get("x"), list):
                mine, wanted = told["traces"][i]["x"], trace["x"]
                # A gap is null in both.
                assert [at for at, x in enumerate(mine) if x is None] == [
                    at for at, x in enumerate(wanted) if x is None
                ], name
                there = [x for x in wanted if x is not None]
                named = any(isinstance(x, str) for x in there)
                assert [x for x in mine if x is not None] == (
                    there if named else pytest.approx(there, rel=2e-6, abs=1e-7)
                ), name


def test_every_html_holds_the_points_of_the_csv_and_asks_nobody(made):
    for name, one in made.items():
        text = one.file("html").decode()
        plot = json.loads(re.search(r'<script type="application/json" id="plot">(.*?)</script>', text, re.DOTALL)[1])
        assert [len(points(trace)) for trace in plot["data"]] == [len(points(trace)) for trace in one.data], name
        assert "default-src 'none'" in text
        assert not re.search(r'(src|href)="http', text), name


def test_every_program_redraws_its_figure_from_its_csv(made, tmp_path):
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install '.[test]'")
    programs = []
    for number, one in enumerate(made.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        for file, data in one.files.items():
            if file.endswith((".csv", ".py")):
                (folder / file).write_bytes(data)
        (program,) = folder.glob("*.py")
        ast.parse(program.read_text())
        programs.append(program)
    # One interpreter for all of them saves the time to load matplotlib once for each.
    run_all = (
        "import runpy, sys; import matplotlib.pyplot as plt; "
        "[(runpy.run_path(path), plt.close('all')) for path in sys.argv[1:]]"
    )
    command = [sys.executable, "-W", "error", "-c", run_all, *map(str, programs)]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    for program in programs:
        (drawn,) = program.parent.glob("*-redrawn.pdf")
        assert drawn.read_bytes().startswith(b"%PDF")


def test_names_tell_run_layer_and_epoch_or_the_experiment(made, trained):
    for name, one in made.items():
        whole = getattr(FEEDS.get(FIGURES[one.figure].page), "whole", False)
        for file in one.files:
            assert one.figure in file, name
            assert whole or file.startswith(trained.ids["digits"]), name
            assert whole or f"epoch-{one.epoch}." in file, name


def test_an_html_opens_offline_and_draws_the_same_points(chromium, server, made, trained, tmp_path):
    query = f"run={trained.ids['digits']}&figure=angles&format=html&epoch=4&follow=0"
    path = tmp_path / "angles.html"
    with urllib.request.urlopen(f"{server.url}/api/export?{query}", timeout=60) as answer:
        path.write_bytes(answer.read())
    context = chromium.new_context(offline=True)
    page, problems, asked = context.new_page(), [], []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: said.type == "error" and problems.append(said.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("#figure .main-svg")
    drawn = page.evaluate("() => document.getElementById('figure').data.map((trace) => [trace.x.length, trace.y[5]])")
    assert "Spherical k-means" in page.text_content("details")
    context.close()
    assert drawn == [[len(trace["x"]), pytest.approx(trace["y"][5], rel=2e-6)] for trace in made["angles"].data]
    assert problems == []
    assert asked == [path.as_uri()]
