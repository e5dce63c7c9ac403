"""Any quantity of finished runs against any setting."""

from typing import Any

import numpy as np
import pytest
from prunescope.app.feeds import quantities
from prunescope.app.feeds.points import Point, grouped, varied_settings
from prunescope.app.feeds.recorded import NUMBERS, Recorded
from prunescope.engine.experiments.folder import Described
from prunescope.engine.store import LayerInfo, Store


def test_a_sweep_takes_runs_together_that_differ_in_the_seed_alone() -> None:
    points = [
        Point({"lr": lr, "optimizer": name, "hidden": [8]}, seed, {"accuracy": value})
        for lr, name, seed, value in [
            (0.1, "sgd", 0, 0.8), (0.1, "sgd", 1, 0.6), (0.01, "sgd", 0, 0.5), (0.1, "adam", 0, 0.4),
        ]
    ]  # fmt: skip
    assert varied_settings(points) == ["lr", "optimizer"]
    (sgd, adam), numeric = grouped(points, "lr", "optimizer", "accuracy")
    assert numeric and sgd.x == [0.01, 0.1] and sgd.n == [1, 2] and adam.n == [1]
    assert sgd.mean == pytest.approx([0.5, 0.7])
    assert sgd.sd[1] == pytest.approx(0.2 / np.sqrt(2)) and np.isnan(sgd.sd[0])
    (both,), _ = grouped(points, "optimizer", "", "accuracy")
    assert both.x == ["sgd", "adam"] and both.n == [3, 1]


def test_where_runs_keep_their_data_is_the_last_thing_that_tells_them_apart() -> None:
    points = [
        Point({"data_dir": folder, "lr": lr, "level": level}, 0, {"accuracy": 0.5})
        for folder, lr, level in [(None, 0.1, 1), ("/data", 0.2, 2)]
    ]
    assert varied_settings(points) == ["lr", "level", "data_dir"]
    assert grouped(points, "data_dir", "", "accuracy")[0][0].x == ["not set", "/data"]


def test_the_sweep_page_shows_any_quantity_against_any_setting(finished: Described, complete: Any) -> None:
    told = complete("sweep", setting="arm")
    (drawn,) = told["figures"]["sweep"]["data"]
    assert drawn["x"] == ["dense", "ticket", "reinit"] and drawn["text"][0] == "± 1.4%, n=2"
    assert "round or level" in told["texts"]["sweep-sub"]
    by_itself = complete("sweep")["figures"]["sweep"]
    assert [trace["name"] for trace in by_itself["data"] if "marker" in trace] == ["dense", "ticket", "fresh initialisation"]
    layered = complete("sweep", setting="level", quantity="rank fc1")
    assert layered["figures"]["sweep"]["layout"]["yaxis"]["title"]["text"] == "effective rank of fc1"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("turned", 90.0), ("moved", np.sqrt(5)), ("cosine", 13 / 25), ("potential", 13 / 15), ("stable", 20 / 12),
        ("angle", 0.0), ("spread", 0.0), ("knee", 1), ("outside", 0),
        ("directions", 2), ("explained", 1.0), ("tilted", 0.0), ("groups", 2), ("largest", 0.6),
        ("rank", None), ("closer", None), ("z", None),
    ],
)  # fmt: skip
def test_every_number_of_a_layer_is_that_of_its_living_units(kind: str, expected: float | None, store: Store) -> None:
    """By hand: e1, e2, e1, e2, e1, e2 turn by 90° and double, the last one is pruned; 3 of 5 are then alike."""
    initial = np.tile(np.eye(2, dtype=np.float32), (3, 1))
    final = 2 * initial[:, ::-1] * (np.arange(6) < 5)[:, None]
    run_id = store.create_run({}, name="by hand")
    with store.writer(run_id) as writer:
        writer.declare([LayerInfo(name="fc1", kind="linear", units=6, fan_in=2, shape=(6, 2))], total_epochs=1)
        for epoch, weights in enumerate((initial, final)):
            writer.commit(epoch, {"fc1.weight": weights}, {})
        writer.set_state("done")
    found = Recorded().layer_at_the_end(store.run(run_id), kind, "fc1")
    assert np.isfinite(found) if expected is None else found == pytest.approx(expected, abs=1e-5)
    assert np.isnan(Recorded().layer_at_the_end(store.run(run_id), kind, "nowhere"))


def test_the_quantities_of_layers_are_those_that_can_be_computed() -> None:
    assert set(quantities.OF_LAYERS) == {*NUMBERS, "closer", "z", "explained", "groups", "largest"}
