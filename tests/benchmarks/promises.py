"""The promises, with real processes and real numbers: ``python tests/benchmarks/promises.py [--full]``.

    --quick     about a tenth of the trials, some minutes (the default)
    --full      the numbers that are promised, about an hour on two cores
    --only      some of them, by name

Prints a table: promise, to reach, measured. The exit code is 1 if one is broken.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from promise_crashes import kills, named_points, one_writer, stopped_holder
from promise_data import damage, eviction, full_disk, readers
from promise_memory import memory
from promise_resume import one_engine, resume
from promise_table import broken
from promise_tests import ablation, fuzz, hostile, read_only, removal
from prunescope.engine.store import Store

PROMISES: dict[str, Callable[[Store, bool], None]] = {
    "kills": kills,
    "points": named_points,
    "eviction": eviction,
    "damage": damage,
    "full-disk": full_disk,
    "read-only": read_only,
    "readers": readers,
    "resume": resume,
    "ablation": ablation,
    "writers": one_writer,
    "engines": one_engine,
    "stopped": stopped_holder,
    "fuzz": fuzz,
    "hostile": hostile,
    "memory": memory,
    "removal": removal,
}


def main() -> int:
    """Prove those asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--quick", action="store_true", help="a tenth of the trials (default)")
    group.add_argument("--full", action="store_true", help="all of the trials")
    parser.add_argument("--only", nargs="+", choices=PROMISES, default=list(PROMISES), metavar="NAME",
                        help=f"these alone: {', '.join(PROMISES)}")  # fmt: skip
    options = parser.parse_args()
    print(f"{'promise':70} {'to reach':>22}  measured")
    for name in options.only:
        with tempfile.TemporaryDirectory() as folder:
            PROMISES[name](Store(Path(folder) / "runs"), options.full)
    print("all kept" if not broken else f"BROKEN: {', '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
