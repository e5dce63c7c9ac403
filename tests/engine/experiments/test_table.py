"""The run table: order, wishes, attempts, states; what may begin next."""

import sqlite3

import pytest
from prunescope.engine.experiments.cells import Cell
from prunescope.engine.experiments.supervisor import ready
from prunescope.engine.experiments.table import ATTEMPTS_ALONE, Table
from prunescope.engine.store import StoreError


@pytest.fixture
def table(tmp_path):
    with Table(tmp_path) as made:
        made.add([Cell(key="a", arm="x", seed=0), Cell(key="b", arm="x", seed=0, parents=("a",)),
                  Cell(key="c", arm="x", seed=0)])  # fmt: skip
        yield made


def states(table):
    return {row.key: row.state for row in table.rows()}


def test_cells_come_back_as_they_were_planned_and_in_order(tmp_path):
    cell = Cell(key="k", arm="ticket", seed=3, level=2, label="round 2", parents=("p",), config={"lr": 0.1},
                treatment={"mask": {"layer_rates": {"fc1": 0.5, "*": 0}}})  # fmt: skip
    with Table(tmp_path) as table:
        table.add([cell])
        table.add([cell, Cell(key="later", arm="x", seed=0)])
    with Table(tmp_path) as table:
        first, second = table.rows()
    assert first.cell == cell
    # Among patterns the first match counts, so their order is part of them.
    assert list(first.cell.treatment["mask"]["layer_rates"]) == ["fc1", "*"]
    assert (first.state, second.key) == ("queued", "later")


def test_a_child_waits_for_its_parent_and_no_more_begin_than_there_are_processes(table):
    assert ready(table.rows(), set(), 5) == ["a", "c"]
    assert ready(table.rows(), set(), 1) == ["a"]
    assert ready(table.rows(), {"a"}, 2) == ["c"]
    table.begin("a", "run")
    table.finish("a", {})
    assert ready(table.rows(), set(), 5) == ["b", "c"]


def test_the_order_can_be_changed(table):
    table.first("c")
    assert [row.key for row in table.rows()] == ["c", "a", "b"]


def test_pause_cancel_retry_of_what_waits(table):
    table.pause("a")
    assert states(table)["a"] == "paused"
    assert ready(table.rows(), set(), 5) == ["c"]
    table.resume("a")
    table.cancel("a")
    assert states(table)["a"] == "cancelled"
    table.retry("a")
    assert states(table)["a"] == "queued"
    with pytest.raises(StoreError, match="a is queued: only a run that is failed or cancelled can retry"):
        table.retry("a")
    with pytest.raises(StoreError, match="no run 'z'"):
        table.pause("z")


@pytest.mark.parametrize(("ask", "then"), [(Table.pause, "paused"), (Table.cancel, "cancelled")])
def test_what_runs_is_asked_to_save_and_end_and_then_goes_where_was_wished(table, ask, then):
    attempt = table.begin("a", "run")
    assert table.wish("a", attempt) == ""
    ask(table, "a")
    assert states(table)["a"] == "running"
    assert table.wish("a", attempt) == "stop"
    table.release("a")
    assert states(table)["a"] == then


def test_pausing_all_stops_what_runs_and_leaves_it_queued(table):
    attempt = table.begin("a", "run")
    table.pause_all(True)
    assert table.paused
    assert table.wish("a", attempt) == "stop"
    table.release("a")
    assert states(table)["a"] == "queued"
    table.pause_all(False)
    assert not table.paused


def test_an_older_attempt_is_told_to_stop(table):
    old, new = table.begin("a", "run"), table.begin("a", "run")
    assert (old, new) == (1, 2)
    assert table.wish("a", old) == "stop"
    assert table.wish("a", new) == ""


def test_a_suspect_runs_alone_and_fails_after_four_deaths_alone(table):
    table.begin("a", "run")
    table.begin("c", "run")
    table.suspect(["a", "c"])
    assert ready(table.rows(), set(), 5) == ["a"]
    assert ready(table.rows(), {"a"}, 5) == []
    for _ in range(ATTEMPTS_ALONE):
        assert states(table)["a"] == "queued"
        table.begin("a", "run")
        table.suspect(["a"])
    assert table.row("a").state == "failed"
    assert table.row("a").error.startswith("crash")
    assert ready(table.rows(), set(), 5) == ["c"]


def test_every_change_moves_the_version(table):
    seen = [table.version]
    table.begin("a", "run")
    seen.append(table.version)
    table.finish("a", {"accuracy": 1.0})
    seen.append(table.version)
    assert seen == sorted(set(seen))
    assert table.row("a").result == {"accuracy": 1.0}


def test_what_a_killed_supervisor_left_running_is_queued_again(table):
    table.begin("a", "run")
    table.requeue_running()
    assert states(table)["a"] == "queued"


def test_many_hands_write_it_at_once(tmp_path):
    from threading import Thread

    with Table(tmp_path) as table:
        table.add([Cell(key=str(n), arm="x", seed=0) for n in range(8)])

    def work(key):
        with Table(tmp_path) as own:
            for _ in range(20):
                own.begin(key, "run")

    threads = [Thread(target=work, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Table(tmp_path) as table:
        assert {row.attempt for row in table.rows()} == {20}


def test_a_file_that_is_no_table_is_an_error_in_words(tmp_path):
    (tmp_path / "table.sqlite").write_bytes(b"not a database at all, but long enough to be read as one" * 30)
    with pytest.raises(StoreError, match="run table cannot be opened"):
        Table(tmp_path)


def test_nothing_in_it_is_pickled(table, tmp_path):
    database = sqlite3.connect(tmp_path / "table.sqlite")
    try:
        values = [value for row in database.execute("SELECT * FROM cells") for value in row]
    finally:
        database.close()
    assert not any(isinstance(value, bytes) for value in values)
