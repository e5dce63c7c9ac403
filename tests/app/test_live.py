"""What open pages are told, and what it costs when nobody listens."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
from flask.testing import FlaskClient
from prunescope.app import live as live_module
from prunescope.app.describe import describe
from prunescope.app.live import Live
from prunescope.engine.store import LayerInfo, Store

LAYER = LayerInfo(name="fc1", kind="linear", units=4, fan_in=3, shape=(4, 3))


def events(stream: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for text in stream:
        lines = dict(line.split(": ", 1) for line in text.strip().split("\n") if ": " in line)
        if "data" in lines:
            yield lines.get("event", "message"), json.loads(lines["data"])


@pytest.fixture
def live(store: Store) -> Iterator[Live]:
    hub = Live(store)
    yield hub
    hub.stop()


@pytest.fixture
def listen(live: Live) -> Callable[[], Iterator[tuple[str, dict[str, Any]]]]:
    def start() -> Iterator[tuple[str, dict[str, Any]]]:
        assert live.join()
        return events(live.listen(lambda: False))

    return start


def test_a_page_first_hears_of_all_runs_and_of_this_launch(live: Live, listen, record) -> None:
    record("one")
    record("two")
    name, first = next(listen())
    assert name == "hello"
    assert first["boot"] == live.boot
    assert set(first["runs"]) == {"one", "two"}
    assert first["runs"]["one"]["epoch"] == 1.0


def test_then_it_hears_of_what_changed_and_of_nothing_else(live: Live, listen, record, store: Store) -> None:
    record("still")
    stream = listen()
    next(stream)
    record("new", epochs=3)
    seen = {}
    for _, state in stream:
        seen = state
        assert state["run"] == "new"
        if state["status"] == "done":
            break
    assert seen["epoch"] == 2.0


def test_an_update_is_as_small_late_as_early(live: Live, store: Store, committing) -> None:
    run_id = store.create_run({}, name="long")
    sizes = []
    with store.writer(run_id) as writer:
        writer.declare([LAYER], total_epochs=200)
        writer.set_state("running")
        for epoch in range(200):
            committing(writer, epoch)
            if epoch in (2, 199):
                live.scan()
                sizes.append(len(json.dumps(live.since(0)[1])))
    assert sizes[1] <= sizes[0] + 20


def test_nothing_is_lost_when_two_changes_come_before_one_look(live: Live, listen, store: Store, record) -> None:
    stream = listen()
    next(stream)
    record("one")
    store.rename("one", "renamed")
    live.look_now()
    assert next(stream)[1]["name"] == "renamed"


def test_a_deleted_run_is_said_to_be_gone_and_a_restored_one_is_back(live: Live, listen, store: Store, record) -> None:
    record("one")
    stream = listen()
    next(stream)
    store.delete("one")
    assert next(stream)[1] == {"run": "one", "status": "gone"}
    store.restore("one")
    assert next(stream)[1]["status"] == "done"


def test_every_listener_hears_everything(live: Live, listen, record) -> None:
    streams = [listen() for _ in range(5)]
    for stream in streams:
        next(stream)
    record("one", state="stopped")
    for stream in streams:
        assert next(state for _, state in stream if state["status"] == "stopped")["run"] == "one"


def test_nobody_listens_and_nothing_is_read(live: Live, listen, store: Store, monkeypatch) -> None:
    stream = live.listen(lambda: True)
    assert live.join()
    assert len(list(stream)) == 1
    live.leave()
    looks = threading.Event()
    # One last look may be under way; after it the watcher must sleep.
    time.sleep(3 * live_module.ACTIVE_SECONDS)
    monkeypatch.setattr(store, "runs", lambda: looks.set() or [])
    assert not looks.wait(2 * live_module.IDLE_SECONDS)


def test_streams_are_bounded_and_the_next_page_is_told_what_to_do(client: FlaskClient, app) -> None:
    hub = app.server.extensions["prunescope.live"]
    streams = [client.get("/live", buffered=False) for _ in range(live_module.MAX_STREAMS)]
    refused = client.get("/live")
    assert refused.status_code == 503
    assert "polling" in refused.json["do"]
    # A page that leaves, even one whose stream never began, makes room.
    streams.pop().close()
    again = client.get("/live", buffered=False)
    assert again.status_code == 200
    for stream in (again, *streams):
        stream.close()
    hub.stop()


def test_a_stream_ends_when_its_page_is_gone_and_when_the_server_stops(live: Live, monkeypatch) -> None:
    monkeypatch.setattr(live_module, "GONE_SECONDS", 0.01)
    left = iter([False, True])
    assert live.join()
    assert len(list(live.listen(lambda: next(left)))) == 1
    assert live.join()
    stream = live.listen(lambda: False)
    next(stream)
    threading.Timer(0.05, live.stop).start()
    assert list(stream) == []


def test_a_silent_stream_says_that_it_lives(live: Live, monkeypatch) -> None:
    monkeypatch.setattr(live_module, "GONE_SECONDS", 0.01)
    monkeypatch.setattr(live_module, "KEEP_ALIVE_SECONDS", 0.02)
    assert live.join()
    assert list(islice(live.listen(lambda: False), 3))[1:] == [":\n\n", ":\n\n"]


def test_a_look_that_fails_does_not_end_the_live_view(live: Live, listen, store: Store, record, monkeypatch) -> None:
    stream = listen()
    next(stream)
    whole = store.runs
    failed = threading.Event()

    def fail_once() -> list[Any]:
        monkeypatch.setattr(store, "runs", whole)
        failed.set()
        raise OSError("the disk is away")

    monkeypatch.setattr(store, "runs", fail_once)
    assert failed.wait(10)
    record("one")
    assert next(stream)[1]["run"] == "one"


def test_a_damaged_run_says_why_and_the_others_are_there(client: FlaskClient, store: Store, record) -> None:
    record("good")
    record("bad")
    (store.root / "altered").write_text("{")
    (store.root / "altered").replace(store.root / "bad" / "run.json")
    runs = client.get("/api/poll").json["runs"]
    assert runs["good"]["status"] == "done"
    assert runs["bad"]["error"]


def test_a_run_that_raises_when_looked_at_is_shown_as_damaged() -> None:
    class Vanished:
        id = "gone"

        @property
        def head(self) -> None:
            raise FileNotFoundError("run.json")

    assert describe(Vanished())["status"] == "damaged"


def test_the_poll_answers_all_runs_once_and_then_204_until_something_is_new(client: FlaskClient, record) -> None:
    record("one")
    first = client.get("/api/poll?version=-1&boot=").json
    known = f"/api/poll?version={first['version']}&boot={first['boot']}"
    assert set(first["runs"]) == {"one"}
    assert client.get(known).status_code == 204
    record("two")
    time.sleep(live_module.IDLE_SECONDS)
    assert set(client.get(known).json["runs"]) == {"one", "two"}


@pytest.mark.parametrize("query", ["version=x&boot=y", "version=&boot=", "version=1e9", "boot=%00", ""])
def test_a_poll_with_a_strange_cursor_gets_everything(client: FlaskClient, record, query: str) -> None:
    record("one")
    assert set(client.get(f"/api/poll?{query}").json["runs"]) == {"one"}


def test_over_a_real_server_an_epoch_arrives_while_the_run_goes_on(serve, store: Store, committing) -> None:
    server = serve()
    stream = server.events()
    assert next(stream)[1]["runs"] == {}
    run_id = store.create_run({}, name="live")
    with store.writer(run_id) as writer:
        writer.declare([LAYER], total_epochs=3)
        writer.set_state("running")
        for epoch in range(3):
            committing(writer, epoch)
            state = next(state for _, state in stream if state["epoch"] == epoch)
            assert state["status"] == "running"
    assert server.stop() == 0


def test_a_restarted_server_is_another_launch_at_the_same_address(serve, record) -> None:
    record("one")
    first = serve()
    port = first.url.rsplit(":", 1)[1]
    boot = first.get("/api/session")["boot"]
    stream = first.events()
    next(stream)
    assert first.stop() == 0
    assert list(stream) == []
    again = serve("--port", port)
    name, hello = next(again.events())
    assert name == "hello"
    assert hello["boot"] != boot
    assert set(hello["runs"]) == {"one"}
