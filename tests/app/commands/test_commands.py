"""The other commands: what they print, and how they end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prunescope.app import cli
from prunescope.app.commands import imports, ui
from prunescope.app.commands.common import Problem
from prunescope.engine.store import Store


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch) -> None:
    for name in list(os.environ):
        if name.startswith("PRUNESCOPE_"):
            monkeypatch.delenv(name)


def run(*arguments: str) -> int:
    try:
        return cli.main(list(arguments))
    except SystemExit as ended:
        return ended.code


def test_help_names_every_command(capsys) -> None:
    assert run("--help") == 0
    out = capsys.readouterr().out
    for command in ("demo", "ui", "train", "runs", "import", "doctor"):
        assert command in out


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["runs"], ["ui", "--port"], ["runs", "show"]])
def test_an_incomplete_command_ends_with_2(arguments: list[str], capsys) -> None:
    assert run(*arguments) == 2


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--port", "65536"], "not a port"),
        (["--port", "-1"], "not a port"),
        (["--port", "eight"], "not a port"),
        (["--token", "short"], "at least 16"),
        (["--allowed-hosts", "*.com"], "not a host name"),
        (["--read-only", "--allow-changes"], "contradict"),
        (["--host", "192.0.2.1"], "cannot listen at 192.0.2.1"),
    ],
)
def test_a_server_that_cannot_be_as_asked_ends_with_2(tmp_path: Path, capsys, flags: list[str], said: str) -> None:
    assert run("ui", "--no-open", "--logdir", str(tmp_path), *flags) == 2
    assert said in capsys.readouterr().err


def parsed(*flags: str) -> object:
    return cli._parser().parse_args(["ui", *flags])


def test_the_environment_stands_in_for_flags_and_flags_go_before_it(monkeypatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_PORT", "1234")
    monkeypatch.setenv("PRUNESCOPE_LOGDIR", "elsewhere")
    monkeypatch.setenv("PRUNESCOPE_OPEN", "no")
    monkeypatch.setenv("PRUNESCOPE_ALLOWED_HOSTS", "a.org, b.org")
    monkeypatch.setenv("PRUNESCOPE_TOKEN", "from-the-environment")
    options = parsed("--port", "99")
    assert (options.port, options.logdir, options.open) == (99, Path("elsewhere"), False)
    assert parsed().port == 1234
    assert parsed("--open").open is True
    settings = ui.settings_from(options)
    assert settings.token == "from-the-environment"
    assert {"a.org", "b.org"} <= settings.hosts


@pytest.mark.parametrize(("name", "value"), [("PRUNESCOPE_PORT", "x"), ("PRUNESCOPE_READ_ONLY", "perhaps")])
def test_a_bad_variable_ends_with_2_as_a_bad_flag_does(monkeypatch, capsys, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert run("ui", "--no-open") == 2
    assert value in capsys.readouterr().err


def test_two_launches_have_two_tokens() -> None:
    first, second = (ui.settings_from(parsed()).token for _ in range(2))
    assert first != second
    assert len(first) >= 43  # 32 bytes in base 64


def test_an_empty_folder_has_no_runs_and_that_is_no_error(tmp_path: Path, capsys) -> None:
    assert run("runs", "ls", "--logdir", str(tmp_path / "none")) == 0
    assert "No runs" in capsys.readouterr().out
    assert run("runs", "ls", "--json", "--logdir", str(tmp_path / "none")) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_runs_are_listed_shown_renamed_and_removed(store: Store, record, capsys) -> None:
    where = ["--logdir", str(store.root)]
    record("one", lr=0.5)
    record("two")
    assert run("runs", "rename", "one", "a better name", *where) == 0
    assert run("runs", "ls", *where) == 0
    assert "a better name" in capsys.readouterr().out
    assert run("runs", "show", "one", "--json", *where) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["config"], shown["epochs"]) == ("a better name", {"lr": 0.5}, [0, 1])
    assert run("runs", "show", "one", *where) == 0
    assert "snapshots: 2, epoch 0 to 1" in capsys.readouterr().out
    # By the name that its owner gave it, too.
    assert run("runs", "show", "a better name", *where) == 0
    assert "id: one" in capsys.readouterr().out
    assert run("runs", "rm", "a better name", "--json", *where) == 0
    assert json.loads(capsys.readouterr().out) == {"runs": ["one"]}
    assert [left.id for left in store.runs()] == ["two"]
    assert store.trash() == ["one"]


def test_one_wrong_name_among_several_removes_nothing(store: Store, record, capsys) -> None:
    record("one")
    assert run("runs", "rm", "one", "onw", "--logdir", str(store.root)) == 2
    assert "onw" in capsys.readouterr().err
    assert [left.id for left in store.runs()] == ["one"]


def test_a_name_without_a_visible_character_and_a_folder_that_is_a_file_end_with_2(
    store: Store, record, tmp_path: Path, capsys
) -> None:
    record("one")
    assert run("runs", "rename", "one", " ", "--logdir", str(store.root)) == 2
    (tmp_path / "file").write_text("no runs")
    assert run("ui", "--no-open", "--port", "0", "--logdir", str(tmp_path / "file")) == 2
    assert "is a file" in capsys.readouterr().err


def test_a_run_that_is_written_is_not_removed(store: Store, capsys) -> None:
    run_id = store.create_run({}, name="busy")
    with store.writer(run_id):
        assert run("runs", "rm", run_id, "--logdir", str(store.root)) == 1


def test_a_name_cannot_repaint_the_terminal(store: Store, record, capsys) -> None:
    record("one", note="\x1b[2Jgone\x07")
    for action in (["ls"], ["show", "one"]):
        assert run("runs", *action, "--logdir", str(store.root)) == 0
        assert "\x1b" not in capsys.readouterr().out


def test_the_doctor_finds_this_machine_fit_and_leaves_nothing_behind(tmp_path: Path, capsys) -> None:
    assert run("doctor", "--json", "--logdir", str(tmp_path / "runs")) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert {"python", "torch", "logdir", "torch works", "browser"} <= set(checks)
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_ends_with_1_when_no_run_can_be_recorded(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("in the way")
    assert run("doctor", "--logdir", str(tmp_path / "file" / "runs")) == 1
    assert "BAD  logdir" in capsys.readouterr().out


def names(*files: str) -> list[Path]:
    return [Path(name) for name in files]


def test_the_one_number_in_which_files_differ_is_the_epoch() -> None:
    assert imports.epochs_of(names("v2-e0.pt", "v2-e5.pt", "v2-e10.pt")) == [0, 5, 10]
    assert imports.epochs_of(names("e1-0.1.pt", "e2-0.2.pt")) == [1, 2]
    assert imports.epochs_of(names("first.pt", "second.pt")) == [1, 2]
    assert imports.epochs_of(names("e01.pt", "e1.pt")) == [1, 2]
    assert imports.epochs_of(names("only7.pt")) == [1]


def test_files_come_in_natural_order_each_once(tmp_path: Path) -> None:
    for name in ("e10.pt", "e2.pt", "e1.pt"):
        (tmp_path / name).touch()
    found = imports.find_files([str(tmp_path / "*.pt"), str(tmp_path / "e1.pt")])
    assert [path.name for path in found] == ["e1.pt", "e2.pt", "e10.pt"]


NETS = """
from torch import nn

def small():
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))

def other():
    return nn.Sequential(nn.Linear(5, 4))

number = 3
"""

@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch) -> Path:
    torch = pytest.importorskip("torch")
    (tmp_path / "nets_for_import.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "nets_for_import", raising=False)
    from nets_for_import import small

    folder = tmp_path / "mine"
    folder.mkdir()
    for epoch in range(3):
        model = small()
        with torch.no_grad():
            model[0].weight.fill_(epoch)
        state = {f"module.{name}": value for name, value in model.state_dict().items()}
        torch.save({"epoch": epoch, "state_dict": state}, folder / f"e{epoch}.pt")
    return folder


def test_checkpoints_become_a_run(checkpoints: Path, tmp_path: Path, capsys) -> None:
    root = tmp_path / "runs"
    arguments = [str(checkpoints / "*.pt"), "--model", "nets_for_import:small", "--logdir", str(root), "--json"]
    assert run("import", *arguments) == 0
    made = json.loads(capsys.readouterr().out)
    imported = Store(root).run(made["run"])
    assert (imported.name, imported.kind, imported.status) == ("mine", "import", "done")
    assert imported.epochs.tolist() == [0, 1, 2]
    assert [layer.name for layer in imported.layers] == ["0", "2"]
    assert (imported.weights("0", 2) == 2).all()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("nets_for_import:other", "does not fit the model"),
        ("nets_for_import:absent", "absent"),
        ("nets_for_import:number", "not callable"),
        ("no_such_module:small", "no module named"),
        ("small", "not module:callable"),
    ],
)
def test_a_model_that_is_not_theirs_ends_with_2_and_makes_no_run(
    checkpoints: Path, tmp_path: Path, capsys, model: str, said: str
) -> None:
    assert run("import", str(checkpoints / "*.pt"), "--model", model, "--logdir", str(tmp_path / "runs")) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


class Planted:
    """Unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


def test_a_checkpoint_that_holds_code_runs_none(checkpoints: Path, tmp_path: Path, capsys) -> None:
    import torch

    torch.save({"state_dict": Planted(tmp_path / "planted")}, checkpoints / "e0.pt")
    (checkpoints / "e1.pt").write_bytes(b"no checkpoint")
    for file in ("e0.pt", "e1.pt"):
        assert run("import", str(checkpoints / file), "--model", "nets_for_import:small") == 2
        assert "torch.save(model.state_dict()" in capsys.readouterr().err
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize("payload", [[], {}, {"state_dict": {"a": 1}}])
def test_a_checkpoint_without_weights_is_said(payload: object) -> None:
    with pytest.raises(Problem, match="holds no state dict"):
        imports.weights_in(payload, Path("x.pt"))


def test_no_file_ends_with_2(capsys) -> None:
    assert run("import", "/nowhere/*.pt", "--model", "a:b") == 2
    assert "no file matches" in capsys.readouterr().err


def test_the_demo_says_when_it_cannot_record_here(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("in the way")
    assert run("demo", "--no-open", "--logdir", str(tmp_path / "file")) == 1
    assert "cannot start" in capsys.readouterr().err


def test_the_demo_opens_on_its_own_run_and_ends_with_its_training(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "prunescope.app.cli", "demo", "--no-open", "--port", "0"]
    command += ["--logdir", str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    line = process.stderr.readline()
    assert re.search(r"/alignment\?run=demo&follow=1&token=", line)
    demo = Store(tmp_path).run("demo")
    deadline = time.monotonic() + 60
    while demo.head.n_snapshots < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert demo.head.n_snapshots >= 2
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0
    process.stderr.close()
    while demo.status == "running" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert demo.status == "stopped"
