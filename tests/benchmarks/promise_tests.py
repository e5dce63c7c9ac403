"""Promises that tests of the suite prove, here in their long form."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from promise_table import row
from prunescope.engine.store import Store

TESTS = Path(__file__).resolve().parents[1]


def passed(*selection: str, **settings: str) -> tuple[int, str]:
    """How many of these tests passed, and the last line of pytest; 0 passed if one did not."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-o", "faulthandler_timeout=0", *selection],
        cwd=TESTS.parent,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    last = run.stdout.strip().splitlines()[-1]
    found = re.search(r"(\d+) passed", last)
    return (int(found[1]) if found and run.returncode == 0 else 0), last


def proved(promise: str, reach: str, *selection: str, least: int = 1) -> Callable[[Store, bool], None]:
    """A promise that these tests prove; `least` of them there must be."""

    def promised(store: Store, full: bool) -> None:
        count, last = passed(*selection)
        row(promise, reach, last, count >= least)

    return promised


def fuzz(store: Store, full: bool) -> None:
    """Whatever is sent, the answer is below 500."""
    for what, test, examples in (
        ("configs", "no_settings", 10_000),
        ("callback bodies", "no_callback_body", 10_000),
        ("addresses", "no_address", 2_000),
    ):
        examples = examples if full else examples // 20
        count, last = passed("tests/app/test_fuzz.py", "-k", test, FUZZ_EXAMPLES=str(examples))
        row(f"no bad input crashes: {examples:,} {what}", "0 unhandled, 0 above 499", last, count > 0)


def removal(store: Store, full: bool) -> None:
    """A masked network is the deleted one."""
    count, last = passed("tests/engine/pruning/test_removal.py", **({"EVERY_LAYER": "1"} if full else {}))
    row(f"masking is removal: {'every layer' if full else 'some layers'} of each network", "|Δlogit| ≤ 1e-5", last, count > 0)


ablation = proved(
    "each part of a checkpoint left out: the resumed run differs", "every part",
    "tests/engine/training/test_checkpoint.py", "-k", "leaving_out or parts_are_all_tested", least=9,
)  # fmt: skip
hostile = proved(
    "no code from stored data", "≥ 25 folders, 0 succeed", "tests/engine/store/test_hostile.py", least=25
)  # fmt: skip
read_only = proved("read-only and archived runs open", "no write attempted", "tests/engine/store/test_read_only.py")
