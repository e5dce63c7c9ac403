"""The geometry of weight vectors: pure functions on arrays, each returning a named result.

Nothing here knows of torch, disks or clocks. Only numpy loads with this package; scipy's parts
load where they are used, because the dashboard imports this before its first answer.
"""

from prunescope.engine.geometry.angles import (
    NORMALISATIONS,
    AngleDistribution,
    angle_distribution,
    angles_to_centers,
)
from prunescope.engine.geometry.clusters import SphericalClusters, match_clusters, spherical_kmeans
from prunescope.engine.geometry.nulls import (
    AngleNull,
    MarchenkoPastur,
    WeightedNull,
    angle_null,
    expected_frame_potential,
    marchenko_pastur,
    random_angle_density,
    weighted_null,
    z_score,
)
from prunescope.engine.geometry.trajectories import (
    PrincipalBasis,
    TrajectoryProjection,
    principal_basis,
    project_onto,
    project_trajectory,
)

__all__ = [
    "NORMALISATIONS",
    "AngleDistribution",
    "AngleNull",
    "MarchenkoPastur",
    "PrincipalBasis",
    "SphericalClusters",
    "TrajectoryProjection",
    "WeightedNull",
    "angle_distribution",
    "angle_null",
    "angles_to_centers",
    "expected_frame_potential",
    "marchenko_pastur",
    "match_clusters",
    "principal_basis",
    "project_onto",
    "project_trajectory",
    "random_angle_density",
    "spherical_kmeans",
    "weighted_null",
    "z_score",
]
