"""Answers about recorded networks equal those of the slow, obvious way."""

import copy
import json
from itertools import zip_longest

import numpy as np
import pytest
import torch
from prunescope.engine import Recorder, Store
from prunescope.engine.evaluation.orders import (
    RANDOM_ROUNDS,
    ablation,
    curves,
    order_of,
    sensitivity,
    surface,
    together,
)
from prunescope.engine.evaluation.removals import joint, selection, sizes, take_away
from prunescope.engine.evaluation.subject import CannotEvaluate, Subjects
from prunescope.engine.pruning import PruningError, rank_units, remove
from prunescope.engine.pruning.on_data import stream_quantities
from torch import nn
from torch.nn.utils import prune


@pytest.fixture
def subjects(trained: Store) -> Subjects:
    return Subjects(trained)


@pytest.fixture
def asked(trained: Store) -> dict:
    return {"run": "small", "epoch": 2.0}


def said(answers) -> list[dict]:
    """What is said to the dashboard: ticks only let a newer question in."""
    return [answer for answer in answers if not answer.get("tick")]


def without(subjects: Subjects, layer: str, units) -> int:
    """Correct answers with units silenced by hand: weights and bias at zero, behind a ReLU that keeps zero."""
    subject = subjects.at("small", 2.0)
    module = subject.model.get_submodule(layer)
    weight, bias = module.weight.detach().clone(), module.bias.detach().clone()
    with torch.no_grad():
        module.weight[list(units)] = 0
        module.bias[list(units)] = 0
        correct = int((subject.model(subject.inputs).argmax(1) == subject.targets).sum())
        module.weight.copy_(weight)
        module.bias.copy_(bias)
    return correct


def test_the_last_answer_is_exact_at_every_level(subjects, asked):
    last = {}
    for answer in said(curves(subjects, asked | {"layers": ["fc1"], "criteria": ["l2"]})):
        last[answer["criterion"], answer["seed"]] = answer
    assert len(last) == 1 + RANDOM_ROUNDS
    for answer in last.values():
        assert answer["seen"] == answer["total"] == 397
        expected = [without(subjects, "fc1", answer["order"][:m]) for m in answer["removed"]]
        assert answer["correct"] == expected


def test_a_criterion_that_is_long_in_measuring_first_answers_with_a_provisional_order(subjects, asked, monkeypatch):
    monkeypatch.setattr("prunescope.engine.evaluation.orders.WORTH_AN_IDEA", 0)
    answers = said(curves(subjects, asked | {"layers": ["fc1"], "criteria": ["taylor", "taylor:largest"]}))
    assert answers[0]["provisional"]
    assert sorted(answers[0]["order"]) == list(range(len(answers[0]["order"])))
    assert not any(answer.get("provisional") for answer in answers[1:])
    subject = subjects.at("small", 2.0)
    *_, last = [answer for answer in answers if answer["criterion"] == "taylor"]
    assert last["order"] == rank_units(subject.model, "fc1", "taylor", *subject.calibration).tolist()
    assert last["seen"] == last["total"]


def test_what_a_question_cut_short_has_measured_suggests_the_next_ones_order(subjects, asked, monkeypatch):
    subject = subjects.at("small", 2.0)
    begun = subject.learn("taylor", ["fc1"])
    for _ in range(2):
        next(begun)
    suggested = subject.suggested["taylor", "fc1"].copy()
    monkeypatch.setattr(type(subject), "learn", lambda *_: pytest.fail("measured before anything was said"))
    first = next(a for a in curves(subjects, asked | {"layers": ["fc1"], "criteria": ["taylor:largest"]}) if "tick" not in a)
    assert first["provisional"] and first["order"] == np.argsort(-suggested, kind="stable").tolist()


def test_two_questions_share_what_a_criterion_measures_and_a_failure_is_not_remembered(subjects, monkeypatch):
    subject, begun = subjects.at("small", 2.0), []

    def counted(*given):
        begun.append(given[1])
        return stream_quantities(*given)

    monkeypatch.setattr("prunescope.engine.evaluation.subject.stream_quantities", counted)
    one, other = subject.learn("activation-mean", ["fc1"]), subject.learn("activation-zeros:smallest", ["fc2"])
    assert [next(one) is not None, next(other) is not None] == [True, True]
    assert list(one) and not list(other)
    assert begun == ["activation-mean"]
    with pytest.raises(PruningError, match="nowhere"):
        next(subject.learn("taylor", ["nowhere"]))
    assert list(subject.learn("taylor", ["fc1"]))


def test_every_line_has_an_answer_before_any_is_refined(subjects, asked):
    answers = said(curves(subjects, asked | {"layers": ["fc1"], "criteria": ["l2", "l1"]}))
    first_round = [(a["criterion"], a["seed"]) for a in answers[: 2 + RANDOM_ROUNDS]]
    assert len(set(first_round)) == 2 + RANDOM_ROUNDS
    assert all(a["seen"] < a["total"] for a in answers[: 2 + RANDOM_ROUNDS])


def test_questions_about_two_epochs_do_not_disturb_each_other(subjects, asked):
    def ask(epoch):
        return sensitivity(subjects, asked | {"epoch": epoch, "criterion": "l2", "layers": ["fc1", "fc2"]})

    alone = {epoch: said(ask(epoch)) for epoch in (0.0, 2.0)}
    # How many pauses lie between the answers is a matter of the machine's speed.
    in_turns = list(zip_longest(ask(0.0), ask(2.0), fillvalue={"tick": True}))
    assert said(one for one, _ in in_turns) == alone[0.0]
    assert said(other for _, other in in_turns) == alone[2.0]


def test_layers_together_end_with_nothing_left(subjects, asked):
    said = list(curves(subjects, asked | {"layers": ["fc1", "fc2"], "criteria": ["l2"]}))
    *_, last = said
    assert last["removed"][0] == 0 and last["removed"][-1] == 36
    # Asked for by itself, the line of a criterion is the same.
    *_, alone = together(subjects, asked | {"layers": ["fc1", "fc2"], "criterion": "l2"})
    *_, beside = (one for one in said if one.get("criterion") == "l2")
    assert alone["seen"] == alone["total"]
    assert (alone["removed"], alone["correct"]) == (beside["removed"], beside["correct"])


def test_each_unit_alone(subjects, asked):
    *_, last = ablation(subjects, asked | {"layer": "fc2"})
    assert last["correct"] == [without(subjects, "fc2", [unit]) for unit in range(12)]


def test_exactly_the_selected_units_go(subjects, asked):
    *_, last = selection(subjects, asked | {"layer": "fc1", "units": [3, 7, 11]})
    assert last["correct"] == without(subjects, "fc1", [3, 7, 11])
    assert len(last["random"]) == RANDOM_ROUNDS
    with pytest.raises(PruningError, match="units 0 to 23"):
        list(selection(subjects, asked | {"layer": "fc1", "units": [24]}))


def test_shares_of_several_layers_go_together(subjects, asked):
    *_, last = joint(subjects, asked | {"criterion": "l2", "shares": {"fc1": 0.5, "fc2": 0.25}})
    assert last["removed"] == {"fc1": 12, "fc2": 3}


def test_a_layer_that_cannot_be_pruned_does_not_stop_the_others(subjects, asked):
    answers = said(sensitivity(subjects, asked | {"criterion": "l2", "layers": ["nowhere", "fc1"]}))
    assert "nowhere" in answers[0]["problem"]
    assert answers[1]["correct"][0] == without(subjects, "fc1", [])


def test_a_surface_has_a_curve_an_epoch(subjects, asked):
    answers = said(surface(subjects, asked | {"layer": "fc1", "criterion": "l2", "epochs": [0.0, 2.0]}))
    assert [a["epoch"] for a in answers] == [0.0, 2.0]
    assert answers[1]["correct"][0] > answers[0]["correct"][0]


def test_half_the_units_take_half_the_layers_parameters(subjects, asked):
    *_, last = sizes(subjects, asked | {"scope": "layer", "layer": "fc1", "criterion": "l2"})
    at = last["removed"].index(12)
    # 64 inputs and a bias for each of fc1's units, and fc2's 12 weights that read it.
    assert last["params"][0] - last["params"][at] == 12 * (64 + 1) + 12 * 12


def test_what_is_taken_away_loads_elsewhere(subjects, asked, tmp_path):
    ask = asked | {"scope": "layer", "layer": "fc1", "criterion": "l2", "share": 20 / 24, "path": str(tmp_path / "file")}
    path = tmp_path / "file"
    subject = subjects.at("small", 2.0)
    order = order_of(subject, "fc1", "l2")
    expected = without(subjects, "fc1", order[:20])

    def correct(model: nn.Module) -> int:
        return int((model.eval()(subject.inputs).argmax(1) == subject.targets).sum())

    list(take_away(subjects, ask | {"kind": "model"}))
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["state_dict"]["fc1.weight"].shape == (4, 64)
    # 64 inputs and a bias for each unit, and the 12 weights of the next layer that read it.
    sizes_told = checkpoint["sizes"]
    assert sizes_told["before"]["parameters"] - sizes_told["after"]["parameters"] == 20 * (64 + 1 + 12)
    assert sizes_told["after"]["macs"] < sizes_told["before"]["macs"]
    assert sizes_told["after"]["latency_seconds"] > 0
    smaller = remove(copy.deepcopy(subject.model), checkpoint["removed"])
    smaller.load_state_dict(checkpoint["state_dict"])
    assert correct(smaller) == expected

    list(take_away(subjects, ask | {"kind": "mask-json"}))
    told = json.loads(path.read_text())
    assert sorted(told["layers"]["fc1"]["removed"]) == sorted(order[:20].tolist())

    # As torch itself would load it: a fresh network with torch's own pruning in place.
    list(take_away(subjects, ask | {"kind": "mask-state"}))
    state = torch.load(path, weights_only=True)
    fresh = copy.deepcopy(subject.model)
    for tensor in fresh.state_dict().values():
        torch.nn.init.zeros_(tensor)
    for name in [name.removesuffix("_mask") for name in state if name.endswith("_mask")]:
        module, _, parameter = name.rpartition(".")
        mask = state[f"{name}_mask"]
        prune.custom_from_mask(fresh.get_submodule(module), parameter, mask)
    fresh.load_state_dict(state)
    assert correct(fresh) == expected
    with pytest.raises(PruningError, match="mask-json"):
        list(take_away(subjects, ask | {"kind": "everything"}))


def own_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


def own_data():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(40, 6, generator=generator), torch.randint(0, 3, (40,), generator=generator)



def test_a_run_of_an_own_loop_says_what_it_needs(tmp_path, monkeypatch):
    with Recorder(tmp_path, name="mine", model=own_model()) as recorder:
        recorder.log(1, {"val/accuracy": 0.3})
    store = Store(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mynet.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def model():\n    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))\n"
        "def other():\n    return nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 3))\n"
        "def data():\n    return torch.zeros(40, 6), torch.zeros(40, dtype=torch.long)\n"
    )
    with pytest.raises(CannotEvaluate, match="--model module:callable"):
        Subjects(store).at("mine", 0.0)
    with pytest.raises(CannotEvaluate, match="--data module:callable"):
        Subjects(store, model="mynet:model").at("mine", 0.0)
    with pytest.raises(CannotEvaluate, match="does not fit"):
        Subjects(store, model="mynet:other", data="mynet:data").at("mine", 0.0)
    subject = Subjects(store, model="mynet:model", data="mynet:data").at("mine", 0.0)
    np.testing.assert_array_equal(subject.initial["0.weight"], own_model()[0].weight.detach().numpy())


def test_examples_given_to_the_recorder_are_measured_on(tmp_path, monkeypatch):
    inputs, targets = own_data()
    with Recorder(tmp_path, name="mine", model=own_model(), data=(inputs, targets)) as recorder:
        recorder.log(1, {})
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mynet2.py").write_text(
        "from torch import nn\ndef model():\n    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))\n"
    )
    subject = Subjects(Store(tmp_path), model="mynet2:model").at("mine", 1.0)
    assert sorted(subject.targets.tolist()) == sorted(targets.tolist())
