"""The server as a process: ports, addresses, start, end."""

import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from prunescope.app import serve as serve_module
from prunescope.app.live import MAX_STREAMS
from prunescope.app.serve import PortBusy, open_socket


def busy_port() -> socket.socket:
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    holder.listen()
    return holder


def test_without_a_port_the_next_free_one_is_taken(monkeypatch) -> None:
    with busy_port() as holder:
        taken = holder.getsockname()[1]
        monkeypatch.setattr(serve_module, "FIRST_PORT", taken)
        with open_socket("127.0.0.1", None) as found:
            assert taken < found.getsockname()[1] < taken + serve_module.PORTS_TRIED


def test_the_port_that_is_tried_first_is_8050() -> None:
    assert serve_module.FIRST_PORT == 8050


def test_an_explicit_port_that_is_busy_is_an_error_that_says_what_to_do() -> None:
    with busy_port() as holder, pytest.raises(PortBusy, match=r"busy\. Choose another"):
        open_socket("127.0.0.1", holder.getsockname()[1])


def test_when_every_port_is_busy_it_says_so(monkeypatch) -> None:
    with busy_port() as holder:
        monkeypatch.setattr(serve_module, "FIRST_PORT", holder.getsockname()[1])
        monkeypatch.setattr(serve_module, "PORTS_TRIED", 1)
        with pytest.raises(PortBusy, match="--port 0"):
            open_socket("127.0.0.1", None)


def test_localhost_is_the_address_that_every_browser_tries() -> None:
    with open_socket("localhost", 0) as found:
        assert found.getsockname()[0] == "127.0.0.1"


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(OSError, match="assign"):
        open_socket("192.0.2.1", 0)


def test_a_busy_port_ends_the_command_with_2(serve) -> None:
    server = serve()
    port = server.url.rsplit(":", 1)[1]
    command = [*server.command[: server.command.index("--port")], "--port", port]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert second.returncode == 2
    assert f"port {port} is busy" in second.stderr
    assert "Traceback" not in second.stderr


def test_ctrl_c_ends_the_server_at_once_and_cleanly_with_streams_open(serve) -> None:
    server = serve()
    streams = [server.events() for _ in range(3)]
    for stream in streams:
        next(stream)
    before = time.monotonic()
    assert server.stop() == 0
    # waitress waits 5 s for threads that do not end by themselves.
    assert time.monotonic() - before < 4.5
    assert "Traceback" not in server.process.stderr.read()


def test_sigterm_ends_it_cleanly_too(serve) -> None:
    server = serve()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=20) == 0


def test_it_listens_on_loopback_alone(serve) -> None:
    server = serve()
    port = int(server.url.rsplit(":", 1)[1])
    inodes = {str(link.readlink()) for link in Path(f"/proc/{server.process.pid}/fd").iterdir()}
    listening = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            # State 0A is LISTEN; a UDP socket that is bound at all would be one too many.
            if f"socket:[{fields[9]}]" in inodes and (fields[3] == "0A" or table.startswith("udp")):
                listening.append(fields[1])
    assert listening == [f"0100007F:{port:04X}"]


def test_a_body_over_two_megabytes_is_refused_before_it_is_read(serve) -> None:
    with closing(http.client.HTTPConnection(serve().url.removeprefix("http://"), timeout=20)) as connection:
        connection.putrequest("POST", "/api/runs")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(3 << 20))
        connection.endheaders()
        assert connection.getresponse().status == 413


def test_an_answer_names_no_server_software(serve) -> None:
    with urllib.request.urlopen(serve().url, timeout=20) as answer:
        assert answer.headers["Server"] is None


def test_the_page_answers_while_every_stream_is_taken(serve) -> None:
    server = serve()
    streams = [server.events() for _ in range(20)]
    for stream in streams:
        next(stream)
    assert server.get("/api/runs") == {"runs": []}


def test_many_pages_at_once_all_get_their_answer(serve) -> None:
    server = serve()
    answers: list[dict] = []
    threads = [threading.Thread(target=lambda: answers.append(server.get("/api/form"))) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 24


def listen_and_leave(url: str) -> int:
    with closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)) as connection:
        connection.request("GET", "/live")
        return connection.getresponse().status


def test_a_page_that_left_frees_its_stream(serve) -> None:
    server = serve()
    statuses = [listen_and_leave(server.url) for _ in range(MAX_STREAMS + 8)]
    deadline = time.monotonic() + 30
    while statuses[-1] != 200 and time.monotonic() < deadline:
        time.sleep(0.2)
        statuses.append(listen_and_leave(server.url))
    assert statuses[-1] == 200


def test_the_token_reaches_the_server_by_the_environment(serve, monkeypatch) -> None:
    server = serve("--token", "sixteen-or-more-characters")
    assert server.token == "sixteen-or-more-characters"
    assert server.post("/api/validate", {"config": {}}) == {"problems": {}}


def test_read_only_prints_no_token_because_it_is_good_for_nothing(serve) -> None:
    server = serve("--read-only")
    assert server.token == ""
    assert server.get("/api/session")["read_only"] is True


def test_the_browser_is_opened_only_after_the_server_answers(store, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys, urllib.request\n"
        "status = urllib.request.urlopen(sys.argv[1]).status\n"
        f"pathlib.Path({str(opened)!r}).write_text(f'{{sys.argv[1]}} {{status}}')\n"
    )
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    command = [sys.executable, "-m", "prunescope.app.cli", "ui", "--logdir", str(store.root), "--port", "0"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | {"BROWSER": f"{browser} %s"}
    )
    try:
        url = process.stderr.readline().split()[-1]
        deadline = time.monotonic() + 30
        while not (opened.exists() and opened.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert opened.read_text() == f"{url} 200"
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
        process.stderr.close()


def test_a_training_started_from_the_page_runs_pauses_and_goes_on(serve, store) -> None:
    """The whole way once: form, worker, store, stream, control."""
    server = serve()
    stream = server.events()
    next(stream)
    config = {"name": "from the page", "epochs": 400, "threads": 1, "batch_size": 700}
    run_id = server.post("/api/runs", {"config": config})["run"]

    def until(**wanted: object) -> dict:
        for _, state in stream:
            if state["run"] == run_id and all(state[key] == value for key, value in wanted.items()):
                return state
            assert state["status"] not in ("failed", "damaged"), json.dumps(state)
        raise AssertionError("the stream ended")

    try:
        until(status="running", epoch=0.0)
        server.post(f"/api/runs/{run_id}/control", {"action": "pause"})
        paused = until(status="paused")
        server.post(f"/api/runs/{run_id}/control", {"action": "resume"})
        assert until(status="running")["epoch"] >= paused["epoch"]
        server.post(f"/api/runs/{run_id}/control", {"action": "stop"})
        until(status="stopped")
    finally:
        store.run(run_id).request("stop")
    assert store.run(run_id).error is None
