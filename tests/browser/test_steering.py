"""Runs are started, steered, lost and brought back from the page."""

import os
import re
import signal

import pytest
from prunescope.engine.launch import launch
from prunescope.engine.store import LayerInfo

# XORD loads without scikit-learn; a tenth of a second an epoch leaves time to press a button.
SLOW = {
    "dataset": "xord", "model": "mlp", "hidden": [8], "epochs": 2000, "threads": 1, "batch_size": 32,
    "min_epoch_seconds": 0.1,
}  # fmt: skip


@pytest.fixture(scope="module")
def server(serve):
    return serve()


@pytest.fixture
def training(server, wait):
    """A real training in a process of its own, under way."""
    run = server.store.run(launch(server.store, SLOW, name="slow"))
    wait(lambda: run.status == "running" and len(run.epochs) > 2, "the training was under way")
    yield run
    if run.status in ("running", "paused", "not responding"):
        run.request("stop")
        wait(lambda: run.status == "stopped", "the training stopped")
    run.close()


def press(tab, run_id, action):
    tab.page.locator(f'[data-run="{run_id}"] [data-action="{action}"]').click()


def choose_in_menu(tab, run_id, words):
    item = tab.page.locator(f'[data-run="{run_id}"]')
    item.get_by_role("button", name="More about").click()
    item.get_by_role("menuitem", name=words).click()


def status_is(tab, run_id, status):
    tab.until("document.querySelector(`[data-run='${arg[0]}']`)?.dataset.status === arg[1]", [run_id, status])


def test_pause_resume_and_stop_from_the_page(tab, training):
    tab.sign_in().choose(training.id, "overview").drawn("overview")
    press(tab, training.id, "pause")
    status_is(tab, training.id, "paused")
    paused_at = training.epochs[-1]
    tab.drawn("overview", epoch=paused_at)
    press(tab, training.id, "resume")
    status_is(tab, training.id, "running")
    tab.drawn("overview", at_least=int(paused_at) + 3)
    press(tab, training.id, "stop")
    status_is(tab, training.id, "stopped")
    assert "stopped" in tab.page.locator("#badge").text_content()


def test_a_killed_training_is_shown_as_interrupted_and_resume_goes_on(tab, training):
    tab.sign_in().choose(training.id, "overview").drawn("overview")
    known = len(training.epochs)
    lock = (training.path / "lock").read_text()
    os.kill(int(re.search(r'"pid": *(\d+)', lock)[1]), signal.SIGKILL)
    status_is(tab, training.id, "interrupted")
    assert len(training.epochs) >= known
    known = len(training.epochs)
    press(tab, training.id, "resume")
    status_is(tab, training.id, "running")
    tab.drawn("overview", at_least=known + 2)


def test_a_wrong_value_in_the_form_says_so_beside_its_field_and_a_right_one_starts(tab, server):
    tab.expected = ["status of 422"]
    page = tab.sign_in().page
    page.get_by_role("button", name="New run").first.click()
    form = page.locator("dialog form")
    form.get_by_label("Epochs", exact=True).fill("0")
    form.get_by_label("Name").fill("from the page")
    form.get_by_role("button", name="Start training").click()
    problem = page.locator("#field-epochs-problem")
    tab.until("document.getElementById('field-epochs-problem').textContent !== ''")
    assert "0" in problem.text_content() and "1" in problem.text_content()
    assert form.get_by_label("Epochs", exact=True).get_attribute("aria-invalid") == "true"
    assert form.get_by_label("Epochs", exact=True).evaluate("e => e === document.activeElement")
    assert not [run for run in server.store.runs() if run.name == "from the page"]
    form.get_by_label("Epochs", exact=True).fill("3")
    form.get_by_label("Dataset").select_option("xord")
    form.get_by_label("Model").select_option("mlp")
    form.get_by_role("button", name="Start training").click()
    page.locator("dialog").wait_for(state="detached")
    tab.drawn("overview", epoch=3, at_least=4)
    (run,) = [run for run in server.store.runs() if run.name == "from the page"]
    assert run.config["epochs"] == 3
    status_is(tab, run.id, "done")
    run.close()


def test_without_the_token_a_page_can_look_but_not_steer(tab, training):
    tab.choose(training.id, "overview").drawn("overview")
    press(tab, training.id, "stop")
    tab.page.locator("#toast").get_by_text("token").wait_for()
    assert training.status == "running"


def test_a_deleted_run_can_be_brought_back(tab, server, record):
    run = record(server, "short-lived")
    run.commit(0, 1)
    run.close()
    tab.sign_in().choose(run.id, "overview").drawn("overview")
    choose_in_menu(tab, run.id, "Delete")
    tab.page.locator(f'[data-run="{run.id}"]').wait_for(state="detached")
    tab.page.locator("#toast").get_by_role("button", name="Undo").click()
    tab.page.locator(f'[data-run="{run.id}"]').wait_for()


def test_a_renamed_run_is_called_so_everywhere(tab, server, record):
    run = record(server, "nameless")
    run.commit(0, 1)
    run.close()
    tab.sign_in().choose(run.id).drawn("alignment", epoch=1)
    choose_in_menu(tab, run.id, "Rename")
    tab.page.get_by_label("New name").fill("the good one")
    tab.page.keyboard.press("Enter")
    tab.page.locator(f'[data-run="{run.id}"] .run-name').get_by_text("the good one").wait_for()
    assert server.store.run(run.id).name == "the good one"


def test_an_empty_folder_teaches_how_to_fill_it(serve, profile):
    server = serve()
    with profile(server) as new_tab:
        tab = new_tab().sign_in()
        tab.page.get_by_role("heading", name="Nothing recorded here yet.").wait_for()
        words = tab.page.locator(".welcome").text_content()
        assert str(server.logdir) in words
        assert "prunescope train --dataset digits" in words and "Recorder(" in words
        tab.page.locator(".welcome").get_by_role("button", name="New run").click()
        tab.page.get_by_role("button", name="Start training").wait_for()


def test_a_damaged_run_says_so_while_the_others_work(tab, server, record):
    good, bad = record(server, "sound"), record(server, "broken")
    for run in (good, bad):
        run.commit(0, 1, 2)
        run.close()
    (server.store.run(bad.id).path / "store" / "cache.db").write_bytes(b"no database" * 400)
    tab.open(f"/overview?run={bad.id}")
    status_is(tab, bad.id, "damaged")
    tab.page.locator("[data-notice].is-error:visible").get_by_text("broken").wait_for()
    tab.page.locator(f'[data-run="{good.id}"] .run-pick').click()
    tab.drawn("overview", epoch=2)
    # Its weights fit no network that could be built: the one figure that measures says so, the rest of the page stands.
    tab.until("document.querySelector('[data-figure=layer-prunable]').dataset.failed?.includes('does not fit')")
    assert tab.page.locator("[data-notice].is-error:visible").count() == 0


def test_names_out_of_a_run_are_text_never_markup(tab, server, record):
    name = '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>'
    run = record(server, name, layers=(LayerInfo(name="<b>bold</b>", kind="linear", units=4, fan_in=3, shape=(4, 3)),))
    run.commit(0, 1, 2)
    run.close()
    for page in ("overview", "alignment", "trajectories"):
        tab.choose(run.id, page).drawn(page, epoch=2)
        assert tab(f"document.getElementById('{page}-sub').textContent").startswith(name)
        assert tab("window.hacked === undefined && !document.querySelector('img, main script, aside script')")
    assert tab.page.locator(f'[data-run="{run.id}"] .run-name').text_content() == name
    tab.choose(run.id, "overview").drawn("overview", epoch=2)
    tab.page.locator(tab.plot("layer-rank") + " .nsewdrag").hover()
    assert tab("document.querySelector('#page-overview b') === null")
