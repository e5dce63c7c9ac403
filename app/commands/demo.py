"""`prunescope demo`: a network trains live on scikit-learn's digits, and the browser shows it align.

Needs no network, no account and no download; the same pictures come each time.
"""

import argparse
from importlib.util import find_spec

from prunescope.app.commands.common import Problem, add_logdir
from prunescope.app.commands.ui import add_server_flags, serve_until_told, settings_from


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("demo", help="watch a network train, live: start here", description=__doc__)
    add_logdir(parser)
    add_server_flags(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Start the demo's training in a process of its own, and serve until Ctrl-C, which ends both."""
    from prunescope.engine.launch import launch
    from prunescope.engine.presets import DEMO
    from prunescope.engine.store import Store, StoreError

    settings = settings_from(options)
    if find_spec("torch") is None:
        raise Problem("the demo trains a network and needs PyTorch: pip install torch.", Problem.FAILED)
    store = Store(options.logdir)
    try:
        # Tied: who closes the demo does not expect a training to go on behind it. It can be resumed.
        run_id = launch(store, DEMO, tie=True)
    except (StoreError, OSError) as error:
        raise Problem(f"the demo's training cannot start: {error}", Problem.FAILED) from None
    return serve_until_told(store, settings, options, f"/alignment?run={run_id}&follow=1")
