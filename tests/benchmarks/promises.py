"""The promises of the store, with real processes and real numbers.

    python tests/benchmarks/promises.py --quick     a few minutes: a tenth of the trials
    python tests/benchmarks/promises.py --full      the numbers that are promised

Prints a table: promise, to reach, measured. The exit code is 1 if one is broken.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from promise_crashes import kills, named_points, one_writer, stopped_holder
from promise_data import damage, eviction, full_disk, readers
from promise_table import broken
from prunescope.engine.store import Store


def main() -> int:
    """Run all of them and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--quick", action="store_true", help="a tenth of the trials (default)")
    group.add_argument("--full", action="store_true", help="all of the trials")
    full = parser.parse_args().full
    print(f"{'promise':66} {'to reach':>22}  measured")
    for promise in (kills, named_points, damage, full_disk, eviction, readers, one_writer, stopped_holder):
        with tempfile.TemporaryDirectory() as folder:
            promise(Store(Path(folder) / "runs"), full)
    print("all kept" if not broken else f"BROKEN: {', '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
