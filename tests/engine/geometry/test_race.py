import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.geometry import alignment_race, direction_clusters
from scipy.stats import spearmanr


def test_worked_by_hand_the_early_aligned_grow():
    early = [[1.0, 0], [1, 1], [0, 1]]
    final = [[5.0, 0], [2, 0], [1, 0]]
    found = alignment_race(early, final, [[2.0], [1], [1]])
    np.testing.assert_allclose(found.alignment, [1, np.sqrt(0.5), 0], atol=1e-12)
    np.testing.assert_allclose(found.strength, [10, 2, 1])
    assert found.norms.tolist() == [5, 2, 1]
    assert found.spearman == pytest.approx(1)


def test_spearman_is_that_of_scipy_and_targets_replace_the_final_direction():
    rng = np.random.default_rng(0)
    early, final, targets = rng.standard_normal((3, 20, 5))
    outgoing = rng.standard_normal((20, 3))
    found = alignment_race(early, final, outgoing, targets)
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(early, targets, strict=True)]
    np.testing.assert_allclose(found.alignment, cosines)
    expected = spearmanr(cosines, np.linalg.norm(final, axis=1) * np.linalg.norm(outgoing, axis=1))
    assert (found.spearman, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))


def test_too_few_or_equal_neurons_have_no_rank_correlation():
    assert np.isnan(alignment_race(np.eye(2), np.eye(2), np.ones((2, 1))).spearman)
    assert np.isnan(alignment_race(np.eye(4), np.eye(4), np.ones((4, 1))).spearman)


def test_outgoing_weights_need_a_row_for_each_unit():
    with pytest.raises(ValueError, match="one row of outgoing weights for each unit"):
        alignment_race(np.eye(3), np.eye(3), np.ones((2, 3)))


def test_clusters_worked_by_hand():
    weights = [[1.0, 0], [5, 0.1], [0, 1], [-1, 0], [0, 2]]
    labels = direction_clusters(weights)
    assert labels.tolist() == [0, 0, 1, 2, 1]
    assert direction_clusters([[2.0, 1]]).tolist() == [0]


@given(st.integers(0, 10_000))
def test_rotation_and_scaling_change_no_cluster(planted, rotation, seed):
    weights, _ = planted(noise=0.02, seed=seed)
    assert (direction_clusters(weights @ rotation(9, seed) * 3, 0.9) == direction_clusters(weights, 0.9)).all()
