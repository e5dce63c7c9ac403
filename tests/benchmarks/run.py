"""Every measurement of speed, one after another: ``python tests/benchmarks/run.py [--only NAME …]``.

Runs all ``bench_*.py`` beside this file, each in a process of its own, and prints one table: what, ours,
against, ratio, to reach. Each file can be run alone as well; it prints its rows and returns 0.
"""

import argparse
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run the benchmarks asked for; 1 if one of them failed."""
    names = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="these alone (default: all)")
    wanted = parser.parse_args().only
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "dash", "plotly", "numpy"))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}")
    print("load of the machine before: " + ", ".join(f"{load:.1f}" for load in os.getloadavg()) + " (1, 5, 15 min)")
    failed = []
    for name in wanted:
        print(f"\n— {name}", flush=True)
        if subprocess.run([sys.executable, str(HERE / f"bench_{name}.py")], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
