"""Export as the page asks for it."""

import json
from pathlib import Path

import pytest
from prunescope.app.exporting import pdf
from prunescope.app.server import create_app
from prunescope.app.settings import Settings

TOKEN = "a-token-that-only-the-tests-know"


@pytest.fixture(scope="module")
def client(papers):
    app = create_app(papers, Settings(logdir=Path(papers.root), token=TOKEN))
    return app.server.test_client()


def ask(client, **query):
    return client.get("/api/export", query_string={"run": "small"} | query, headers={"Host": "127.0.0.1"})


def test_the_page_gets_what_the_shell_draws(client, ours):
    answer = ask(client, figure="angles", k="3", epoch="2", follow="0", paper_width="text")
    from prunescope.app.export import PaperStyle

    document = ours.document("small", "angles", {"k": 3, "epoch": 2}, PaperStyle(width="text"))
    assert answer.get_json() == json.loads(json.dumps(document.plot))


@pytest.mark.parametrize("kind", ["csv", "json", "py", "html", "about"])
def test_files_are_downloads(client, kind):
    answer = ask(client, figure="angles", format=kind)
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"figure": "nope"}, 404),
        ({"figure": "angles", "format": "exe"}, 400),
        ({"figure": "angles", "run": "nobody"}, 422),
        ({"figure": "angles", "layer": "nolayer"}, 422),
        ({"figure": "angles", "paper_width": "wide"}, 422),
        ({"figure": "unit-course", "unit": "999"}, 422),
    ],
)
def test_what_does_not_exist_is_answered_with_a_sentence(client, query, status):
    answer = ask(client, **query)
    assert answer.status_code == status
    assert answer.get_json()["error"]


def test_a_broken_pdf_request_is_refused(client):
    for body in ([], {}, {"svg": 1}, {"svg": "<svg/>", "title": "", "caption": "", "name": ""}):
        answer = client.post("/api/export/pdf", json=body, headers={"Host": "127.0.0.1"})
        assert answer.status_code in (400, 422) or (answer.status_code == 501 and not pdf.available())


@pytest.mark.parametrize("kind", ["zip", "html"])
def test_a_run_is_downloaded(client, kind):
    answer = client.get("/api/travel", query_string={"run": "small", "format": kind}, headers={"Host": "127.0.0.1"})
    assert answer.status_code == 200
    assert "small." + kind in answer.headers["Content-Disposition"]
    assert answer.data[:2] == (b"PK" if kind == "zip" else b"<!")
    answer.close()
