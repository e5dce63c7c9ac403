"""Acceptance check 4: the nulls of science section 2."""

import math

import numpy as np
import pytest
from prunescope.engine.geometry import (
    angle_null,
    expected_frame_potential,
    frame_potential,
    marchenko_pastur,
    random_angle_density,
    singular_values,
)

MEAN_ANGLES = {
    (120, 9): 58.9,
    (120, 25): 68.4,
    (120, 64): 73.6,
    (120, 784): 78.8,
    (300, 9): 61.1,
    (300, 25): 71.3,
    (300, 64): 76.5,
    (300, 784): 82.5,
}


@pytest.mark.parametrize(("n_units", "fan_in"), MEAN_ANGLES)
def test_mean_angle_of_four_clusters_in_noise(n_units, fan_in):
    null = angle_null(n_units, fan_in, 4)
    assert null.mean == pytest.approx(MEAN_ANGLES[n_units, fan_in], abs=1.5)


@pytest.mark.parametrize(("fan_in", "sd"), [(9, 20.2), (25, 11.7), (64, 7.2), (784, 2.06)])
def test_spread_of_the_angle_of_two_random_directions(fan_in, sd):
    theta = np.linspace(0, 180, 100_001)
    density = random_angle_density(theta, fan_in)
    assert math.sqrt(np.trapezoid((theta - 90) ** 2 * density, theta)) == pytest.approx(sd, abs=1.5)


@pytest.mark.parametrize(("n_units", "fan_in"), [(120, 9), (300, 64), (64, 576)])
def test_frame_potential_of_random_directions(n_units, fan_in):
    rng = np.random.default_rng(0)
    mean = np.mean([frame_potential(rng.standard_normal((n_units, fan_in))) for _ in range(30)])
    assert mean == pytest.approx(expected_frame_potential(n_units, fan_in), rel=0.01)


@pytest.mark.parametrize(("n_units", "fan_in"), [(300, 784), (512, 576)])
def test_largest_eigenvalue_of_noise(n_units, fan_in):
    weights = 0.05 * np.random.default_rng(0).standard_normal((n_units, fan_in))
    upper = marchenko_pastur([], n_units, fan_in, 0.05).upper
    assert upper == pytest.approx(0.05**2 * n_units * (1 + math.sqrt(fan_in / n_units)) ** 2)
    assert singular_values(weights)[0] ** 2 == pytest.approx(upper, rel=0.05)
