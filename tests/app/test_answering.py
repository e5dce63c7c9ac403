"""A training loop of one's own answers about its network: real processes, asked, killed."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time

import pytest
import torch
from prunescope.app.evaluator import Evaluator, EvaluatorError
from prunescope.engine import Recorder, Store
from prunescope.engine.evaluation.answered import answerer
from torch import nn

# A class that no other process can import, data from a function, and a loop that goes on until it is told to stop.
LOOP = """
import sys, time
from pathlib import Path
import torch
from torch import nn
from prunescope.engine import Recorder

class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)
    def forward(self, x):
        return self.second(torch.relu(self.first(x)))

def held_out():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(700, 6, generator=generator), torch.randint(0, 3, (700,), generator=generator)

torch.set_num_threads(1)
torch.manual_seed(0)
model = Mine()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
inputs, targets = held_out()
folder = Path(sys.argv[1])
with Recorder(folder / "runs", name="mine", model=model, measure_on=held_out) as recorder:
    print(recorder.run_id, flush=True)
    for epoch in range(1, 10_000):
        for _ in range(5):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
        if epoch <= 3:
            recorder.log(epoch)
        time.sleep(0.005)
        if (folder / "stop").exists():
            break
torch.save((epoch, model.state_dict()), folder / "last.pt")
"""


def held_out():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(700, 6, generator=generator), torch.randint(0, 3, (700,), generator=generator)


@pytest.fixture
def loop(tmp_path):
    """The loop in a process of its own, and its run."""
    script = tmp_path / "loop.py"
    script.write_text(textwrap.dedent(LOOP))
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    run_id = process.stdout.readline().strip()
    yield process, run_id
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def evaluator(tmp_path):
    found = Evaluator(tmp_path / "runs")
    yield found
    found.close()


def naive(run, removed) -> int:
    state = run.state_dict(1.0)
    keep = torch.ones(8)
    keep[removed] = 0
    inputs, targets = held_out()
    hidden = torch.relu(inputs @ state["first.weight"].T + state["first.bias"]) * keep
    return int(((hidden @ state["second.weight"].T + state["second.bias"]).argmax(1) == targets).sum())


def await_epoch(run):
    while 1.0 not in run.epochs:
        time.sleep(0.02)


def test_the_loop_answers_exactly_while_it_trains_and_trains_as_if_unasked(tmp_path, loop, evaluator):
    process, run_id = loop
    run = Store(tmp_path / "runs").run(run_id)
    await_epoch(run)
    last = {}
    asked = {"run": run_id, "epoch": 1.0, "layers": ["first"], "criteria": ["l2"]}
    for answer in evaluator.ask("curves", **asked):
        last[answer["criterion"], answer["seed"]] = answer
    main = last["l2", 0]
    assert main["seen"] == main["total"] == 700
    assert main["correct"] == [naive(run, main["order"][:m]) for m in main["removed"]]
    # It was the loop that answered: the dashboard has started no process of its own.
    assert evaluator._process is None
    (tmp_path / "stop").touch()
    assert process.wait(timeout=60) == 0
    epochs, state = torch.load(tmp_path / "last.pt", weights_only=True)
    assert all(torch.equal(tensor, trained_alone(epochs)[name]) for name, tensor in state.items())


def trained_alone(epochs: int) -> dict[str, torch.Tensor]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    first, second = nn.Linear(6, 8), nn.Linear(8, 3)
    optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.1)
    inputs, targets = held_out()
    for _ in range(5 * epochs):
        optimizer.zero_grad()
        nn.functional.cross_entropy(second(torch.relu(first(inputs))), targets).backward()
        optimizer.step()
    torch.set_num_threads(threads)
    return {f"{name}.{key}": value for name, module in (("first", first), ("second", second))
            for key, value in module.state_dict().items()}  # fmt: skip


def test_after_the_loop_has_gone_the_page_is_told_what_is_needed(tmp_path, loop, evaluator):
    process, run_id = loop
    run = Store(tmp_path / "runs").run(run_id)
    await_epoch(run)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with pytest.raises(EvaluatorError, match=r"--model module:callable.*measure_on"):
        list(evaluator.ask("ablation", run=run_id, epoch=1.0, layer="first"))


def test_a_wrong_layer_and_failing_data_are_sentences_and_the_next_question_is_answered(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    evaluator = Evaluator(tmp_path)
    calls = []

    def data():
        # In the other process, which keeps this list.
        calls.append(1)
        if len(calls) == 1:
            raise OSError("the disk is away")
        return held_out()

    with Recorder(tmp_path, model=model, measure_on=data) as recorder:
        while not len(Store(tmp_path).run(recorder.run_id).epochs):
            time.sleep(0.02)
        asked = {"run": recorder.run_id, "epoch": 0.0}
        with pytest.raises(EvaluatorError, match="the disk is away"):
            list(evaluator.ask("ablation", **asked, layer="0"))
        with pytest.raises(EvaluatorError, match="'nowhere'"):
            list(evaluator.ask("ablation", **asked, layer="nowhere"))
        *_, last = evaluator.ask("ablation", **asked, layer="0")
        assert last["seen"] == 700
    assert answerer(tmp_path / recorder.run_id) is None


def test_a_stranger_without_the_token_is_not_answered(tmp_path):
    with Recorder(tmp_path, model=nn.Linear(6, 3), measure_on=held_out) as recorder:
        connection, _ = answerer(tmp_path / recorder.run_id)
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b'{"ask": "ablation", "token": "guessed"}\n')
            assert lines.read() == b""


def test_a_port_that_went_to_another_program_is_not_asked(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        (tmp_path / "answers.json").write_text(f'{{"port": {other.getsockname()[1]}, "token": "x"}}')
        assert answerer(tmp_path) is None
