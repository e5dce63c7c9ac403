"""SVG, PNG and PDF as other programs read them."""

import json
import re
import struct
import xml.etree.ElementTree as ET
import zlib

import pytest
from prunescope.app.export import ExportError, PaperStyle, exporter, render
from prunescope.app.exporting import browser as drawing
from prunescope.app.exporting import pdf
from prunescope.engine.store import Store

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def files(ours):
    """The angle figure in every drawn format, made twice by two starts of the browser."""
    if drawing.find_browser() is None:
        pytest.skip("needs Chrome, Chromium or Edge (Debian: apt-get install chromium)")
    document = ours.document("small", "angles", style=PaperStyle(letter="c"))
    formats = ("svg", "png", "pdf") if pdf.available() else ("svg", "png")
    return document, render([document], formats), render([document], formats)


def one(made, ending):
    return next(data for name, data in made.items() if name.endswith(ending))


def test_two_exports_of_one_view_are_byte_identical(files):
    _, first, second = files
    assert first == second


def test_a_legend_is_drawn_the_same_the_second_time(ours, browser):
    document = ours.document("small", "accuracy", style=PaperStyle(legend="right"))
    first, second = drawing.draw([(document.plot, "svg")] * 2)
    assert first == second
    said = {"".join(text.itertext()) for text in ET.fromstring(first).iter(f"{SVG}text")}
    assert {"train", "validation"} <= said


def test_an_xml_parser_finds_size_words_and_provenance(files):
    document, made, _ = files
    root = ET.fromstring(one(made, ".svg"))
    assert root.get("width") == "3.5in"
    assert root.find(f"{SVG}title").text == "Angle to the nearest cluster centre"
    assert root.find(f"{SVG}desc").text == document.caption
    assert json.loads(root.find(f"{SVG}metadata").text) == json.loads(json.dumps(document.provenance))
    said = {"".join(text.itertext()) for text in root.iter(f"{SVG}text")}
    assert {"c", "angle to the nearest centre", "90°"} <= said


def test_nothing_of_it_is_a_raster_image(files):
    _, made, _ = files
    assert b"<image" not in one(made, ".svg")


def test_bars_in_the_svg_are_as_high_as_the_counts(files):
    document, made, _ = files
    counts = next(trace for trace in document.picture.data if trace["type"] == "bar")["y"]
    root = ET.fromstring(one(made, ".svg"))
    layer = next(node for node in root.iter(f"{SVG}g") if "barlayer" in node.get("class", ""))
    heights = []
    for path in layer.iter(f"{SVG}path"):
        found = re.fullmatch(r"M[\d.]+,([\d.]+)V([\d.]+)H[\d.]+V[\d.]+Z", path.get("d"))
        heights.append(abs(float(found[1]) - float(found[2])) if found else 0.0)
    drawn = [height for height in heights if height]
    wanted = [count for count in counts if count]
    assert len(drawn) == len(wanted)
    scale = sum(drawn) / sum(wanted)
    assert drawn == pytest.approx([count * scale for count in wanted], abs=0.02)


def test_a_png_reader_finds_size_resolution_and_words(files):
    document, made, _ = files
    data, chunks, at = one(made, ".png"), {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        chunks.setdefault(kind, []).append(body)
        at += 12 + length
    width, _ = struct.unpack(">II", chunks[b"IHDR"][0][:8])
    assert width == 1050  # 3.5 in at 300 dpi
    assert struct.unpack(">IIB", chunks[b"pHYs"][0]) == (11811, 11811, 1)
    words = dict(body.split(b"\0\0\0\0\0", 1) for body in chunks[b"iTXt"])
    assert words[b"Description"].decode() == document.caption
    assert json.loads(words[b"prunescope"])["config_sha256"] == document.provenance["config_sha256"]


def test_a_pdf_reader_finds_text_size_and_words(files):
    pypdf = pytest.importorskip("pypdf", reason="needs pypdf: pip install '.[test]'")
    if not pdf.available():
        pytest.skip("needs typst: pip install '.[pdf]'")
    document, made, _ = files
    import io

    reader = pypdf.PdfReader(io.BytesIO(one(made, ".pdf")))
    (page,) = reader.pages
    assert float(page.mediabox.width) == pytest.approx(252)  # 3.5 in
    assert "angle to the nearest centre" in page.extract_text()
    assert reader.metadata.title == "Angle to the nearest cluster centre"
    assert reader.metadata.subject == document.caption
    assert json.loads(reader.metadata["/Keywords"])["run"] == "small"
    assert "/CreationDate" not in reader.metadata
    assert not page.images


def test_512_trajectories_of_100_epochs_stay_under_a_megabyte_and_the_file_says_what_was_merged(
    browser, make_run, tmp_path
):
    store = Store(tmp_path / "runs")
    make_run(store, "large", 512, 6, 101)
    with exporter(store) as exporting:
        document = exporting.document("large", "paths")
        svg = one(render([document], ["svg"]), ".svg")
    assert len(svg) < 1_000_000
    merged = json.loads(ET.fromstring(svg).find(f"{SVG}metadata").text)["merged"]
    assert merged is None or (merged["points"] > merged["drawn"] and "were merged" in document.caption)
    # The data are whole whatever was merged in the drawing.
    assert sum(len(trace["x"]) for trace in document.picture.data if trace.get("mode") == "lines") == 512 * 102


def test_without_a_browser_the_message_says_what_to_install(ours, monkeypatch):
    monkeypatch.setattr(drawing, "find_browser", lambda: None)
    with pytest.raises(ExportError, match=r"Chrome, Chromium or Edge.*PRUNESCOPE_BROWSER"):
        render([ours.document("small", "angles")], ["svg"])


def test_without_typst_the_message_says_what_to_install(ours, monkeypatch):
    monkeypatch.setattr(pdf, "available", lambda: False)
    with pytest.raises(ExportError, match=r"pip install typst"):
        render([ours.document("small", "angles")], ["pdf"])


@pytest.mark.parametrize(
    "svg",
    ["", "<svg/>", '<!DOCTYPE x [<!ENTITY a SYSTEM "/etc/passwd">]><svg width="3in" height="2in"></svg>'],
)
def test_only_our_own_svgs_become_pdf(svg):
    if not pdf.available():
        pytest.skip("needs typst: pip install '.[pdf]'")
    with pytest.raises(ExportError, match="no SVG that Prunescope exported"):
        pdf.svg_to_pdf(svg, title="", caption="", about={})


def test_an_svg_cannot_read_files_of_the_machine(tmp_path):
    if not pdf.available():
        pytest.skip("needs typst: pip install '.[pdf]'")
    (tmp_path / "secret.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><text>TOPSECRET</text></svg>')
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="3in" height="2in" viewBox="0 0 300 200">'
    svg = f'{head}<image href="{tmp_path}/secret.svg" width="300" height="200"/></svg>'
    try:
        made = pdf.svg_to_pdf(svg, title="", caption="", about={})
    except ExportError:
        return
    pypdf = pytest.importorskip("pypdf", reason="needs pypdf: pip install '.[test]'")
    import io

    assert "TOPSECRET" not in pypdf.PdfReader(io.BytesIO(made)).pages[0].extract_text()
