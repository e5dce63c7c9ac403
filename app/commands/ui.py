"""`prunescope ui`: the dashboard over a folder of runs. Imports no torch: it answers within two seconds."""

import argparse
import secrets
from typing import TYPE_CHECKING

from prunescope.app.commands.common import OK, Problem, add_flag, add_logdir, add_switch

if TYPE_CHECKING:
    from prunescope.app.settings import Settings
    from prunescope.engine.store import Store


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("ui", help="open the dashboard over a folder of runs", description=__doc__)
    add_logdir(parser)
    add_server_flags(parser)
    parser.set_defaults(run=run)


def add_server_flags(parser: argparse.ArgumentParser) -> None:
    """Add what every command that serves the dashboard takes."""
    add_flag(
        parser,
        "--host",
        default="127.0.0.1",
        help="address to listen at; any but this machine's own loopback asks every visitor for the token",
    )
    add_flag(parser, "--port", type=port, help="port to listen at; 0: any (default: 8050, else the next free one)")
    add_switch(parser, "--open", default=True, help="open the browser")
    add_switch(parser, "--read-only", default=False, help="show only: nothing can be changed")
    add_switch(
        parser,
        "--allow-changes",
        default=False,
        help="let those with the token change things although --host is not loopback",
    )
    add_flag(
        parser,
        "--token",
        help="the launch token, at least 16 characters; better in PRUNESCOPE_TOKEN, where others on "
        "this machine cannot see it (default: a new random one)",
    )
    add_flag(
        parser,
        "--allowed-hosts",
        default="",
        type=names,
        metavar="NAME,NAME",
        help="further names under which browsers may ask for this server, e.g. behind a proxy",
    )
    add_flag(
        parser,
        "--model",
        help="module:callable that returns the network of runs recorded from your own training loop; only "
        "then can they be pruned here",
    )
    add_flag(
        parser,
        "--data",
        help="module:callable that returns held-out inputs and targets to measure such runs on",
    )


def port(text: str) -> int:
    """Parse a port number."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 0 to 65535.")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Parse host names separated by commas; patterns are refused, since `*.com` would let anybody in."""
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    if bad := [name for name in found if "*" in name or "/" in name]:
        raise argparse.ArgumentTypeError(f"{bad[0]!r} is not a host name: give one like lab.example.org.")
    return found


def settings_from(options: argparse.Namespace) -> "Settings":
    """Build the server's settings from the flags of `add_server_flags`."""
    from prunescope.app.sessions import remembered_session
    from prunescope.app.settings import Settings, is_loopback

    host = options.host.strip().removeprefix("[").removesuffix("]")
    if options.read_only and options.allow_changes:
        raise Problem("--read-only and --allow-changes contradict each other: choose one.")
    try:
        return Settings(
            logdir=options.logdir,
            host=host,
            read_only=options.read_only,
            allow_changes=options.allow_changes,
            allowed_hosts=options.allowed_hosts,
            model=options.model,
            data=options.data,
            token=options.token if options.token is not None else secrets.token_urlsafe(32),
            # Where others can reach the server, whoever has had the token must show the new one after a restart.
            session=remembered_session(options.logdir) if options.token is None and is_loopback(host) else "",
        )
    except ValueError as error:
        raise Problem(f"--{error}") from None


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    if options.logdir.exists() and not options.logdir.is_dir():
        raise Problem(f"--logdir {options.logdir}: is a file; give the folder that holds the runs.")
    from prunescope.engine.store import Store

    return serve_until_told(Store(options.logdir), settings_from(options), options, "/")


def serve_until_told(store: "Store", settings: "Settings", options: argparse.Namespace, path: str) -> int:
    """Serve `store`, opening `path` in the browser if asked; exit code 2 if the address cannot be had."""
    from prunescope.app.serve import serve

    try:
        serve(store, settings, port=options.port, path=path, open_browser=options.open)
    except OSError as error:
        raise Problem(f"cannot listen at {settings.host}: {error}") from None
    return OK
