"""The report of an experiment: one page that asks nobody for anything."""

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from prunescope.engine.experiments.folder import Described
from prunescope.engine.store import Store


def test_a_report_is_one_page_with_the_figures_and_nothing_from_elsewhere(
    client: FlaskClient, store: Store, finished: Described
, line: Any) -> None:
    answer = client.get(f"/api/experiments/{finished.id}/report")
    page = answer.text
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{finished.id}.html"'
    assert "a fresh initialisation is first clearly behind at 50 %" in page
    held = re.findall(r'<script type="application/json" id="figure-\d+-data">(.*?)</script>', page)
    first = json.loads(held[0])
    assert line(first, "ticket")["y"] == pytest.approx([0.91, 0.90, 0.90])
    assert "0.9000 ± 0.0141" in page and "2 of 2" in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page.partition("<script>")[0])
    assert client.get("/api/experiments/nobody/report").status_code == 404
