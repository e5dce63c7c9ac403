"""The similarity graph: what is drawn, what is counted, and that it stays where it was."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from prunescope.app.feeds import FEEDS
from prunescope.app.feeds.graph import CUTOFFS
from prunescope.app.feeds.groups import block_means, matrix_side
from prunescope.app.feeds.kernel import mean_distance
from prunescope.app.state import read_view
from prunescope.engine.geometry import component_curve, components_at, cosine_matrix, edge_weights, kernel_width

# Two pairs of equal directions at a right angle: D = 0 inside a pair, 1/2 across; σ = mean over 16 = 1/4.
PAIRS = np.array([[1.0, 0], [2, 0], [0, 1], [0, 3]])


def at(cutoff: float) -> int:
    return round(100 * cutoff)


def test_two_pairs_by_hand(recorded, rows_of):
    [row] = rows_of("similarity", recorded(w=[PAIRS]))
    # Across: exp(−(1/2 / 1/4)²) = e⁻⁴ = 0.018.
    assert row["orthogonal"] == pytest.approx(np.exp(-4))
    assert row["edge_weights"][:2] == pytest.approx([1, 1]) and row["edge_weights"][2] == pytest.approx(np.exp(-4))
    assert row["groups"][at(0.01)] == 1 and row["groups"][at(0.02)] == 2 and row["groups"][at(1)] == 2
    assert row["edges_all"][at(0.5)] == 2 and row["edges_all"][at(0)] == 6
    assert row["found"][at(0.5)] == "form 2 groups; the largest holds 2"


def test_the_slider_names_the_inner_product_of_the_cutoff(recorded, rows_of):
    [row] = rows_of("similarity", recorded(w=[PAIRS]))
    # 1 − 2 · 1/4 · √ln(1/0.5) = 0.58.
    assert row["inner"][at(0.5)] == "≥ 0.58"
    assert row["inner"][at(1)] == "≥ 1.00" and row["inner"][at(0)] == "any"


def test_counts_are_those_of_the_whole_graph(recorded, rows_of, random_layer):
    w = random_layer(40, 6)
    [row] = rows_of("similarity", recorded(w=[w]))
    weights = edge_weights(cosine_matrix(w), kernel_width(w[None].astype(float)))
    upper = weights[np.triu_indices(40, 1)]
    assert row["edges_all"].tolist() == [(upper >= c).sum() for c in CUTOFFS]
    assert row["groups"].tolist() == components_at(component_curve(weights), CUTOFFS).tolist()


def test_the_kernel_width_is_the_engines(random_layer):
    w = random_layer(30, 12)
    assert mean_distance(w) == pytest.approx(kernel_width(w[None].astype(float)), rel=1e-5)
    w[4] = 0
    alive = np.delete(w, 4, axis=0)
    assert mean_distance(w) == pytest.approx(kernel_width(alive[None].astype(float)), rel=1e-5)


def test_an_epoch_that_changed_nothing_moves_nobody_far(recorded, rows_of, random_layer):
    w = random_layer(30, 5)
    rows = rows_of("similarity", recorded(w=[w] * 4))
    moved = np.hypot(rows[3]["x"] - rows[2]["x"], rows[3]["y"] - rows[2]["y"])
    size = np.hypot(rows[3]["x"].std(), rows[3]["y"].std())
    assert np.median(moved) < 0.1 * size


def test_the_same_question_gives_the_same_picture(recorded, rows_of, random_layer):
    run = recorded(w=[random_layer(20, 5), random_layer(20, 5, seed=1)])
    one, two = rows_of("similarity", run), rows_of("similarity", run)
    assert np.array_equal(one[1]["x"], two[1]["x"])


def test_a_second_network_is_drawn_in_the_same_picture(recorded, rows_of, random_layer):
    a, b = random_layer(6, 5), random_layer(4, 5, seed=1)
    one, other = recorded("one", w=[a]), recorded("other", w=[b])
    [row] = rows_of("similarity", one, **{"with": other.id})
    assert row["labels"].tolist() == [0] * 6 + [1] * 4
    assert row["norms"] == pytest.approx(np.linalg.norm(np.vstack([a, b]), axis=1))
    assert row["group_lines"] == ["6 neurons", "4 neurons"]


def test_activations_of_two_networks_are_refused_with_a_way_out(recorded, rows_of, random_layer):
    one, other = recorded("one", w=[random_layer(4, 5)]), recorded("other", w=[random_layer(4, 5)])
    with pytest.raises(ValueError, match="Choose “weights”"):
        rows_of("similarity", one, by="activations", **{"with": other.id})


class Unlucky:
    """An evaluator whose first answer does not come; then all units' outputs are alike by .5."""

    def __init__(self) -> None:
        self.asked = 0

    def ask(self, name: str, *, path: str, **_: Any) -> Iterator[dict[str, Any]]:
        self.asked += 1
        if self.asked == 1:
            raise ValueError("The evaluator has stopped.")
        np.save(path, np.full((4, 4), 0.5) + 0.5 * np.eye(4))
        yield {"constant": []}


def test_activations_are_measured_anew_after_a_failure(recorded, random_layer):
    run = recorded(w=[random_layer(4, 5)])
    feed, evaluator = FEEDS["similarity"], Unlucky()
    memory = feed.begin(run, read_view({"run": run.id, "by": "activations"}))
    with pytest.raises(ValueError, match="has stopped"):
        feed.row(run, memory, 0, 0.0, evaluator)
    row = feed.row(run, memory, 0, 0.0, evaluator)
    # σ is the mean of D over all pairs, the units themselves included: 12 of 16 at 1/4.
    expected = np.exp(-((0.25 / (12 / 16 / 4)) ** 2))
    assert row["edge_weights"][:6] == pytest.approx(np.full(6, expected))


def test_groups_have_their_size_and_largest_norm(recorded, rows_of):
    row = rows_of("groups", recorded(w=[PAIRS]))[-1]
    wide = len(row["group_size"]) // len(CUTOFFS)
    sizes = row["group_size"].reshape(-1, wide)[at(0.5)]
    norms = row["group_norm"].reshape(-1, wide)[at(0.5)]
    assert sorted(zip(sizes[:2].tolist(), norms[:2].tolist(), strict=True)) == [(2, 2), (2, 3)]


class Outputs:
    """An evaluator in whose network the outputs of units 0 and 2 go together, and unit 3's never vary."""

    def ask(self, name: str, *, path: str, **_: Any) -> Iterator[dict[str, Any]]:
        matrix = np.eye(4)
        matrix[0, 2] = matrix[2, 0] = 1
        np.save(path, matrix)
        yield {"constant": [3]}


def test_groups_by_activations_are_those_of_the_graph(recorded, rows_of):
    run = recorded(w=[PAIRS])
    [row] = rows_of("groups", run, Outputs(), by="activations")
    wide = len(row["group_size"]) // len(CUTOFFS)
    sizes = row["group_size"].reshape(-1, wide)[at(0.5)]
    norms = row["group_norm"].reshape(-1, wide)[at(0.5)]
    # By weights it would be 0 with 1 and 2 with 3.
    lengths = np.linalg.norm(PAIRS, axis=1)
    found = sorted(zip(sizes[np.isfinite(sizes)].tolist(), norms[np.isfinite(norms)].tolist(), strict=True))
    assert found == [(1, pytest.approx(lengths[1])), (2, pytest.approx(lengths[[0, 2]].max()))]
    [graph] = rows_of("similarity", run, Outputs(), by="activations")
    assert graph["groups"][at(0.5)] == len(found)


def test_an_embedding_names_clusters_as_the_graph_does_once_the_graph_is_there(recorded, rows_of, random_layer):
    run = recorded(w=[random_layer(12, 3, seed) for seed in range(6)])

    def colours() -> list[int]:
        *_, row = rows_of("embedding", run, Places(12), emb="mds", k="4")
        return row["emb_labels"].tolist()

    before = colours()
    *_, graph = rows_of("similarity", run, k="4")
    assert colours() == graph["labels"].tolist() != before


class Places:
    """An evaluator that puts the units in a row, and remembers what it was asked."""

    def __init__(self, n_units: int = 4) -> None:
        self.n_units = n_units

    def ask(self, name: str, **asked: Any) -> Iterator[dict[str, Any]]:
        self.asked = asked
        yield {"points": [[float(i), 0.0] for i in range(self.n_units)], "step": 1, "steps": 1}


def test_an_embedding_has_the_colours_of_the_clusters_and_asks_for_what_is_compared(recorded, rows_of):
    evaluator = Places()
    *_, row = rows_of("embedding", recorded(w=[PAIRS, PAIRS[::-1]]), evaluator, emb="mds", k="2", by="activations")
    assert row["emb_x"].tolist() == [0, 1, 2, 3]
    assert row["emb_labels"][0] == row["emb_labels"][1] != row["emb_labels"][2] == row["emb_labels"][3]
    assert row["emb_said"] == "MDS of epoch 1, by activations"
    assert evaluator.asked["by"] == "activations"


def test_the_cosine_matrix_has_clusters_side_by_side(recorded, rows_of):
    shuffled = PAIRS[[0, 2, 1, 3]]
    row = rows_of("cosines", recorded(w=[shuffled]), k="2")[-1]
    matrix = row["matrix"].reshape(4, 4)
    assert matrix == pytest.approx(np.kron(np.eye(2), np.ones((2, 2))))


def test_large_matrices_are_told_in_means_of_blocks():
    assert matrix_side(320) == (320, 1)
    assert matrix_side(2048) == (293, 7)
    assert block_means(np.array([[1.0, 3, 0, 0], [5, 7, 0, np.nan], [2, 2, 8, 8], [2, 2, 8, 8]]), 2).tolist() == [
        [4, 0],
        [2, 8],
    ]


def test_the_graph_opens_where_there_are_about_two_edges_a_unit(recorded, random_layer):
    run, w = recorded(w=[random_layer(40, 6)]), random_layer(40, 6)
    feed = FEEDS["similarity"]
    chosen = feed.settled(feed.begin(run, read_view({"run": run.id})))
    upper = edge_weights(cosine_matrix(w), kernel_width(w[None].astype(float)))[np.triu_indices(40, 1)]
    assert chosen["laid"] == chosen["cut"]
    assert (upper >= chosen["cut"] + 0.01).sum() < 80 <= (upper >= chosen["cut"] - 1e-6).sum()
    # A cutoff that a link names is kept, and the slider with it.
    named = feed.settled(feed.begin(run, read_view({"run": run.id, "laid": "0.5"})))
    assert named["laid"] == 0.5 and "cut" not in named


def test_an_epoch_shown_before_its_turn_keeps_colours_and_places(recorded, random_layer):
    rng = np.random.default_rng(0)
    start, drift = random_layer(30, 8), np.kron(np.eye(3), np.ones((10, 1))) @ rng.standard_normal((3, 8))
    run = recorded(w=[start + t * drift for t in range(8)])
    feed = FEEDS["similarity"]
    memory = feed.begin(run, read_view({"run": run.id, "k": "3"}))
    first = feed.row(run, memory, 0, 0.0, None)
    ahead = feed.row(run, copy.copy(memory), 7, 7.0, None)
    rows = [first, *(feed.row(run, memory, i, float(i), None) for i in range(1, 8))]
    assert np.array_equal(ahead["labels"], rows[7]["labels"])
    moved = np.hypot(rows[7]["x"] - ahead["x"], rows[7]["y"] - ahead["y"])
    assert np.median(moved) < 0.5 * np.hypot(ahead["x"].std(), ahead["y"].std())


def test_a_unit_is_found_in_the_matrix_by_name(recorded, rows_of):
    row = rows_of("cosines", recorded(w=[PAIRS[[0, 2, 1, 3]]]), k="2")[-1]
    names, places = row["matrix_names"], row["matrix_places"]
    assert sorted(names) == [f"neuron {unit}" for unit in range(4)]
    assert places == [f"neuron {unit}" for unit in range(4)]
    assert {names[0], names[1]} in ({"neuron 0", "neuron 2"}, {"neuron 1", "neuron 3"})
