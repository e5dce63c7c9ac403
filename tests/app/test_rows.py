"""What pages pull: frames, from where they left off, whatever the server has been through."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from prunescope.app import selection_routes
from prunescope.app.evaluator import Evaluator
from prunescope.app.row_routes import register
from prunescope.app.wire import pack
from prunescope.engine.store import LayerInfo, Store

UNITS, FAN_IN = 12, 9


def read(body: bytes) -> list[tuple[dict, dict[str, np.ndarray]]]:
    """Frames as a page reads them."""
    frames = []
    while body:
        head, load = struct.unpack_from("<II", body)
        header = json.loads(body[8 : 8 + head])
        payload, offset, arrays = body[8 + head : 8 + head + load], 0, {}
        for name, spec in header.get("arrays", {}).items():
            count = int(np.prod(spec["shape"]))
            arrays[name] = np.frombuffer(payload, spec["dtype"], count, offset).reshape(spec["shape"])
            offset += 4 * count
        assert offset == load
        frames.append((header, arrays))
        body = body[8 + head + load :]
    return frames


def commit(writer, epoch: int, rng: np.random.Generator) -> None:
    weights = rng.standard_normal((UNITS, FAN_IN)).astype(np.float32).reshape(UNITS, 1, 3, 3)
    writer.commit(float(epoch), {"conv1.weight": weights}, {"val/accuracy": 0.5 + epoch / 100})


@pytest.fixture
def served(tmp_path: Path):
    store = Store(tmp_path)
    run_id = store.create_run({"dataset": "digits", "model": "channels"}, name="one")
    rng = np.random.default_rng(0)
    layer = LayerInfo(name="conv1", kind="conv", units=UNITS, fan_in=FAN_IN, shape=(UNITS, 1, 3, 3))
    evaluator = Evaluator(tmp_path)
    with store.writer(run_id) as writer:
        writer.declare([layer], total_epochs=10)
        for epoch in range(4):
            commit(writer, epoch, rng)
        server = Flask(__name__)
        rows = register(server, store, evaluator)
        selection_routes.register(server, store, evaluator)
        rows._warmed = True
        yield server.test_client(), rows, writer, rng
    evaluator.close()


def ask(client, feed: str = "alignment", **query) -> list[tuple[dict, dict[str, np.ndarray]]]:
    answer = client.get("/api/rows", query_string={"feed": feed, "run": "one", **query})
    assert answer.status_code == 200, answer.text
    return read(answer.data)


def epochs_of(frames) -> list[float]:
    return [epoch for head, _ in frames for epoch in head.get("epochs", [])]


def test_a_page_that_has_nothing_gets_templates_and_every_epoch(served):
    client, rows, _, _ = served
    frames = ask(client)
    assert frames[0][0]["boot"] == rows.boot
    assert set(frames[0][0]["figures"]) == {"angles", "ridge", "sizes"}
    assert epochs_of(frames) == [0, 1, 2, 3]


def test_a_page_gets_only_the_epochs_it_lacks(served):
    client, rows, writer, rng = served
    ask(client)
    commit(writer, 4, rng)
    frames = ask(client, have=4, boot=rows.boot)
    assert epochs_of(frames) == [4]
    assert "figures" not in frames[0][0]


def test_the_epoch_on_screen_comes_before_those_in_between_and_equals_its_own_row(served):
    client, *_ = served
    (head, _), (first, arrays), *rest = ask(client, "structure")
    assert "figures" in head and first["ahead"] and first["epochs"] == [3]
    in_turn = [epoch for header, _ in rest for epoch in header["epochs"]]
    assert in_turn == [0, 1, 2, 3]
    assert np.array_equal(arrays["without_fp"][0], rest[-1][1]["without_fp"][-1], equal_nan=True)
    # What is known already needs no haste.
    assert not any("ahead" in header for header, _ in ask(client, "structure"))
    assert ask(client, "frames", shown=1)[1][0]["epochs"][0] == 0


def test_the_headline_of_a_run_that_is_being_computed_is_never_about_an_epoch_on_the_way(served):
    client, *_ = served
    _, (first, _), *rest = ask(client, "overview")
    assert first["ahead"] and first["epochs"] == [3]
    assert first["plain"]["finding"] == rest[-1][0]["plain"]["finding"][-1:]
    assert first["plain"]["sub"] == rest[-1][0]["plain"]["sub"][-1:]
    assert [epoch for header, _ in rest for epoch in header["epochs"]] == [0, 1, 2, 3]


def test_an_update_is_as_small_late_as_early(served):
    client, rows, writer, rng = served
    sizes = []
    for epoch in range(4, 40):
        commit(writer, epoch, rng)
        answer = client.get(
            "/api/rows", query_string={"feed": "alignment", "run": "one", "have": epoch, "boot": rows.boot}
        )
        sizes.append(len(answer.data))
    assert abs(sizes[-1] - sizes[1]) < 64


def test_rows_counted_under_another_server_are_sent_again(served):
    client, _, _, _ = served
    assert epochs_of(ask(client, have=3, boot="another")) == [0, 1, 2, 3]


def test_the_chosen_layer_is_told_so_that_the_link_can_carry_it(served):
    client, _, _, _ = served
    assert ask(client)[0][0]["settled"] == {"layer": "conv1"}


def test_clusters_and_angles_are_those_of_the_engine(served):
    client, rows, _, _ = served
    from prunescope.engine.geometry import angle_distribution

    frames = ask(client, k=3)
    weights = rows.store.run("one").weights("conv1", 0.0)
    expected = angle_distribution(weights, 3, seed=0)
    assert frames[1][1]["angles"][0] == pytest.approx(expected.angles, abs=1e-3)
    assert frames[1][0]["plain"]["mean"][0] == pytest.approx(expected.mean)


def test_an_unknown_layer_is_a_sentence_not_a_failure(served):
    client, _, _, _ = served
    told = ask(client, layer="conv7")[-1][0]["error"]
    assert "conv7" in told and "conv1" in told


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"feed": "nothing", "run": "one"}, 404),
        ({"feed": "alignment", "run": "nobody"}, 404),
        ({"feed": "alignment", "run": "../one"}, 404),
        ({"feed": "alignment", "run": "one", "have": "many"}, 400),
        ({"feed": "alignment", "run": "one", "theme_now": "mauve"}, 400),
        ({"feed": "pruning", "run": "one"}, 400),
        ({"feed": "pruning", "run": "one", "at": "77"}, 400),
    ],
)
def test_a_request_that_makes_no_sense_is_told_what_to_do(served, query, status):
    client, _, _, _ = served
    answer = client.get("/api/rows", query_string=query)
    assert answer.status_code == status
    assert answer.json["error"]


def test_weights_that_are_not_numbers_are_told_on_the_page(served):
    client, rows, writer, _ = served
    broken = np.full((UNITS, 1, 3, 3), np.nan, dtype=np.float32)
    writer.commit(4.0, {"conv1.weight": broken}, {})
    frames = ask(client, have=4, boot=rows.boot)
    assert frames[-1][0]["plain"]["finding"][0].startswith("No angles at epoch 4")
    for feed in ("overview", "trajectories"):
        assert 4.0 in epochs_of(ask(client, feed, have=0)) or "error" in ask(client, feed)[-1][0]


def test_nothing_recorded_yet_is_an_empty_answer(tmp_path):
    store = Store(tmp_path)
    store.create_run({}, name="one")
    server = Flask(__name__)
    register(server, store, Evaluator(tmp_path))._warmed = True
    assert ask(server.test_client())[0][0]["total"] == 0


def test_arrays_are_aligned_and_gaps_are_null():
    (head, arrays), *_ = read(pack({"x": 1}, [0.0], [{"a": np.arange(3), "b": np.ones((2, 2)), "c": float("nan")}]))
    assert arrays["a"].tolist() == [[0, 1, 2]] and arrays["b"].shape == (1, 2, 2)
    assert head["plain"]["c"] == [None]


def test_redundant_units_are_told_for_the_page_to_select(served):
    client, _, _, _ = served
    asked = {"run": "one", "layer": "conv1", "epoch": 0, "k": 3, "kind": "one-per-cluster"}
    answer = client.get("/api/units", query_string=asked)
    assert len(answer.json["units"]) == UNITS - 3
    wrong = client.get("/api/units", query_string={"run": "one", "epoch": 0, "kind": "all"})
    assert wrong.status_code == 422 and "one-per-cluster" in wrong.json["error"]
