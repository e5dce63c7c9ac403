"""CSV, JSON, HTML, program and words of a figure, read back by other programs and compared with what was recorded."""

import csv
import io
import json
import subprocess
import sys
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from prunescope.app.export import ExportError, PaperStyle, export_figure, figures, whole_view
from prunescope.app.state import read_view


def rows_of(document):
    return list(csv.DictReader(io.StringIO(document.written("csv"))))


def test_the_csv_of_the_accuracy_figure_holds_the_recorded_metrics(ours, papers):
    rows = rows_of(ours.document("small", "accuracy"))
    for name, metric in (("train", "train/accuracy"), ("validation", "val/accuracy")):
        points = [(float(row["x"]), float(row["y"])) for row in rows if row["name"] == name]
        assert points == list(zip(papers.run("small").epochs, papers.run("small").metrics()[metric], strict=True))


def test_the_csv_of_the_paths_holds_every_epoch_of_every_unit(ours):
    rows = [row for row in rows_of(ours.document("small", "paths")) if row["name"].endswith("path")]
    assert sum(row["x"] != "" for row in rows) == 12 * 6
    assert sum(row["x"] == "" for row in rows) == 12  # a gap behind each path


def test_bars_count_all_units(ours):
    rows = rows_of(ours.document("small", "angles"))
    assert sum(float(row["y"]) for row in rows if row["name"] == "this epoch") == 12


def test_json_and_csv_hold_the_same_points(ours):
    document = ours.document("small", "angles")
    told = json.loads(document.written("json"))
    flat = [(x, y) for trace in told["traces"] for x, y in zip(trace["x"], trace["y"], strict=True)]
    assert flat == [(float(row["x"]), float(row["y"])) for row in rows_of(document)]


def test_a_spreadsheet_does_not_take_a_name_for_a_formula(ours):
    from prunescope.app.exporting.tables import as_csv

    text = as_csv([{"name": "=HYPERLINK(1)", "x": [-1.5], "y": [2], "text": ["+1"]}])
    assert text.splitlines()[1] == "0,'=HYPERLINK(1),-1.5,2,,+1"


def test_the_programs_redraw_their_figures_from_the_csv(ours, tmp_path):
    pytest.importorskip("matplotlib", reason="needs matplotlib: pip install '.[test]'")
    names = []
    for figure in ("accuracy", "angles", "sizes", "paths"):
        document = ours.document("small", figure)
        names.append(document.name)
        for kind in ("csv", "py"):
            (tmp_path / f"{document.name}.{kind}").write_text(document.written(kind))
    # Each program is one's own; one interpreter for all of them saves the time to load matplotlib each time.
    run_all = "import runpy, sys; [runpy.run_path(path) for path in sys.argv[1:]]"
    programs = [str(tmp_path / f"{name}.py") for name in names]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", run_all, *programs], cwd="/", capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    for name in names:
        assert (tmp_path / f"{name}-redrawn.pdf").read_bytes().startswith(b"%PDF")
        assert (tmp_path / f"{name}-redrawn.png").stat().st_size > 5000


def test_the_program_reads_a_run_name_as_words_only(papers, make_run, tmp_path):
    from prunescope.app.export import exporter
    from prunescope.engine.store import Store

    store = Store(tmp_path / "runs")
    name = 'x"""\nimport os; os.abort()\n"""\\'
    run_id = make_run(store, "plain", 6, 4, 3)
    store.rename(run_id, name)
    with exporter(store) as exporting:
        program = exporting.document(run_id, "accuracy").written("py")
    import ast

    imported = {alias.name for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Import) for alias in node.names}
    assert "os" not in imported


def test_provenance_says_where_the_figure_comes_from(ours, papers):
    told = ours.document("small", "angles", {"k": 3, "epoch": 2}).provenance
    assert told["run"] == "small"
    assert told["seed"] == 3
    assert told["layer"] == {"name": "fc1", "units": 12, "dimensions": 5}
    assert told["epoch"] == 2
    assert told["view"]["k"] == 3
    assert told["n"]["units"] == 12
    assert len(told["config_sha256"]) == 64
    assert {"prunescope", "numpy", "plotly", "python"} <= set(told["versions"])


def test_the_link_opens_the_same_picture_on_another_machine(ours, papers, copy_of):
    from prunescope.app.export import exporter

    document = ours.document("small", "angles", {"k": 3, "epoch": 2, "against": "null"})
    view = read_view(dict(parse_qsl(urlsplit(document.provenance["link"]).query)))
    with exporter(copy_of(papers)) as elsewhere:
        again = elsewhere.document("small", "angles", {key: view[key] for key in ("k", "epoch", "against", "layer")})
        assert again.plot == document.plot


def test_caption_and_methods_name_run_layer_epoch_n_and_software(ours):
    document = ours.document("small", "angles")
    assert document.caption.startswith("Angle to the nearest cluster centre. Neurons of fc1")
    for words in ("“small”", "seed 3", "layer fc1 (12 neurons, 5 dimensions)", "epoch 5", "n = 1 run"):
        assert words in document.caption
    assert "Spherical k-means" in document.methods
    assert "Prunescope" in document.methods


def test_html_is_whole_and_asks_nobody(ours):
    text = ours.document("small", "angles").written("html")
    assert "Plotly.newPlot" in text
    assert "default-src 'none'" in text
    head = text[: text.index('<script type="application/json"')]
    assert "http" not in head.replace("http-equiv", "")


def test_the_same_view_gives_the_same_bytes(papers, copy_of):
    from prunescope.app.export import exporter

    made = []
    for store in (papers, copy_of(papers)):
        with exporter(store) as exporting:
            document = exporting.document("small", "paths", {"epoch": 4})
            made.append([document.written(kind) for kind in ("csv", "json", "html", "py")] + [document.sidecar()])
    assert made[0] == made[1]


def test_an_earlier_epoch_knows_nothing_of_later_ones(ours):
    rows = rows_of(ours.document("small", "moved", {"epoch": 2}))
    assert max(float(row["x"]) for row in rows if row["name"] == "median") == 2


@pytest.mark.parametrize(
    ("figure", "view", "said"),
    [
        ("nope", {}, "figure: 'nope'"),
        ("angles", {"kk": 3}, "view: 'kk'"),
        ("angles", {"k": 99}, "view: k=99"),
        ("angles", {"against": "mars"}, "view: against='mars'"),
    ],
)
def test_what_does_not_exist_is_named(ours, figure, view, said):
    with pytest.raises(ExportError) as problem:
        ours.document("small", figure, view)
    assert said in str(problem.value)


def test_unknown_formats_are_named_before_anything_is_written(papers, tmp_path):
    with pytest.raises(ExportError, match="format: 'gif'"):
        export_figure(papers, "small", "angles", formats=("csv", "gif"), folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_every_figure_of_every_page_has_a_title():
    assert len(figures()) >= 15
    assert all(figures().values())


def test_an_epoch_in_a_view_is_not_followed():
    assert whole_view("small", {"epoch": 2})["follow"] is False


def test_numbers_of_32_bits_are_written_with_the_digits_that_they_have():
    from prunescope.app.exporting.collect import plain

    assert plain(np.array([0.1, np.nan], dtype=np.float32)) == [0.1, None]
    assert plain(np.array([[1 / 3]])) == [[1 / 3]]


def test_letters_and_sizes_are_in_the_metadata(ours):
    document = ours.document("small", "angles", style=PaperStyle(letter="b", width="120mm"))
    assert document.provenance["paper"] == {"width": "120mm", "letter": "b"}
