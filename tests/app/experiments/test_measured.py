"""What only the evaluator can tell of many finished networks: measured once, drawn as it comes, kept."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from prunescope.app.evaluator import EvaluatorError
from prunescope.app.exporting import report
from prunescope.app.feeds import FEEDS, finals, quantities
from prunescope.app.figures.theme import LIGHT
from prunescope.app.measured import FILE, Measured, question
from prunescope.app.rows import RowServer
from prunescope.app.state import read_view
from prunescope.engine.experiments.folder import Described
from prunescope.engine.store import Store

# By hand: .8 of the examples are right until half of the units are gone, then it falls to .4.
CURVE = {"removed": [0, 2, 4], "units": 4, "correct": [8, 8, 4], "seen": 10, "total": 10}
ANSWERS: dict[str, dict[str, Any]] = {
    "sensitivity": {"layer": "fc1", **CURVE},
    "together": CURVE,
    "ablation": {"correct": [9, 6, 8], "dense": 9, "seen": 10, "total": 10, "order": [0, 2, 1]},
    "low_rank_swap": {"k": [1, 2, 4], "correct": [5, 9, 9], "total": 10},
    "collapse": {"nc1": 0.25, "nc4": None},
}


class Answering:
    """Stands for the evaluator: says what is laid down, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refuses: set[str] = set()

    def ask(self, ask: str, *, priority: int = 0, **details: Any) -> Iterator[dict[str, Any]]:
        self.asked.append((ask, details))
        if details["run"] in self.refuses:
            raise EvaluatorError("it was recorded from code of your own")
        yield {"removed": [0], "units": 4, "correct": [1], "seen": 2}  # an estimate comes first
        yield ANSWERS[ask]


@pytest.fixture
def evaluator() -> Answering:
    return Answering()


def looks(store: Store, evaluator: Any, **view: str) -> list[dict[str, Any]]:
    """All answers of the sweep page to one look, over a server that has just been started."""
    return list(RowServer(store, evaluator).look(FEEDS["sweep"], read_view({"setting": "arm"} | view), LIGHT))


@pytest.mark.parametrize(
    ("quantity", "view", "expected"),
    [
        ("prunable fc1", {}, 0.5), ("pruned fc1", {}, 0.8), ("pruned fc1", {"share": "75"}, 0.6), ("fading fc1", {}, 0.7),
        ("prunable *", {}, 0.5), ("worst fc1", {}, 0.3), ("needed fc1", {}, 2), ("nc1", {}, 0.25),
    ],
)  # fmt: skip
def test_each_number_is_the_one_in_the_answer(quantity: str, view: dict[str, str], expected: float) -> None:
    ask = "collapse" if quantity == "nc1" else "together" if "*" in quantity else finals.KINDS[quantity.split()[0]].ask
    assert finals.number_in(ANSWERS[ask], quantity, read_view(view)) == pytest.approx(expected)


def test_all_that_is_offered_can_be_asked_and_has_words(store: Store, finished: Described, evaluator: Answering) -> None:
    run = store.run(finished.run_id("s0-dense"))
    for name, _ in finals.offered(["fc1"]):
        assert finals.is_measured(name) and quantities.words(name) != name
        assert finals.asked_about(run, name, read_view({})).details["run"] == run.id
    assert set(finals.KINDS) == set(quantities.MEASURED)
    assert finals.asked_about(run, "ranked fc1", read_view({"rank": "3"})).details["ranks"] == [3]
    assert finals.asked_about(run, "needed nowhere", read_view({})) is None


def test_networks_are_measured_one_after_the_other_and_each_once(
    store: Store, finished: Described, evaluator: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prunescope.app.feeds.sweep.TELL_SECONDS", 0.0)  # tell after each
    told = looks(store, evaluator, quantity="pruned fc1")
    assert [answer["measured"] for answer in told] == [[done, 10] for done in range(11)]
    assert told[0]["figures"]["sweep"]["data"] == [] and "measured 3 of 10" in told[3]["texts"]["sweep-sub"]
    (drawn,) = told[-1]["figures"]["sweep"]["data"]
    assert drawn["y"] == pytest.approx([0.8] * 3) and drawn["text"] == ["± 0.0%, n=2", "± 0.0%, n=4", "± 0.0%, n=4"]
    assert told[-1]["controls"] == ["share", "crit"]
    assert "accuracy with 50 % of fc1 removed" in told[-1]["texts"]["sweep-big-note"]
    # After a restart nothing is measured again: not at another share of the same curves either.
    for view in ({"quantity": "pruned fc1", "share": "75"}, {"quantity": "fading fc1"}):
        assert len(looks(store, evaluator, **view)) == 1
    assert len(evaluator.asked) == 10
    looks(store, evaluator, quantity="pruned fc1", crit="l1")
    assert len(evaluator.asked) == 20


def test_a_run_that_finishes_meanwhile_is_measured_in_the_same_look(
    store: Store, finished: Described, evaluator: Answering
) -> None:
    with finished.table() as table:
        table.requeue(["s1-reinit-02"])
    answers = RowServer(store, evaluator).look(FEEDS["sweep"], read_view({"quantity": "needed fc1"}), LIGHT)
    assert next(answers)["measured"] == [0, 9]
    with finished.table() as table:
        table.begin("s1-reinit-02", finished.run_id("s1-reinit-02"))
        table.finish("s1-reinit-02", {"accuracy": 0.5})
    assert [*answers][-1]["measured"] == [10, 10]


def test_a_network_that_cannot_be_measured_says_why_and_stops_no_other(
    store: Store, finished: Described, evaluator: Answering
) -> None:
    evaluator.refuses = {finished.run_id("s0-dense")}
    last = looks(store, evaluator, quantity="worst fc1")[-1]
    assert "code of your own" in last["texts"]["sweep-sub"]
    assert last["figures"]["sweep"]["data"][0]["text"][0] == "n=1"


def test_who_stops_looking_stops_the_measuring(store: Store, finished: Described, evaluator: Answering) -> None:
    answers = RowServer(store, evaluator).look(FEEDS["sweep"], read_view({"quantity": "nc1"}), LIGHT)
    next(answers)
    answers.close()
    assert evaluator.asked == []


def test_a_report_has_what_was_measured_of_all_runs_and_measures_nothing(
    store: Store, finished: Described, evaluator: Answering
) -> None:
    titles = [shown.title for shown in report._swept(store, finished)[1]]
    assert not any("rank of fc1" in title for title in titles)
    looks(store, evaluator, quantity="needed fc1", exp=finished.id)
    titles = [shown.title for shown in report._swept(store, finished)[1]]
    assert "Rank of fc1 that keeps all but one point" in titles


def test_what_cannot_be_read_of_the_kept_answers_is_measured_anew(store: Store, finished: Described) -> None:
    asked = question(store.run(finished.run_id("s0-dense")), "collapse", {})
    path = store.root / FILE
    Measured(store.root).put(asked, {"nc1": 1.0})
    path.write_bytes(b'{"key": 1, "answer": {}}\n[[[\n\xff\n{"key": "cut off in the mid' + path.read_bytes())
    assert Measured(store.root).get(asked) == {"nc1": 1.0}
    for hostile in ({"nc1": "four"}, {"nc1": [1]}, {}, {"removed": "x", "units": 0, "correct": None, "seen": 0}):
        assert math.isnan(finals.number_in(hostile, "nc1", read_view({})))
        assert math.isnan(finals.number_in(hostile, "prunable fc1", read_view({})))
    path.unlink()
    path.symlink_to("/etc/passwd")
    kept = Measured(store.root)
    assert kept.get(asked) is None
    kept.put(asked, {"nc1": 2.0})
    assert kept.get(asked) == {"nc1": 2.0}  # in memory alone


def test_a_dashboard_that_only_shows_writes_nothing(store: Store, finished: Described) -> None:
    asked = question(store.run(finished.run_id("s0-dense")), "collapse", {})
    Measured(store.root, write=False).put(asked, {"nc1": 1.0})
    assert not (store.root / FILE).exists()
