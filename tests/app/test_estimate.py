"""What the form says of a run before it starts."""

import pytest
from prunescope.app import estimate
from prunescope.engine.presets import DEMO


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_300, "12 kB"), (4.2e6, "4.2 MB"), (3.4e9, "3.4 GB"),
     (2e12, "2.0 TB")],
)  # fmt: skip
def test_bytes_are_told_in_units_that_people_read(size, words):
    assert estimate.in_words(size) == words


def test_the_form_is_told_the_demos_size_and_nothing_about_settings_that_cannot_be_used(owner, monkeypatch):
    monkeypatch.setattr(estimate, "free_bytes", lambda folder: 5e9)
    told = owner.post("/api/estimate", json={"config": DEMO.to_dict()}).json
    # 120 filters of 3×3, and from 3×3 pooled values of each to 10 classes; a bias everywhere: 1,200 + 10,810.
    assert told == {"says": "12,010 parameters · 151 snapshots · about 9.6 MB of 5.0 GB free", "tight": False}
    monkeypatch.setattr(estimate, "free_bytes", lambda folder: 1e6)
    assert owner.post("/api/estimate", json={"config": DEMO.to_dict()}).json["tight"] is True
    assert owner.post("/api/estimate", json={"config": {"epochs": -1}}).json == {"says": "", "tight": False}
