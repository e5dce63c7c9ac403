"""`prunescope export` and `prunescope import run.zip`, as typed."""

import json

import pytest
from prunescope.app.cli import main
from prunescope.engine.store import Store


def test_figures_are_written_with_their_sidecar(papers, tmp_path, capsys):
    code = main(
        ["export", "small", "--figure", "angles,accuracy", "--format", "csv,json", "--epoch", "3", "--view", "k=3",
         "--out", str(tmp_path / "out"), "--logdir", str(papers.root), "--json"]
    )  # fmt: skip
    assert code == 0
    names = [path.rsplit("/", 1)[1] for path in json.loads(capsys.readouterr().out)["files"]]
    assert names == [
        f"small_fc1_{figure}_epoch-3.{ending}" if figure == "angles" else f"small_accuracy_epoch-3.{ending}"
        for figure in ("angles", "accuracy")
        for ending in ("csv", "json", "provenance.json")
    ]
    told = json.loads((tmp_path / "out" / "small_fc1_angles_epoch-3.provenance.json").read_text())
    assert (told["provenance"]["view"]["k"], told["provenance"]["epoch"]) == (3, 3)


def test_a_copied_link_says_the_view_and_what_it_knows_too_much_is_ignored(papers, tmp_path):
    link = "http://127.0.0.1:8050/alignment?run=small&k=2&epoch=1&follow=0&invented=later"
    asked = ["export", "-", "--link", link, "--figure", "angles", "--format", "json", "--out", str(tmp_path)]
    assert main([*asked, "--logdir", str(papers.root)]) == 0
    told = json.loads((tmp_path / "small_fc1_angles_epoch-1.json").read_text())
    assert told["provenance"]["view"]["k"] == 2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--figure", "nope"], "figure: 'nope'"),
        (["--figure", "angles", "--format", "gif"], "--format gif"),
        (["--figure", "angles", "--width", "wide"], "width: 'wide'"),
        (["--figure", "angles", "--view", "k"], "--view 'k'"),
        (["--figure", "angles", "--view", "k=99"], "view: k='99'"),
        (["--format", "svg"], "--format svg is for figures"),
    ],
)
def test_what_is_asked_wrongly_ends_with_two(papers, tmp_path, capsys, more, said):
    assert main(["export", "small", *more, "--out", str(tmp_path), "--logdir", str(papers.root)]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_run_ends_with_two(papers, capsys):
    assert main(["export", "nobody", "--figure", "angles", "--logdir", str(papers.root)]) == 2
    assert "small" in capsys.readouterr().err


def test_figures_are_listed(capsys):
    assert main(["export", "-", "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["angles"] == "Angle to the nearest cluster centre"


def test_a_run_goes_through_a_zip(papers, tmp_path, capsys):
    out, there = tmp_path / "out", tmp_path / "there"
    assert main(["export", "small", "--format", "zip", "--out", str(out), "--logdir", str(papers.root)]) == 0
    assert main(["import", str(out / "small.zip"), "--logdir", str(there)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "small"
    assert len(Store(there).run("small").epochs) == 6


def test_checkpoints_still_need_their_model(tmp_path, capsys):
    (tmp_path / "a.pt").write_bytes(b"x")
    assert main(["import", str(tmp_path / "a.pt"), "--logdir", str(tmp_path / "runs")]) == 2
    assert "module:callable" in capsys.readouterr().err
