import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.geometry import NORMALISATIONS, angle_distribution, angles_to_centers


def test_worked_by_hand_angles_to_the_nearest_center():
    weights = [[1.0, 0], [1, 1], [0, 3], [-1, 0]]
    np.testing.assert_allclose(angles_to_centers(weights, [[2.0, 0], [0, 1]]), [0, 45, 0, 90], atol=1e-12)


def test_tiny_angles_keep_their_digits():
    """arccos would return 0 here: cos(1e-9) is 1 in float64."""
    assert angles_to_centers([[1.0, 1e-9]], [[1.0, 0]])[0] == pytest.approx(np.degrees(1e-9), rel=1e-6)


def test_random_directions_meet_at_right_angles_with_variance_one_over_d():
    rng = np.random.default_rng(0)
    angles = angles_to_centers(rng.standard_normal((20_000, 64)), rng.standard_normal((1, 64)))
    assert angles.mean() == pytest.approx(90, abs=0.2)
    assert np.cos(np.radians(angles)).var() == pytest.approx(1 / 64, rel=0.05)


@given(st.integers(0, 10_000))
def test_positive_scaling_and_rotation_change_no_angle(rotation, seed):
    rng = np.random.default_rng(seed)
    weights, centers = rng.standard_normal((10, 6)), rng.standard_normal((3, 6))
    q = rotation(6, seed)
    scaled = weights * rng.uniform(1e-3, 1e3, (10, 1))
    np.testing.assert_allclose(
        angles_to_centers(scaled @ q, 7 * centers @ q), angles_to_centers(weights, centers), atol=1e-9
    )


def test_fan_ins_must_agree():
    with pytest.raises(ValueError, match="fan-in 3, the weights have 2"):
        angles_to_centers([[1.0, 0]], [[1.0, 0, 0]])


def test_equal_weighting_is_the_plain_mean(planted):
    weights, _ = planted()
    found = angle_distribution(weights, 4)
    assert found.mean == pytest.approx(found.angles.mean())
    assert found.kept.all()
    assert found.dimensions == 9


def test_norm_weighting_follows_the_norms_of_the_given_weights(planted):
    weights, _ = planted()
    found = angle_distribution(weights, 4, weighting="norm")
    norms = np.linalg.norm(weights, axis=1)
    np.testing.assert_allclose(found.weights, norms / norms.sum())
    assert found.mean == pytest.approx((norms * found.angles).sum() / norms.sum())


def test_units_below_the_percentile_are_ignored_in_everything():
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((10, 5))
    weights *= (np.arange(1, 11) / np.linalg.norm(weights, axis=1))[:, None]
    found = angle_distribution(weights, 2, norm_threshold_percentile=50)
    assert found.kept.tolist() == [False] * 5 + [True] * 5
    assert (found.labels[:5] == -1).all()
    assert np.isnan(found.angles[:5]).all()
    assert found.weights[:5].tolist() == [0] * 5
    alone = angle_distribution(weights[5:], 2)
    assert found.mean == pytest.approx(alone.mean)


def test_pruned_units_are_ignored_without_being_asked():
    weights = np.vstack([np.eye(3), np.zeros((2, 3))])
    found = angle_distribution(weights, 3)
    assert found.kept.tolist() == [True] * 3 + [False] * 2


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_every_normalisation_gives_angles(planted, normalisation):
    weights, _ = planted()
    found = angle_distribution(weights, 4, normalisation=normalisation)
    assert np.isfinite(found.angles).all()
    assert found.weights.sum() == pytest.approx(1)


def test_zero_mean_ignores_a_filters_brightness_and_constant_filters():
    rng = np.random.default_rng(0)
    weights = np.vstack([rng.standard_normal((20, 9)), np.full((1, 9), 0.3)])
    found = angle_distribution(weights, 3, normalisation="zero-mean")
    brighter = angle_distribution(weights + 5, 3, normalisation="zero-mean")
    assert not found.kept[-1]
    np.testing.assert_allclose(found.angles, brighter.angles, atol=1e-6)
    assert found.dimensions == 8  # sums to 0: one dimension fewer for the null


def test_too_few_units_says_how_many_are_left():
    with pytest.raises(ValueError, match=r"1 of 3 units .* fewer than the 2 clusters"):
        angle_distribution([[1.0, 0], [0, 0], [0, 0]], 2)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"normalisation": "whiten"}, "'whiten', expected one of none"),
        ({"weighting": "area"}, "'area', expected one of equal, norm"),
        ({"norm_threshold_percentile": 101}, "101, expected a percentage"),
        ({"norm_threshold_percentile": float("nan")}, "nan, expected a percentage"),
    ],
)
def test_unknown_settings_are_named(setting, message):
    with pytest.raises(ValueError, match=message):
        angle_distribution(np.eye(4), 2, **setting)
