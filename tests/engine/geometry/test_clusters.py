import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.geometry import match_clusters, spherical_kmeans
from sklearn.cluster import KMeans


def same_partition(a, b):
    return ((a[:, None] == a) == (np.asarray(b)[:, None] == b)).all()


def test_finds_planted_directions(planted):
    weights, truth = planted()
    found = spherical_kmeans(weights, 4)
    assert same_partition(found.labels, truth)
    assert found.angles.mean() < 25
    np.testing.assert_allclose(np.linalg.norm(found.centers, axis=1), 1)


def test_worked_by_hand_two_pairs_of_directions():
    weights = np.array([[1.0, 0], [0, 2], [3, 0], [0, 0.1], [0, 5]])
    found = spherical_kmeans(weights, 2)
    assert found.labels.tolist() == [1, 0, 1, 0, 0]  # the largest cluster is number 0
    np.testing.assert_allclose(found.centers, [[0, 1], [1, 0]], atol=1e-12)
    np.testing.assert_allclose(found.angles, 0, atol=1e-12)
    assert found.similarity == pytest.approx(5)


def test_is_as_good_as_a_second_implementation(planted):
    """sklearn's k-means on unit vectors minimises N − Σcos up to the length of its centers."""
    rng = np.random.default_rng(1)
    weights = rng.standard_normal((60, 9))
    units = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    other = KMeans(4, n_init=20, random_state=0).fit(units)
    sums = np.stack([units[other.labels_ == j].sum(axis=0) for j in range(4)])
    assert spherical_kmeans(weights, 4, n_init=20).similarity >= np.linalg.norm(sums, axis=1).sum() * 0.995


def test_labels_are_the_nearest_center_and_centers_the_mean_direction():
    weights = np.random.default_rng(2).standard_normal((80, 12))
    found = spherical_kmeans(weights, 5)
    units = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    assert ((units @ found.centers.T).argmax(axis=1) == found.labels).all()
    for j in range(5):
        mean = units[found.labels == j].sum(axis=0)
        np.testing.assert_allclose(found.centers[j], mean / np.linalg.norm(mean), atol=1e-12)


def test_the_two_orders_of_multiplication_agree(planted):
    """Many dimensions take the Gram matrix, few the vectors: the clusters are the same."""
    weights, _ = planted(fan_in=9, noise=0.3)
    padded = np.hstack([weights, np.zeros((len(weights), 3000))])
    assert (spherical_kmeans(weights, 4).labels == spherical_kmeans(padded, 4).labels).all()


def test_the_same_seed_gives_the_same_clusters():
    weights = np.random.default_rng(3).standard_normal((50, 20))
    first, second = spherical_kmeans(weights, 4, seed=5), spherical_kmeans(weights, 4, seed=5)
    assert (first.labels == second.labels).all()
    assert (first.angles == second.angles).all()


@given(st.integers(0, 10_000))
def test_rotation_scaling_and_order_change_no_cluster(planted, rotation, seed):
    weights, _ = planted(seed=seed, noise=0.05)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(weights))
    moved = (weights @ rotation(9, seed) * rng.uniform(1e-3, 1e3, (len(weights), 1)))[order]
    before, after = spherical_kmeans(weights, 4), spherical_kmeans(moved, 4)
    assert same_partition(before.labels[order], after.labels)
    np.testing.assert_allclose(before.angles[order], after.angles, atol=1e-6)


def test_one_unit_is_its_own_cluster():
    found = spherical_kmeans([[3.0, 4.0]], 1)
    np.testing.assert_allclose(found.centers, [[0.6, 0.8]])
    assert found.angles.tolist() == [0]


def test_on_a_line_there_are_two_directions():
    found = spherical_kmeans([[1.0], [-2.0], [5.0]], 2)
    assert found.labels.tolist() == [0, 1, 0]
    assert found.centers.tolist() == [[1], [-1]]


def test_identical_units_fill_one_cluster_and_the_empty_one_has_a_center():
    found = spherical_kmeans(np.tile([1.0, 2, 3], (6, 1)), 3)
    assert found.labels.tolist() == [0] * 6
    np.testing.assert_allclose(found.angles, 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found.centers, axis=1), 1)


def test_members_that_cancel_keep_the_first_as_center():
    found = spherical_kmeans([[1.0, 0], [-1, 0]], 1)
    assert found.centers.tolist() == [[1, 0]]
    np.testing.assert_allclose(found.angles, [0, 180])


def test_as_many_clusters_as_units_leaves_no_angle():
    weights = np.random.default_rng(0).standard_normal((7, 5))
    np.testing.assert_allclose(spherical_kmeans(weights, 7, n_init=30).angles, 0, atol=1e-6)


def test_tiny_and_huge_norms_have_the_same_direction():
    found = spherical_kmeans([[1e-200, 1e-200], [1e200, 1e200], [5e-324, 0]], 2)
    assert found.labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("weights", "k", "message"),
    [
        ([[1.0, 0], [0, 0]], 1, r"rows \[1\] have norm 0"),
        ([[1.0, np.nan], [0, 1]], 1, r"rows \[0\] hold nan"),
        ([[1.0, np.inf], [0, 1]], 1, r"rows \[0\] hold nan or inf"),
        ([[1.0, 0]], 2, "n_clusters: 2 for 1 units"),
        ([[1.0, 0]], 0, "n_clusters: 0"),
        ([1.0, 0], 1, r"shape \(2,\)"),
        (np.empty((0, 3)), 1, r"shape \(0, 3\)"),
    ],
)
def test_impossible_input_is_named(weights, k, message):
    with pytest.raises(ValueError, match=message):
        spherical_kmeans(weights, k)


def test_matching_gives_new_clusters_their_old_names():
    names = match_clusters([0, 0, 1, 1, 2], [2, 2, 0, 0, 1])
    assert names.tolist() == [1, 2, 0]
    assert names[[2, 2, 0, 0, 1]].tolist() == [0, 0, 1, 1, 2]


def test_matching_maximises_the_shared_units_over_all_permutations():
    from itertools import permutations

    rng = np.random.default_rng(0)
    before, after = rng.integers(4, size=40), rng.integers(4, size=40)
    shared = max((np.array(p)[after] == before).sum() for p in permutations(range(4)))
    assert (match_clusters(before, after)[after] == before).sum() == shared


def test_matching_breaks_ties_by_the_centers():
    axes = np.eye(2)
    assert match_clusters([0, 1], [0, 0], axes, axes[::-1]).tolist()[0] in (0, 1)
    assert match_clusters([-1, -1], [0, 1], axes, axes[::-1]).tolist() == [1, 0]


def test_a_new_cluster_takes_a_free_number_and_ignored_units_match_nothing():
    assert match_clusters([0, 0, -1], [1, 1, 0]).tolist() == [1, 0]
    assert match_clusters([0, 0, 1], [0, 1, 2]).tolist() in ([0, 2, 1], [2, 0, 1])


@given(st.integers(2, 6), st.integers(0, 10_000))
def test_matching_undoes_any_renumbering(k, seed):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), rng.integers(k, size=20)])
    renumbered = rng.permutation(k)[labels]
    assert (match_clusters(labels, renumbered)[renumbered] == labels).all()


def test_matching_refuses_different_units():
    with pytest.raises(ValueError, match="same units"):
        match_clusters([0, 1], [0, 1, 1])
