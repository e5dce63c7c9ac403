"""`prunescope train`: where settings come from, exit codes, and what Ctrl-C keeps."""

import argparse
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from prunescope.app import cli
from prunescope.app.commands import train
from prunescope.engine.config import ConfigError, field_specs
from prunescope.engine.data import DATASETS
from prunescope.engine.store import Store

QUICK = ["--threads", "1", "--train-examples", "100", "--batch-size", "50"]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch) -> None:
    for name in list(os.environ):
        if name.startswith("PRUNESCOPE_"):
            monkeypatch.delenv(name)


def parse(*flags: str) -> argparse.Namespace:
    return cli._parser().parse_args(["train", *flags])


def test_every_setting_has_a_flag() -> None:
    options = vars(parse())
    assert {spec.name for spec in field_specs()} <= set(options)


def test_flag_before_environment_before_file_before_preset_before_default(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('epochs = 30\nlr = 0.3\nseed = 3\n')
    options = parse("--preset", "demo", "--config", str(file), "--epochs", "10")
    environment = {"PRUNESCOPE_EPOCHS": "20", "PRUNESCOPE_LR": "0.2"}
    config = train.settings_of(options, environment)
    assert config.epochs == 10  # flag
    assert config.lr == 0.2  # environment
    assert config.seed == 3  # file
    assert config.init_scale == 0.1  # preset
    assert config.momentum == 0.9  # default


def test_lists_and_switches_come_from_every_source(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('model = "mlp"\nhidden = [30, 20]\ndurable = true\n')
    config = train.settings_of(parse("--config", str(file), "--layers", "fc1,fc*"), {})
    assert (config.hidden, config.durable, config.layers) == ((30, 20), True, ("fc1", "fc*"))
    options = parse("--model", "mlp", "--hidden", "9,8", "--no-durable")
    config = train.settings_of(options, {"PRUNESCOPE_DURABLE": "yes"})
    assert (config.hidden, config.durable) == ((9, 8), False)


def test_the_shell_may_name_code_of_its_own() -> None:
    assert train.settings_of(parse("--model", "json:loads"), {}).model == "json:loads"


def test_problems_of_all_sources_come_at_once(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('colour = "red"\n')
    options = parse("--config", str(file), "--epochs", "many")
    with pytest.raises(ConfigError) as caught:
        train.settings_of(options, {"PRUNESCOPE_LR": "fast"})
    assert set(caught.value.problems) == {"colour", "epochs", "lr"}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--epochs", "0"], "--epochs: 0 is out of range"),
        (["--batch-size", "x"], "--batch-size: 'x' is not a whole number"),
        (["--dataset", "digit"], "Did you mean 'digits'?"),
        (["--model", "xord-net"], "--model: xord-net takes pairs"),
        (["--resume", "absent"], "no run 'absent'"),
        (["--resume", "absent", "--epochs", "3"], "leave out --epochs"),
        (["--config", "/nowhere/run.toml"], "cannot be read"),
        (["--layers", "conv9,zz*"], "--layers: conv9, zz* matches no layer of channels, which has conv1, fc1."),
        (["--no-such-flag"], "unrecognized arguments"),
    ],
)
def test_what_cannot_be_started_ends_with_2_and_makes_no_run(
    tmp_path: Path, capsys, flags: list[str], said: str
) -> None:
    command = ["train", "--logdir", str(tmp_path / "runs"), *flags]
    try:
        code = cli.main(command)
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_no_toml_ends_with_2(tmp_path: Path, capsys) -> None:
    file = tmp_path / "run.toml"
    for text in (b"epochs: 3", b"\xff", b"epochs = "):
        file.write_bytes(text)
        assert cli.main(["train", "--config", str(file)]) == 2
        assert "TOML" in capsys.readouterr().err


def test_offline_a_dataset_that_is_not_here_ends_with_2_and_makes_no_run(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], mirrors=(f"file://{tmp_path}/nowhere/",)))
    command = ["train", "--logdir", str(tmp_path / "runs"), "--dataset", "mnist", "--data-dir", str(tmp_path)]
    assert cli.main(command) == 2
    said = capsys.readouterr().err
    assert f"--dataset: mnist is not in {tmp_path / 'MNIST' / 'raw'}" in said
    assert "Put there: train-images-idx3-ubyte, " in said
    assert not (tmp_path / "runs").exists()


def test_a_run_remembers_its_data_folder_as_a_whole_path(tmp_path: Path, monkeypatch, capsys) -> None:
    """It is resumed, and measured by the dashboard, from other folders than the one it was started in."""
    for name in ("a/cat/1.png", "a/cat/2.png", "a/dog/1.png", "a/dog/2.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), len(name)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    flags = ["--dataset", "folder", "--data-dir", "a", "--model", "mlp", "--hidden", "2", "--epochs", "1", "--threads", "1"]
    assert cli.main(["train", *flags]) == 0
    assert "training images 100%\nvalidation images 100%\n" in capsys.readouterr().err
    (run,) = Store(tmp_path / "runs").runs()
    assert run.config["data_dir"] == str(tmp_path / "a")


def test_reading_and_fetching_are_told_by_tenths_where_there_is_no_terminal(capsys) -> None:
    teller = train.Teller()
    for done in range(1, 101):
        teller.tell("train-images.gz", done, 100)
    teller.tell("labels.gz", 5, 0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "train-images.gz 1%"
    assert lines[-2:] == ["train-images.gz 100%", "labels.gz 5"]
    assert len(lines) == 12


def test_a_training_prints_its_result_for_a_machine_and_its_progress_for_a_person(tmp_path: Path, capsys) -> None:
    root = tmp_path / "runs"
    assert cli.main(["train", "--logdir", str(root), "--epochs", "2", "--json", *QUICK]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["status"] == "done"
    assert result["epoch"] == 2
    assert "epoch 2 of 2" in captured.err
    assert Store(root).run(result["run"]).epochs.tolist() == [0, 1, 2]


def test_a_finished_run_is_not_resumed(tmp_path: Path, capsys) -> None:
    root = str(tmp_path / "runs")
    assert cli.main(["train", "--logdir", root, "--epochs", "1", "--name", "short", *QUICK]) == 0
    assert cli.main(["train", "--logdir", root, "--resume", "short"]) == 2
    assert "nothing to resume" in capsys.readouterr().err


def test_a_training_that_fails_ends_with_1_and_says_why(tmp_path: Path, capsys) -> None:
    flags = ["--optimizer", "sgd", "--lr", "1000", "--init-scale", "100", "--epochs", "3"]
    assert cli.main(["train", "--logdir", str(tmp_path), *flags, *QUICK]) == 1
    assert "failed" in capsys.readouterr().err
    assert Store(tmp_path).runs()[0].status == "failed"


def test_ctrl_c_keeps_every_finished_epoch_and_resume_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "prunescope.app.cli", "train", "--logdir", str(tmp_path)]
    flags = ["--name", "long", "--epochs", "40", "--min-epoch-seconds", "0.2"]
    process = subprocess.Popen([*command, *flags, *QUICK], stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("epoch 2 "):
            break
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 1
    assert "Traceback" not in rest
    assert f"--resume long --logdir {tmp_path}" in rest
    run = Store(tmp_path).run("long")
    assert run.status == "stopped"
    kept = run.epochs.tolist()
    assert kept[:3] == [0, 1, 2]
    resumed = subprocess.Popen([*command, "--resume", "long"], stderr=subprocess.PIPE, text=True)
    for line in resumed.stderr:
        if line.startswith("epoch "):
            break
    resumed.send_signal(signal.SIGINT)
    resumed.stderr.read()
    resumed.stderr.close()
    assert resumed.wait(timeout=60) == 1
    again = Store(tmp_path).run("long").epochs.tolist()
    assert again[: len(kept)] == kept
    assert len(again) > len(kept)
