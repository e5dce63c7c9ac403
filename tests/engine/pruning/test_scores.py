import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from prunescope.engine.pruning import CRITERIA, PruningError, rank_weights
from prunescope.engine.pruning.scores import unit_quantities

WEIGHTS_ONLY = [name for name, criterion in CRITERIA.items() if criterion.weights_only]
GREEDY = [name for name, criterion in CRITERIA.items() if criterion.greedy]
# Small whole numbers: sums of products are exact, so ties are ties for every way to add them up.
small = arrays(np.int64, st.tuples(st.integers(1, 9), st.integers(1, 5)), elements=st.integers(-3, 3))


def naive_greedy(weights: np.ndarray, squared: bool, largest: bool) -> list[int]:
    """Form the whole sum anew for each candidate."""
    left, order = list(range(len(weights))), []

    def total(units):
        gram = weights[units] @ weights[units].T
        return (gram**2).sum() if squared else np.abs(gram).sum()

    while left:
        drops = [total(left) - total([j for j in left if j != i]) for i in left]
        place = int(np.argmax(drops) if largest else np.argmin(drops))
        order.append(left.pop(place))
    return order


def test_norms_by_hand():
    weights = [[3.0, 4.0], [0.0, -6.0], [1.0, 1.0]]
    assert unit_quantities(weights, "l2").tolist() == pytest.approx([5, 6, 2**0.5])
    assert unit_quantities(weights, "l1").tolist() == [7, 6, 2]
    assert rank_weights(weights, "l2").tolist() == [2, 0, 1]
    assert rank_weights(weights, "l1").tolist() == [2, 1, 0]
    assert rank_weights(weights, "l2:largest").tolist() == [1, 0, 2]


def test_lamp_by_hand():
    # Squares 1, 4, 5: each over the sum of those not smaller.
    assert unit_quantities([[2.0, 0.0], [1.0, 0.0], [1.0, 2.0]], "lamp").tolist() == pytest.approx(
        [4 / 9, 0.1, 1]
    )


def test_fpgm_is_the_summed_distance():
    weights = np.random.default_rng(0).normal(size=(7, 4))
    by_hand = [sum(np.linalg.norm(a - b) for b in weights) for a in weights]
    np.testing.assert_allclose(unit_quantities(weights, "fpgm"), by_hand)


def test_moved_is_the_distance_from_the_start():
    weights = [[1.0, 0.0], [5.0, 5.0]]
    assert rank_weights(weights, "moved", initial=[[1.0, 2.0], [5.0, 4.0]]).tolist() == [1, 0]


@given(small, st.booleans())
@settings(deadline=None, max_examples=60)
def test_raw_greedy_orders_equal_the_naive_ones(weights, largest):
    direction = ":largest" if largest else ""
    weights = weights.astype(float)
    for base, squared in (("frame-potential-raw", True), ("inner-product-raw", False)):
        assert rank_weights(weights, base + direction).tolist() == naive_greedy(weights, squared, largest)


@pytest.mark.parametrize("largest", [False, True])
def test_normalised_greedy_orders_equal_the_naive_ones(largest):
    weights = np.random.default_rng(3).normal(size=(30, 12))
    directions = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    direction = ":largest" if largest else ""
    for base, squared in (("frame-potential", True), ("inner-product", False)):
        assert rank_weights(weights, base + direction).tolist() == naive_greedy(directions, squared, largest)


def test_frame_potential_removes_a_duplicate_first_when_the_most_alike_go_first():
    weights = np.eye(5)
    weights[4] = weights[1]
    assert rank_weights(weights, "frame-potential:largest")[0] == 1
    assert set(rank_weights(weights, "frame-potential")[-2:]) == {1, 4}


def test_one_per_cluster_keeps_one_of_each_bundle_to_the_end():
    generator = np.random.default_rng(0)
    bundles = np.repeat(np.eye(3, 20), 5, axis=0)
    weights = bundles + 0.02 * generator.normal(size=bundles.shape)
    order = rank_weights(weights, "one-per-cluster", n_clusters=3)
    assert sorted(order[-3:] // 5) == [0, 1, 2]
    assert sorted(rank_weights(weights, "one-per-cluster:smallest", n_clusters=3)[:3] // 5) == [0, 1, 2]


def test_the_unit_farthest_from_every_center_goes_first():
    weights = np.concatenate([np.tile([[1.0, 0.0, 0.0]], (4, 1)), np.tile([[0.0, 1.0, 0.0]], (4, 1))])
    weights[2] = [0.8, 0.0, 0.6]
    assert rank_weights(weights, "center-angle", n_clusters=2)[0] == 2


def test_a_unit_of_norm_zero_is_ranked_like_any_other():
    weights = np.random.default_rng(0).normal(size=(6, 3))
    weights[4] = 0
    for name in WEIGHTS_ONLY:
        assert sorted(rank_weights(weights, name, initial=weights * 0)) == list(range(6))
    assert rank_weights(weights, "center-angle")[0] == 4


@given(small)
@settings(deadline=None, max_examples=40)
def test_every_order_names_each_unit_once_and_is_repeatable(weights):
    for name in WEIGHTS_ONLY:
        order = rank_weights(weights, name, initial=weights * 0, n_clusters=2, seed=1)
        assert sorted(order) == list(range(len(weights)))
        assert (
            order.tolist() == rank_weights(weights, name, initial=weights * 0, n_clusters=2, seed=1).tolist()
        )


# Equal units have unequal places in their cluster, and unequal LAMP scores, by definition.
@pytest.mark.parametrize(
    "name", [n for n in WEIGHTS_ONLY if CRITERIA[n].base not in ("random", "lamp", "one-per-cluster")]
)
def test_equal_units_go_in_the_order_of_their_index(name):
    order = rank_weights(np.ones((6, 2)), name, initial=np.zeros((6, 2)), n_clusters=2)
    assert order.tolist() == list(range(6))


def test_seeds_give_different_random_orders():
    weights = np.ones((50, 2))
    assert (
        rank_weights(weights, "random", seed=0).tolist() != rank_weights(weights, "random", seed=1).tolist()
    )


def test_a_layer_of_4096_units_is_ranked():
    weights = np.random.default_rng(0).normal(size=(4096, 32))
    assert sorted(rank_weights(weights, "frame-potential:largest")) == list(range(4096))


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([1.0, 2.0], r"shape \(2,\), expected \(units, fan_in\)"),
        (np.zeros((0, 3)), "neither of them 0"),
        ([[1.0], [np.nan]], r"units \[1\] hold nan or infinity"),
    ],
)
def test_bad_weights_are_named(weights, said):
    with pytest.raises(PruningError, match=said):
        rank_weights(weights)


def test_what_is_missing_is_named():
    with pytest.raises(PruningError, match=r"pass initial="):
        rank_weights([[1.0]], "moved")
    with pytest.raises(PruningError, match=r"initial: shape \(2, 1\), but the weights are \(1, 1\)"):
        rank_weights([[1.0]], "moved", initial=[[1.0], [2.0]])
    with pytest.raises(PruningError, match=r"needs weights, model, inputs, targets, gradients.*rank_units"):
        rank_weights([[1.0]], "taylor")
    with pytest.raises(PruningError, match="n_clusters: 0"):
        rank_weights([[1.0]], "center-angle", n_clusters=0)
