"""Speed of the store, as ratios measured in one run: ``python tests/benchmarks/bench_store.py``.

Prints a table: what, against what, to reach, measured. Medians of several rounds, interleaved with what they
are compared with, so that a busy machine slows both.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from prunescope.engine.store import LayerInfo, Store

ROUNDS = 7


def main() -> int:
    """Run all measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="rounds a measurement (default %(default)s)"
    )
    rounds = parser.parse_args().rounds
    print(f"{'what':52} {'against':34} {'to reach':>10} {'measured':>12}")
    with tempfile.TemporaryDirectory() as folder:
        trajectory(Path(folder), rounds)
        commits(Path(folder))
        version(Path(folder))
        recorder(Path(folder), rounds)
    return 0


def row(what: str, against: str, reach: str, measured: str) -> None:
    """One line of the table."""
    print(f"{what:52} {against:34} {reach:>10} {measured:>12}", flush=True)


def seconds(act: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def layer(units: int, fan_in: int) -> LayerInfo:
    """One linear layer, ``fc``."""
    return LayerInfo(name="fc", kind="linear", units=units, fan_in=fan_in, shape=(units, fan_in))


def trajectory(folder: Path, rounds: int) -> None:
    """A layer's whole trajectory against np.load of one array of that size, both warm."""
    store = Store(folder / "trajectory")
    run_id = store.create_run({})
    generator = np.random.default_rng(0)
    weights = generator.standard_normal((200, 300, 784), dtype=np.float32)
    with store.writer(run_id) as writer:
        writer.declare([layer(300, 784)], total_epochs=200)
        for epoch, rows in enumerate(weights):
            writer.commit(epoch, {"fc.weight": rows}, {})
    np.save(folder / "one.npy", weights)
    run = store.run(run_id)
    assert np.array_equal(run.trajectory("fc"), weights)
    ours, numpys, firsts = [], [], []
    for _ in range(rounds):
        numpys.append(seconds(lambda: np.load(folder / "one.npy")))
        ours.append(seconds(lambda: run.trajectory("fc")))
        run.close()  # forgets which files passed their checksum
        firsts.append(seconds(lambda: run.trajectory("fc")))
    base = statistics.median(numpys)
    against = f"np.load, {1e3 * base:.0f} ms"
    row("trajectory 200 × (300 × 784)", against, "≤ 1.5×", f"{statistics.median(ours) / base:.2f}×")
    row("the same, first time: every checksum", against, "", f"{statistics.median(firsts) / base:.2f}×")


def commits(folder: Path) -> None:
    """One commit of a large layer."""
    store = Store(folder / "commits")
    generator = np.random.default_rng(0)
    weights = generator.standard_normal((512, 4608), dtype=np.float32)
    for durable in (False, True):
        run_id = store.create_run({})
        with store.writer(run_id, durable=durable) as writer:
            writer.declare([layer(512, 4608)], total_epochs=None)
            times = [
                seconds(lambda epoch=epoch: writer.commit(epoch, {"fc.weight": weights + epoch}, {}))
                for epoch in range(20)
            ]
        name = "one commit of 512 × 4608" + (", durable" if durable else "")
        row(name, "–", "", f"{1e3 * statistics.median(times):.1f} ms")


def version(folder: Path) -> None:
    """Asking whether anything is new."""
    store = Store(folder / "version")
    run_id = store.create_run({})
    with store.writer(run_id):
        run = store.run(run_id)
        times = [seconds(lambda: [run.version for _ in range(2000)]) / 2000 for _ in range(5)]
    row("run.version", "–", "≪ 1 ms", f"{1e6 * statistics.median(times):.1f} µs")


def recorder(folder: Path, rounds: int) -> None:
    """A torch loop with and without recording; and what the training thread pays for a large layer."""
    import torch
    from prunescope.engine import Recorder

    torch.set_num_threads(1)
    inputs, targets = torch.randn(10_000, 784), torch.randint(0, 10, (10_000,))

    def loop(record: bool, epochs: int = 4) -> float:
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Linear(784, 300),
            torch.nn.ReLU(),
            torch.nn.Linear(300, 100),
            torch.nn.ReLU(),
            torch.nn.Linear(100, 10),
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        kept = Recorder(folder / "recorder", model=model, name="bench") if record else None
        start = time.perf_counter()
        for epoch in range(epochs):
            for batch in torch.randperm(len(inputs)).split(60):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(inputs[batch]), targets[batch]).backward()
                optimizer.step()
            if kept:
                kept.log(epoch, {})
        elapsed = time.perf_counter() - start
        if kept:
            kept.close()
        return elapsed

    loop(False, 1), loop(True, 1)
    without, with_ = [], []
    for i in range(rounds):
        for record in (i % 2 == 0, i % 2 == 1):
            (with_ if record else without).append(loop(record))
    overhead = min(with_) / min(without) - 1
    row(
        "LeNet-300-100 recorded every epoch, wall time",
        f"not recorded, {min(without):.2f} s",
        "≤ 2 %",
        f"{100 * overhead:+.1f} %",
    )

    # Wall time of two loops differs by more than 2 % on a busy machine; the CPU time of recording does not.
    small = torch.nn.Sequential(
        torch.nn.Linear(784, 300), torch.nn.Linear(300, 100), torch.nn.Linear(100, 10)
    )
    kept = Recorder(folder / "recorder", model=small, name="cpu")
    start = time.process_time()
    for epoch in range(1, 101):
        kept.log(epoch, {})
        time.sleep(0.01)
    kept.close()
    recording = (time.process_time() - start) / 100
    start = time.process_time()
    loop(False)
    spent = recording / ((time.process_time() - start) / 4)
    row("the same, CPU time of all threads", "an epoch, not recorded", "≤ 2 %", f"{100 * spent:.1f} %")

    model = torch.nn.Sequential(torch.nn.Linear(4608, 512))
    kept = Recorder(folder / "recorder", model=model, name="large")
    times = []
    for epoch in range(1, 21):
        times.append(seconds(lambda epoch=epoch: kept.log(epoch, {})))
        time.sleep(0.05)
    kept.close()
    row("512 × 4608, on the training thread, worst of 20", "–", "≤ 50 ms", f"{1e3 * max(times):.1f} ms")


if __name__ == "__main__":
    sys.exit(main())
