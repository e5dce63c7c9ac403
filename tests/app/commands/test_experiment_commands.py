"""`prunescope tickets|schedule|sweep|recipes|experiments`: exit codes, JSON, skipping what is done."""

import json

import pytest
from prunescope.app import cli
from prunescope.engine.experiments import supervisor
from prunescope.engine.experiments.task import run_cell

SMALL = ["--set=run.train_examples=320", "--set=run.epochs=1", "--set=run.hidden=[4]", "--set=seeds=[0]"]
SWEEP = ["sweep", "--recipe", "digits-width", *SMALL, "--set=sweep.grid={hidden=[[4],[8]]}"]


@pytest.fixture
def shell(tmp_path, capsys, monkeypatch):
    """Run a command in this process, in a log directory of its own; runs are computed here too."""

    class Here:
        """An executor without processes."""

        def submit(self, task):
            from concurrent.futures import Future

            future = Future()
            try:
                future.set_result(task())
            except Exception as error:
                future.set_exception(error)
            return future

        def shutdown(self, **_):
            pass

    monkeypatch.setattr(supervisor, "open_executor", lambda url: Here())

    def run(*arguments):
        code = cli.main([*arguments, *(() if arguments[0] == "recipes" else ("--logdir", str(tmp_path / "runs")))])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_sweep_is_computed_shown_and_skipped_the_second_time(shell, monkeypatch):
    code, out, err = shell(*SWEEP)
    assert code == 0, err
    assert "hidden 8" in out
    assert "0 of 2 runs are there already" in err
    monkeypatch.setattr(supervisor, "run_cell", None)  # nothing is left to do
    code, out, err = shell(*SWEEP, "--json")
    assert code == 0
    assert "2 of 2 runs are there already" in err
    shown = json.loads(out)
    assert shown["counts"]["done"] == 2
    assert {run["state"] for run in shown["runs"]} == {"done"}


def test_a_failed_run_is_exit_code_1_and_retry_queues_it_again(shell, monkeypatch):
    def fail(root, experiment, key, *, trusted):
        raise RuntimeError("no luck")

    monkeypatch.setattr(supervisor, "run_cell", fail)
    code, out, _ = shell(*SWEEP)
    assert code == 1
    assert "RuntimeError: no luck" in out
    monkeypatch.setattr(supervisor, "run_cell", run_cell)
    assert shell(*SWEEP)[0] == 1
    assert shell(*SWEEP, "--retry")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tickets", "--recipe", "digits-lenet", "--set=tickets.rate=1.5"], "tickets.rate: 1.5 is outside (0, 1]"),
        (["tickets", "--recipe", "digits-lennet"], "Did you mean 'digits-lenet'"),
        (["tickets", "--recipe", "digits-width"], "prunescope sweep --recipe digits-width"),
        (["tickets", "--recipe", "digits-lenet", "--executor", "slurm:"], "not supported"),
        (["experiments", "show", "none"], "no experiment 'none'"),
        (["tickets", "--recipe", "digits-lenet", "--set=tickets.rewind=epoch", "--set=tickets.rewind_at=16"],
         "not before the end of training (16)"),
        (["tickets", "--recipe", "digits-lenet", "--set=tickets.arms=['reinit']"], "add ticket, their parent"),
        (["sweep", "--recipe", "digits-width", "--set=sweep.grid={}"], "nothing to sweep"),
        (["schedule", "--recipe", "digits-li", "--set=run.model=mlp"], "'conv1', 'conv2' match no layer of mlp: it has fc1, fc2"),
    ],
)
def test_what_is_asked_wrongly_is_exit_code_2_with_what_to_do(shell, arguments, said):
    code, out, err = shell(*arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_a_dry_run_lists_the_runs_and_makes_nothing(shell, tmp_path):
    code, out, _ = shell("tickets", "--recipe", "digits-lenet", "--dry-run")
    assert code == 0
    assert "s0-ticket-02" in out
    assert "81 runs, about 102 MB on the disk, about" in out
    assert "of computing on one core" in out
    assert not (tmp_path / "runs").exists()


def test_recipes_are_listed_and_printed(shell):
    code, out, _ = shell("recipes", "--json")
    assert code == 0
    listed = {recipe["name"]: recipe for recipe in json.loads(out)}
    assert listed["digits-lenet"]["command"] == "tickets"
    assert listed["digits-li"]["command"] == "schedule"
    assert listed["digits-lenet"]["runs"] == 81
    code, out, _ = shell("recipes", "digits-lenet")
    assert out.startswith('kind = "tickets"')
    assert shell("recipes", "nonsense")[0] == 2


def test_a_queue_is_steered_from_the_shell(shell, monkeypatch):
    shell(*SWEEP)
    (experiment,) = json.loads(shell("experiments", "ls", "--json")[1])
    assert experiment["state"] == "done"
    name = experiment["id"]
    code, _, err = shell("experiments", "retry", name, "s0-p0000")
    assert code == 2
    assert "only a run that is failed or cancelled can retry" in err
    assert shell("experiments", "pause", name)[0] == 0
    code, _, err = shell("experiments", "resume", name)
    assert code == 0
    assert f"No process works on {name}. Go on with: prunescope sweep --recipe digits-width" in err
    assert shell("experiments", "cancel", name)[0] == 0  # nothing is left to cancel: what is done stays
    assert json.loads(shell("experiments", "ls", "--json")[1])[0]["counts"]["done"] == 2
    code, out, _ = shell("experiments", "show", name)
    assert "hidden 4" in out


def test_a_report_is_written(shell, tmp_path):
    shell(*SWEEP, "--report", str(tmp_path / "report"))
    page = (tmp_path / "report" / "index.html").read_text()
    assert "prunescope sweep --recipe digits-width" in page
    assert page.count('class="plot"') > 2  # accuracy and Neyshabur's measures, as on the Sweep page
    (experiment,) = json.loads(shell("experiments", "ls", "--json")[1])
    code, out, _ = shell("experiments", "report", experiment["id"], "--to", str(tmp_path / "again"))
    assert code == 0
    assert out.strip().endswith("index.html")
