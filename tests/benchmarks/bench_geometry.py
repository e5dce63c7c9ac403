"""Time of each geometric quantity for a 512×4608 layer over 100 epochs, and for one new epoch.

    python tests/benchmarks/bench_geometry.py [--units 512] [--fan-in 4608] [--epochs 100]

Quantities of a single epoch are timed on a few epochs and multiplied; the column says so. CPU time
stands beside wall time because the machine may be shared.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from prunescope.engine import geometry as g


def trajectory(epochs: int, units: int, fan_in: int) -> np.ndarray:
    """Weights that drift from random ones along a few shared directions, float32 as the store reads them."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal((units, fan_in), dtype=np.float32)
    drift = (rng.standard_normal((units, 6)) @ rng.standard_normal((6, fan_in))).astype(np.float32)
    return np.stack([start + 0.5 * np.sqrt(t) * drift for t in np.linspace(0, 1, epochs, dtype=np.float32)])


def timed(action: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--fan-in", type=int, default=4608)
    parser.add_argument("--epochs", type=int, default=100)
    options = parser.parse_args()
    array = trajectory(options.epochs, options.units, options.fan_in)
    first, last = array[0], array[-1]
    cosines = g.cosine_matrix(last)
    width = g.kernel_width(array[-1:])
    adjacency = g.edge_weights(cosines, width)
    labels = g.spherical_kmeans(last, 4).labels
    basis = g.project_trajectory(array[-2:], 2, "last")
    values = g.singular_values(last)
    subspace = g.trained_subspace(last, 20)
    positions = g.force_layout(adjacency, 0.5)
    norms = g.unit_norms(last)

    whole = {
        "trajectories, basis all": lambda: g.project_trajectory(array),
        "trajectories, basis last": lambda: g.project_trajectory(array, basis="last"),
        "kernel width of the graph": lambda: g.kernel_width(array),
        "norm histograms": lambda: g.norm_histograms(array),
        "residuals to the subspace": lambda: g.subspace_residuals(array, subspace),
        "null of the angles, 20 draws": lambda: g.angle_null(options.units, options.fan_in, 4),
    }
    single = {
        "angles to 4 centers": lambda: g.angle_distribution(last, 4),
        "cluster matching": lambda: g.match_clusters(labels, labels[::-1]),
        "projection into the basis": lambda: g.project_onto(basis, last),
        "frame metrics": lambda: g.frame_summary(last),
        "leave-one-out": lambda: g.leave_one_out(last),
        "cosine matrix by cluster": lambda: g.ordered_cosines(last, labels),
        "graph: edge weights": lambda: g.edge_weights(g.cosine_matrix(last), width),
        "graph: weight distribution": lambda: g.edge_weight_distribution(adjacency, width),
        "graph: components, all cutoffs": lambda: g.component_curve(adjacency),
        "graph: components, one cutoff": lambda: g.components(adjacency, 0.5, norms),
        "graph: layout from the last": lambda: g.force_layout(adjacency, 0.5, positions),
        "norm, cosine to init": lambda: g.compare_to_init(first, last),
        "singular values, law of noise": lambda: g.spectral_density(last),
        "ranks and knee": lambda: (g.effective_rank(values), g.reconstruction_error(values)),
        "selected split": lambda: g.selected_split(last, float(np.median(norms))),
        "top-norm statistics": lambda: g.top_norm_statistics(last, subspace, 50),
        "principal angles": lambda: g.principal_angles(first, last, 20),
        "joint SVD": lambda: g.joint_svd(first, last),
        "low-rank layer": lambda: g.low_rank(last, 20),
        "race": lambda: (g.alignment_race(first, last, last[:, :10]), g.direction_clusters(last)),
    }
    shape = f"{options.units}×{options.fan_in}"
    print(f"{shape}, {options.epochs} epochs, {array.nbytes / 2**30:.2f} GiB; seconds of wall (CPU)\n")
    print(f"{'over all epochs at once':34}{'all':>18}")
    for name, action in whole.items():
        wall, cpu = timed(action)
        print(f"{name:34}{wall:9.2f} ({cpu:6.2f})")
    print(f"\n{'epoch by epoch':34}{'one new epoch':>18}{f'× {options.epochs}':>10}")
    for name, action in single.items():
        action()  # scipy's parts load on first use
        runs = [timed(action) for _ in range(3)]
        wall, cpu = min(runs)
        print(f"{name:34}{wall:9.4f} ({cpu:6.4f}){wall * options.epochs:10.2f}")


if __name__ == "__main__":
    main()
