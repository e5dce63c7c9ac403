"""`prunescope prune`: the numbers of the page, and refusals that say what to do."""

import json

import numpy as np
import pytest
import torch
from prunescope.app import cli
from prunescope.engine import RunConfig, Store, train
from prunescope.engine.data import load_for
from prunescope.engine.evaluation.questions import QUESTIONS
from prunescope.engine.evaluation.subject import Subjects
from prunescope.engine.models import build_for
from prunescope.engine.pruning import rank_units

CONFIG = RunConfig(name="small", dataset="digits", model="mlp", hidden=(14, 9), epochs=2, seed=0)


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    threads, gradients = torch.get_num_threads(), torch.is_grad_enabled()
    store = Store(tmp_path_factory.mktemp("prune"))
    train(CONFIG, store)
    yield store.root
    torch.set_num_threads(threads)
    torch.set_grad_enabled(gradients)


@pytest.fixture
def ask(logdir, capsys):
    def run(*flags: str) -> tuple[int, str, str]:
        code = cli.main(["prune", "small", "--logdir", str(logdir), *flags])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("criterion", ["l2:largest", "random", "activation-mean"])
def test_json_has_the_numbers_of_the_page(ask, logdir, criterion):
    code, out, _ = ask("--layer", "fc1", "--criterion", criterion, "--epoch", "1", "--json")
    told = json.loads(out)
    asked = {"run": "small", "epoch": 1.0, "layers": ["fc1"], "criteria": [criterion]}
    on_page = [a for a in QUESTIONS["curves"](Subjects(Store(logdir)), asked) if not a.get("tick")]
    last = {(answer["criterion"], answer["seed"]): answer for answer in on_page}
    main = last[criterion, 0]
    assert code == 0
    assert told["exact"] is True
    assert told["n_examples"] == main["total"] == main["seen"]
    assert (told["order"], told["removed"], told["correct"]) == (main["order"], main["removed"], main["correct"])
    assert told["random_correct"] == [last["random", seed]["correct"] for seed in range(5)]


def test_the_numbers_are_those_of_masks_set_by_hand(ask, logdir):
    _, out, _ = ask("--layer", "fc1", "--criterion", "l2", "--epoch", "2", "--json")
    told = json.loads(out)
    data = load_for(CONFIG)
    model = build_for(CONFIG, data).eval()
    model.load_state_dict(Store(logdir).run("small").state_dict(2.0))
    order, layer, correct = rank_units(model, "fc1", "l2"), model.get_submodule("fc1"), []
    with torch.no_grad():
        for unit in [None, *order.tolist()]:
            if unit is not None:
                layer.weight[unit], layer.bias[unit] = 0, 0
            correct.append(int((model(data.val_x).argmax(1) == data.val_y).sum()))
    assert (told["order"], told["correct"]) == (order.tolist(), correct)
    assert told["n_examples"] == len(data.val_y)


def test_the_table_says_accuracy_interval_and_chance(ask):
    code, out, _ = ask("--layer", "fc1")
    rows = out.splitlines()
    assert code == 0
    assert "accuracy" in rows[0]
    assert "random" in rows[0]
    assert [int(row.split()[0]) for row in rows[1:-1]] == np.round(np.linspace(0, 14, 11)).astype(int).tolist()
    assert "held-out examples, exact" in rows[-1]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--layer", "fc9"], "'fc9' is no layer of small. Use one of fc1, fc2, fc3"),
        (["--criterion", "l7"], "'l7' is unknown. Use one of l2, "),
        (["--epoch", "7"], "7 was not recorded. Use one of 0 to 2"),
        (["--layer", "fc3"], "its units cannot be removed, they are the network's output"),
        (["--layer", "fc1", "--criterion", "bn-scale"], "no BatchNorm stands behind 'fc1'. Use l2 there"),
    ],
)
def test_a_wrong_question_ends_with_2_and_says_what_to_do(ask, flags, said):
    code, out, error = ask(*flags)
    assert (code, out) == (2, "")
    assert said in error


def test_an_unknown_run_is_named(logdir, capsys):
    assert cli.main(["prune", "nobody", "--logdir", str(logdir)]) == 2
    assert "nobody" in capsys.readouterr().err
