"""Answer on a socket until told to stop."""

import errno
import http.client
import logging
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import threadpoolctl
import waitress.server
from prunescope.app.guard import MAX_BODY
from prunescope.app.live import MAX_STREAMS, Live
from prunescope.app.server import LIVE, create_app
from prunescope.app.settings import Settings, is_wildcard
from prunescope.engine.store import Store

FIRST_PORT = 8050
PORTS_TRIED = 100
# Each open page may hold one for its stream; the rest answer requests, more than a browser sends at once.
THREADS = MAX_STREAMS + 16


class PortBusy(OSError):
    """The port that was asked for belongs to another program."""


def open_socket(host: str, port: int | None) -> socket.socket:
    """Listen at `host`, on `port`, or with None on 8050 or the next free one; 0 lets the system choose.

    Raises
    ------
    PortBusy
        If an explicit port, or every port tried, is taken.
    OSError
        If the machine has no such address.
    """
    for candidate in [port] if port is not None else range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        try:
            return _listen(host, candidate)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            if port is not None:
                why = "busy" if error.errno == errno.EADDRINUSE else "not allowed to you"
                raise PortBusy(
                    f"port {port} is {why}. Choose another, or leave --port out to get a free one."
                ) from error
    raise PortBusy(f"ports {FIRST_PORT} to {FIRST_PORT + PORTS_TRIED - 1} are all busy. Use --port 0.")


def _listen(host: str, port: int) -> socket.socket:
    # The name is resolved once, here: the policy of the launch and the socket must mean the same address.
    # "localhost" may mean ::1 first, where a browser that tries 127.0.0.1 would find nobody.
    host = "127.0.0.1" if host.lower() == "localhost" else host
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # At once: on Linux two sockets may bind to one port as long as neither listens.
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def serve(
    store: Store,
    settings: Settings,
    *,
    port: int | None,
    path: str = "/",
    open_browser: bool = False,
    say: Callable[[str], None] | None = None,
) -> None:
    """Serve the dashboard until Ctrl-C or SIGTERM.

    Parameters
    ----------
    port : None for 8050 or the next free one, 0 for any
    path : page of the address that is said, and opened once the server answers
    say : gets the one line with the address; stderr by default

    Raises
    ------
    PortBusy, OSError
    """
    listener = open_socket(settings.host, port)
    address, real_port = listener.getsockname()[:2]
    settings = replace(settings, host=address, port=real_port, allowed_hosts=(*settings.allowed_hosts, settings.host))
    app = create_app(store, settings)
    live: Live = app.server.extensions[LIVE]
    # Beside a training on the same cores, BLAS threads that wait for each other cost three to five times the work.
    threadpoolctl.threadpool_limits(1, "blas")
    # The default warns whenever more requests wait than threads are free: streams make that usual.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server = waitress.server.create_server(
        app.server,
        sockets=[listener],
        threads=THREADS,
        # Every piece of a stream leaves at once.
        send_bytes=1,
        # Lets a silent stream notice that its page has gone.
        channel_request_lookahead=1,
        connection_limit=4 * THREADS,
        max_request_body_size=MAX_BODY,
        clear_untrusted_proxy_headers=True,
        ident=None,
    )
    # Before the address is said: whoever reads it may end us from then on.
    previous = [signal.signal(number, _ender(live)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        (say or _to_stderr)(f"Prunescope on {settings.launch_url(path)}")
        if open_browser:
            threading.Thread(target=_open_browser, args=(settings, path), daemon=True).start()
        server.run()
    except KeyboardInterrupt:
        # Before the loop began; inside it waitress takes this exception for its end.
        pass
    finally:
        live.stop()
        server.close()
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), previous, strict=True):
            signal.signal(number, handler)


def _ender(live: Live) -> Callable[[int, FrameType | None], Any]:
    def end(number: int, frame: FrameType | None) -> None:
        # Streams first: waitress waits for its threads. The second Ctrl-C does not wait.
        signal.signal(number, signal.SIG_DFL)
        live.stop()
        raise KeyboardInterrupt

    return end


def _open_browser(settings: Settings, path: str) -> None:
    host = "127.0.0.1" if is_wildcard(settings.host) else settings.host
    connection = http.client.HTTPConnection(host, settings.port, timeout=30)
    try:
        # The first answer builds the page; the browser should not be the one to wait for it.
        connection.request("GET", "/api/session", headers={"Authorization": f"Bearer {settings.token}"})
        connection.getresponse().read()
    except OSError as error:
        _to_stderr(f"The server does not answer ({error}), so no browser is opened.")
        return
    finally:
        connection.close()
    if not webbrowser.open(settings.launch_url(path)):
        _to_stderr("No browser could be opened here: open the address above yourself.")


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
