"""Time of each geometric quantity for a 512×4608 layer over 100 epochs, and for one new epoch.

    python tests/benchmarks/bench_geometry.py [--units 512] [--fan-in 4608] [--epochs 100] [--pages-only]

First the pages, as the dashboard answers them: when the epoch on screen is there, when all epochs are, what one
new epoch costs, and what asking again costs. Then the shared product against the obvious way. Then every
function alone; those of a single epoch are timed on a few epochs and multiplied, the column says so. CPU time
stands beside wall time because the machine may be shared. BLAS has one thread, as in the server.
"""

import argparse
import importlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import threadpoolctl
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds import FEEDS
from prunescope.app.feeds.layers import RECENT
from prunescope.app.rows import RowServer
from prunescope.app.state import read_view
from prunescope.engine import geometry as g
from prunescope.engine.store import LayerInfo, RunWriter, Store

PAGES = ("similarity", "structure", "frames", "spectrum")
ANSWERS = ("groups", "cosines", "pair")


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


def pages(array: np.ndarray) -> None:
    """Each feed of the geometry pages, asked for as a browser does."""
    _, units, fan_in = array.shape
    heads = ("epoch on screen", "all epochs", "one new", "asked again")
    print(f"{'wall (CPU), s':16}" + "".join(f"{head:>18}" for head in heads))
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        run_id = store.create_run({}, name="wide", kind="record")
        with store.writer(run_id) as writer:
            layer = LayerInfo(name="conv", kind="linear", units=units, fan_in=fan_in, shape=(units, fan_in))
            writer.declare([layer], total_epochs=len(array) + len(PAGES))
            for epoch, weights in enumerate(array):
                writer.commit(float(epoch), {"conv.weight": weights}, {"val/accuracy": 0.5})
            for name in PAGES:
                _page(name, store, run_id, writer, array[-1])
            for name in ANSWERS:
                _answer(name, store, run_id)
    print()


def _page(name: str, store: Store, run_id: str, writer: RunWriter, weights: np.ndarray) -> None:
    # A server of its own, and nothing read before: nobody else has looked at this layer yet.
    RECENT.clear()
    server, run, view = RowServer(store, Evaluator(store.root)), store.run(run_id), read_view({"run": run_id})
    begun, used = time.perf_counter(), time.thread_time()
    first = first_cpu = None
    for frame in server.frames(name, run, view, 0, "light"):
        if first is None and b'"ahead":true' in frame[:200_000]:
            first, first_cpu = time.perf_counter() - begun, time.thread_time() - used
    whole, whole_cpu = time.perf_counter() - begun, time.thread_time() - used
    settled = view | FEEDS[name].settled(server.computed(name, run, view).memory)
    held = len(run.epochs)
    writer.commit(float(run.epochs[-1] + 1), {"conv.weight": weights}, {"val/accuracy": 0.5})
    new, new_cpu = timed(lambda: list(server.frames(name, store.run(run_id), settled, held, "")))
    again, again_cpu = timed(lambda: list(server.frames(name, store.run(run_id), settled, 0, "light")))
    spent = ((first, first_cpu), (whole, whole_cpu), (new, new_cpu), (again, again_cpu))
    print(f"{name:16}" + "".join(f"{wall:9.2f} ({cpu:6.2f})" for wall, cpu in spent), flush=True)


def _answer(name: str, store: Store, run_id: str) -> None:
    server, run, view = RowServer(store, Evaluator(store.root)), store.run(run_id), read_view({"run": run_id})
    wall, cpu = timed(lambda: list(server.frames(name, run, view, 0, "light", at=float(run.epochs[-1]))))
    print(f"{name:16}{wall:9.2f} ({cpu:6.2f})   of the epoch on screen only", flush=True)


def shared(weights: np.ndarray) -> None:
    """What one product of a layer saves, against the way that comes to mind first."""
    import networkx as nx
    from sklearn.cluster import KMeans

    pairs = g.inner_products(weights)
    adjacency = g.edge_weights(pairs.cosines, 0.5)
    wide = weights.astype(np.float64)
    rows = [
        ("singular values", lambda: g.singular_values(g.inner_products(weights)), "numpy svd, no vectors",
         lambda: np.linalg.svd(wide, compute_uv=False)),
        ("the same, product at hand", lambda: g.singular_values(pairs), "", None),
        ("10 strongest directions", lambda: g.trained_subspace(weights, 10), "numpy svd",
         lambda: np.linalg.svd(wide, full_matrices=False)),
        ("4 clusters, product at hand", lambda: g.cluster_labels(pairs, 4, n_init=3), "scikit-learn KMeans",
         lambda: KMeans(4, n_init=3, random_state=0).fit(wide / np.linalg.norm(wide, axis=1, keepdims=True))),
        ("leave-one-out, product at hand", lambda: g.leave_one_out(pairs), "8 of N matrices anew",
         lambda: [g.frame_potential(np.delete(weights, i, axis=0)) for i in range(8)]),
        ("layout, 20 steps", lambda: g.force_layout(adjacency, 0.5, iterations=20), "networkx, 20 steps",
         lambda: nx.spring_layout(nx.from_numpy_array(np.where(adjacency > 0.5, adjacency, 0)), iterations=20)),
    ]  # fmt: skip
    print(f"{'one epoch, CPU milliseconds':34}{'ours':>8}   {'against':26}{'':>8}{'ratio':>8}")
    for name, ours, other, against in rows:
        ours()
        mine = min(timed(ours)[1] for _ in range(3))
        if against is None:
            print(f"{name:34}{1000 * mine:8.1f}")
            continue
        theirs = timed(against)[1]
        print(f"{name:34}{1000 * mine:8.1f}   {other:26}{1000 * theirs:8.1f}{theirs / mine:7.1f}×", flush=True)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--fan-in", type=int, default=4608)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--pages-only", action="store_true", help="leave out the functions one by one")
    options = parser.parse_args()
    threadpoolctl.threadpool_limits(1, "blas")
    # A server imports scipy's parts once, whatever layer it is asked about first.
    imported, _ = timed(
        lambda: [importlib.import_module(f"scipy.{part}") for part in ("stats", "optimize", "sparse.csgraph")]
    )
    array = trajectory(options.epochs, options.units, options.fan_in)
    print(f"scipy imported in {imported:.1f} s, once a server, not counted below")
    print(f"{options.units}×{options.fan_in}, {options.epochs} epochs, {array.nbytes / 2**30:.2f} GiB\n")
    pages(array)
    shared(array[-1])
    if not options.pages_only:
        functions(array, options)


def functions(array: np.ndarray, options: argparse.Namespace) -> None:
    """Every function of the package, from weights alone."""
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
    print(f"{'over all epochs at once, s (CPU)':34}{'all':>18}")
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
