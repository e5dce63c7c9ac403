"""Embeddings keep neighbours together, whatever their method."""

import numpy as np
import pytest
from prunescope.engine.evaluation.embedding import METHODS, embed
from prunescope.engine.evaluation.subject import Subjects
from prunescope.engine.geometry import activation_correlations
from prunescope.engine.store import LayerInfo, Store


@pytest.fixture
def subjects(tmp_path) -> Subjects:
    rng = np.random.default_rng(0)
    store = Store(tmp_path)
    centres = np.eye(8)[:2]
    weights = np.repeat(centres, 15, axis=0) + 0.15 * rng.standard_normal((30, 8))
    weights[7] = 0
    run_id = store.create_run({}, name="two-groups", kind="record")
    with store.writer(run_id) as writer:
        writer.declare([LayerInfo(name="w", kind="linear", units=30, fan_in=8, shape=(30, 8))], total_epochs=1)
        writer.commit(0.0, {"w.weight": weights.astype(np.float32)}, {})
        writer.commit(1.0, {"w.weight": np.ones((30, 8), np.float32)}, {})
    return Subjects(store)


def ask(subjects: Subjects, method: str, epoch: float = 0.0) -> dict:
    return {"run": subjects.store.runs()[0].id, "layer": "w", "epoch": epoch, "method": method}


@pytest.mark.parametrize("method", METHODS)
def test_two_groups_stay_apart_and_a_dead_unit_has_no_place(subjects, method):
    answers = list(embed(subjects, ask(subjects, method)))
    assert [answer["step"] for answer in answers] == list(range(1, METHODS[method][1] + 1))
    points = answers[-1]["points"]
    assert points[7] is None
    places = np.array([place for place in points if place is not None])
    groups = [places[:14], places[14:]]
    centres = np.array([group.mean(axis=0) for group in groups])
    for own, group in enumerate(groups):
        nearest = np.linalg.norm(group[:, None] - centres, axis=2).argmin(axis=1)
        assert (nearest == own).all()


def test_by_activations_units_whose_outputs_go_together_are_near(subjects, monkeypatch):
    rng = np.random.default_rng(1)
    signals = rng.standard_normal((200, 2))
    outputs = signals[:, np.arange(30) % 2] + 0.1 * rng.standard_normal((200, 30))
    outputs[:, 4] = 0.5  # never varies
    found = activation_correlations(outputs)
    monkeypatch.setattr("prunescope.engine.evaluation.embedding.output_correlations", lambda *_: (found, 200))
    *_, last = embed(subjects, ask(subjects, "mds") | {"by": "activations"})
    assert last["points"][4] is None
    places = np.array([place or (np.nan, np.nan) for place in last["points"]])
    even, odd = (np.nanmean(places[start::2], axis=0) for start in (0, 1))
    nearer_even = np.linalg.norm(places - even, axis=1) < np.linalg.norm(places - odd, axis=1)
    assert all(nearer_even[unit] == (unit % 2 == 0) for unit in range(30) if unit != 4)


def test_the_same_question_gives_the_same_picture(subjects):
    one, two = (list(embed(subjects, ask(subjects, "tsne")))[-1]["points"] for _ in range(2))
    assert one == two


def test_units_that_all_point_one_way_are_refused(subjects):
    with pytest.raises(ValueError, match="all units point one way"):
        next(embed(subjects, ask(subjects, "mds", 1.0)))


def test_an_unknown_method_is_named(subjects):
    with pytest.raises(ValueError, match="'umap' is unknown"):
        next(embed(subjects, ask(subjects, "umap")))
