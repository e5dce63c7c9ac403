import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.geometry import neural_collapse


def simplex(n_classes):
    return np.eye(n_classes) - 1 / n_classes


def test_full_collapse_is_zero_in_every_measure():
    labels = np.repeat(np.arange(4), 5)
    found = neural_collapse(simplex(4)[labels] + 7, labels, 3 * simplex(4), -3 * simplex(4) @ np.full(4, 7.0))
    np.testing.assert_allclose(found, 0, atol=1e-10)


def test_agrees_with_the_authors_definitions_written_out():
    rng = np.random.default_rng(0)
    n_classes, n_features = 4, 6
    labels = np.concatenate([np.arange(4), rng.integers(4, size=40)])
    features = rng.standard_normal((44, n_features)) + 2 * rng.standard_normal((4, n_features))[labels]
    classifier, bias = rng.standard_normal((4, n_features)), rng.standard_normal(4)
    found = neural_collapse(features, labels, classifier, bias)
    means = np.stack([features[labels == c].mean(axis=0) for c in range(4)])
    centered = means - means.mean(axis=0)
    within = sum(np.outer(x - means[c], x - means[c]) for x, c in zip(features, labels, strict=True)) / 44
    between = centered.T @ centered / n_classes
    assert found.nc1 == pytest.approx(np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / n_classes)
    lengths = np.linalg.norm(centered, axis=1)
    assert found.nc2_means == pytest.approx(lengths.std() / lengths.mean())
    cosines = [centered[a] @ centered[b] / lengths[a] / lengths[b] + 1 / 3 for a in range(4) for b in range(a + 1, 4)]
    assert found.nc2_angles_means == pytest.approx(np.mean(np.abs(cosines)))
    gap = classifier / np.linalg.norm(classifier) - centered / np.linalg.norm(centered)
    assert found.nc3 == pytest.approx((gap**2).sum())
    nearest = [np.linalg.norm(x - means, axis=1).argmin() for x in features]
    assert found.nc4 == pytest.approx(np.mean(nearest != (features @ classifier.T + bias).argmax(axis=1)))


@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_rotation_scaling_and_order_change_no_measure(rotation, seed, factor):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(3), rng.integers(3, size=20)])
    features, classifier = rng.standard_normal((23, 5)), rng.standard_normal((3, 5))
    order, q = rng.permutation(23), rotation(5, seed)
    before = neural_collapse(features, labels, classifier)
    after = neural_collapse((factor * features @ q)[order], labels[order], factor * classifier @ q)
    np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-9)


def test_what_has_no_denominator_is_not_a_number():
    found = neural_collapse(np.ones((4, 2)), [0, 0, 1, 1], np.zeros((2, 2)))
    assert all(math.isnan(value) for value in found[:6])


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 0, 0], r"without classes \[1\]"), ([0, 1, 2], "from 0 to 2"), ([0, 1], "shapes")],
)
def test_labels_must_be_every_class(labels, message):
    with pytest.raises(ValueError, match=message):
        neural_collapse(np.ones((3, 2)), labels, np.eye(2))
