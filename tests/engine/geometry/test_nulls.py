import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunescope.engine.geometry import (
    angle_null,
    expected_frame_potential,
    marchenko_pastur,
    random_angle_density,
    spherical_kmeans,
    weighted_null,
    z_score,
)
from prunescope.engine.geometry.nulls import random_directions


def test_the_null_is_k_means_on_random_directions():
    """A slow second implementation, through the public functions only."""
    rng = np.random.default_rng(9)
    slow = [spherical_kmeans(rng.standard_normal((40, 60)), 3).angles.mean() for _ in range(20)]
    null = angle_null(40, 60, 3)
    assert null.mean == pytest.approx(np.mean(slow), abs=4 * null.sd / math.sqrt(10))
    assert null.angles.shape == (20, 40)
    assert null.sd == pytest.approx(null.angles.mean(axis=1).std(ddof=1))


def test_fewer_dimensions_carry_the_same_gram_matrix():
    """Bartlett in N dimensions against plain draws in d: mean and variance of a cosine, 0 and 1/d."""
    rng = np.random.default_rng(0)
    draws = [random_directions(4, 50, rng) for _ in range(4000)]
    assert draws[0].shape == (4, 4)
    cosines = np.array([(d @ d.T)[np.triu_indices(4, 1)] for d in draws])
    np.testing.assert_allclose(cosines.mean(axis=0), 0, atol=4 / math.sqrt(50 * 4000))
    np.testing.assert_allclose(cosines.var(axis=0), 1 / 50, rtol=0.1)


def test_as_many_clusters_as_units_leave_no_angle_by_chance():
    null = angle_null(5, 20, 5, n_init=30)
    assert null.mean == pytest.approx(0, abs=1e-5)
    assert math.isnan(z_score(null.mean, null))


def test_one_unit_and_one_dimension_are_defined():
    assert angle_null(1, 10, 1).mean == pytest.approx(0, abs=1e-6)
    assert angle_null(10, 1, 2).mean == pytest.approx(0, abs=1e-6)


def test_equal_norms_change_nothing():
    null = angle_null(30, 9, 4)
    weighted = weighted_null(null, np.ones(30))
    assert weighted.mean == null.mean
    assert weighted.sd == pytest.approx(null.sd)


def test_the_weighted_sd_is_that_of_shuffled_norms():
    null = angle_null(30, 9, 4, draws=200)
    rng = np.random.default_rng(0)
    norms = rng.lognormal(0, 1.5, 30)
    means = [a @ rng.permutation(norms) / norms.sum() for a in null.angles for _ in range(50)]
    assert weighted_null(null, norms).sd == pytest.approx(np.std(means), rel=0.05)


def test_one_heavy_unit_has_the_spread_of_a_single_angle():
    null = angle_null(30, 9, 4)
    norms = np.zeros(30)
    norms[3] = 1
    assert weighted_null(null, norms).sd == pytest.approx(null.angles.std(), rel=0.05)


@pytest.mark.parametrize("norms", [np.ones(3), np.zeros(30), -np.ones(30), np.full(30, np.nan)])
def test_impossible_norms_are_refused(norms):
    with pytest.raises(ValueError, match="norms: "):
        weighted_null(angle_null(30, 9, 4, draws=2), norms)


def test_z_is_the_distance_in_standard_deviations():
    null = angle_null(30, 9, 4)
    assert z_score(null.mean - 3 * null.sd, null) == pytest.approx(-3)


def test_a_right_angle_by_chance_has_mean_90_and_sd_of_about_57_over_root_d():
    theta = np.linspace(0, 180, 20_001)
    # Measured sds of science: d = 9 20.2°, 25 11.7°, 64 7.2°, 784 2.06°
    for fan_in, sd in {9: 20.2, 25: 11.7, 64: 7.2, 784: 2.06}.items():
        density = random_angle_density(theta, fan_in)
        assert np.trapezoid(density, theta) == pytest.approx(1, rel=1e-6)
        assert np.trapezoid(theta * density, theta) == pytest.approx(90)
        spread = math.sqrt(np.trapezoid((theta - 90) ** 2 * density, theta))
        assert spread == pytest.approx(sd, rel=0.02)


def test_in_the_plane_all_angles_are_equally_likely():
    np.testing.assert_allclose(random_angle_density([-1, 0, 50, 180, 181], 2), [0, 1 / 180, 1 / 180, 1 / 180, 0])


def test_on_a_line_the_density_is_refused():
    with pytest.raises(ValueError, match="on a line"):
        random_angle_density([90.0], 1)


def test_expected_frame_potential_worked_by_hand():
    assert expected_frame_potential(1, 7) == 1
    assert expected_frame_potential(4, 3) == 4 + 12 / 3


@given(st.integers(1, 400), st.integers(1, 400), st.floats(0.01, 100))
def test_marchenko_pastur_integrates_to_one_between_its_edges(n_units, fan_in, scale):
    law = marchenko_pastur([], n_units, fan_in, scale)
    # x = middle − half·cos φ takes the square-root singularities out of the quadrature.
    phi = np.linspace(0, math.pi, 200_001)[1:-1]
    half, middle = (law.upper - law.lower) / 2, (law.upper + law.lower) / 2
    density = marchenko_pastur(middle - half * np.cos(phi), n_units, fan_in, scale).density
    assert np.trapezoid(density * half * np.sin(phi), phi) == pytest.approx(1, abs=0.01)


def test_noise_fills_the_law_and_its_upper_edge_is_the_formula_of_the_literature():
    n_units, fan_in, scale = 300, 784, 0.1
    weights = scale * np.random.default_rng(0).standard_normal((n_units, fan_in))
    eigenvalues = np.linalg.eigvalsh(weights @ weights.T)
    law = marchenko_pastur(eigenvalues, n_units, fan_in, scale)
    assert law.upper == pytest.approx(scale**2 * n_units * (1 + math.sqrt(fan_in / n_units)) ** 2)
    assert eigenvalues.max() == pytest.approx(law.upper, rel=0.05)
    assert eigenvalues.min() == pytest.approx(law.lower, rel=0.05)


def test_impossible_shapes_are_refused():
    with pytest.raises(ValueError, match="scale"):
        marchenko_pastur([1.0], 3, 3, 0)
    with pytest.raises(ValueError, match="draws"):
        angle_null(3, 3, 1, draws=1)
    with pytest.raises(ValueError, match="n_clusters: 4 for 3 units"):
        angle_null(3, 3, 4)
