"""Experiments from the page: asked for in a form, followed and measured while they run, steered, reported."""

import json
import re

import numpy as np
import pytest
from prunescope.engine.experiments.checks import experiment_from
from prunescope.engine.experiments.folder import Experiments
from prunescope.engine.experiments.summary import summarise
from prunescope.engine.store import LayerInfo, RunNotFound

RUN = {"dataset": "digits", "model": "mlp", "hidden": [8], "epochs": 3, "optimizer": "sgd", "train_examples": 320}
LAYER = LayerInfo(name="fc1", kind="linear", units=4, fan_in=3, shape=(4, 3))
# Which points stand in the figure, and how many runs behind them.
POINTS = """(() => { const p = document.querySelector('#page-sweep [data-figure=sweep] .plot');
    return (p && p.data || []).filter(t => t.marker).flatMap(t => t.x.map((x, i) => [x, t.y[i], t.text[i]])); })()"""
NETWORKS = "ps.feed('sweep').networks"


@pytest.fixture(scope="module")
def server(serve):
    server = serve()
    yield server
    experiments = Experiments(server.store)
    for name in experiments.ids():
        # Its process ends by itself once nothing is left to do.
        with experiments.open(name).table() as table:
            table.cancel_all()


def described(server, kind, plan, run=None, seeds=(0, 1)):
    """An experiment on the disk that nobody works on."""
    asked = {
        "kind": kind,
        "name": f"by-{kind}",
        "title": f"By {kind}",
        "seeds": list(seeds),
        "run": RUN | (run or {}),
        kind: plan,
    }
    return Experiments(server.store).create(experiment_from(asked))


def states(found):
    with found.table() as table:
        return {row.key: row.state for row in table.rows()}


def press_in_row(tab, found, key, words):
    # The queue is drawn anew with every change: it must stand where the table does.
    place = list(states(found)).index(key)
    tab.until("document.querySelectorAll('#page-sweep .queue-row')[arg[0]]?.dataset.status === arg[1]",
              [place, states(found)[key]])  # fmt: skip
    row = tab.page.locator("#page-sweep .queue-row").nth(place)
    row.get_by_role("button", name=re.compile(f"^{words}")).click()


def test_a_form_refuses_beside_its_fields_and_what_it_starts_fills_in_live_and_is_measured_once(tab, server):
    tab.expected = ["status of 422"]
    page = tab.sign_in().open("/sweep").page
    page.locator("#page-sweep").get_by_role("button", name="New experiment").click()
    form = page.locator("dialog form")
    form.get_by_label("Recipe").select_option(label="Width on digits: wider nets move less from where they began")
    form.get_by_label("Swept settings").fill("hidden = [[8], [16]]\nlr = 0.1")
    form.get_by_label("Seeds", exact=True).fill("0, 0")
    form.get_by_label("Epochs", exact=True).fill("0")
    form.get_by_role("button", name="Start experiment").click()
    tab.until("document.querySelectorAll('dialog [aria-invalid=true]').length === 3")
    fields = ("seeds", "run.epochs", "sweep.grid")
    told = {name: page.locator(f"[id='experiment-{name}-problem']").text_content() for name in fields}
    assert "0" in told["seeds"] and "1" in told["run.epochs"] and "lr" in told["sweep.grid"]
    assert Experiments(server.store).ids() == []

    # Half a second an epoch: slow enough to be seen on its way.
    form.get_by_label("Swept settings").fill("hidden = [[8], [16]]\nmin_epoch_seconds = [0.5]")
    form.get_by_label("Seeds", exact=True).fill("0, 1")
    form.get_by_label("Epochs", exact=True).fill("3")
    page.keyboard.press("Tab")
    tab.until("document.querySelector('.form-size').textContent.startsWith('4 runs')")
    form.get_by_role("button", name="Start experiment").click()
    page.locator("dialog").wait_for(state="detached")
    # It fills in while it runs: a point that one run stands behind comes before all four are done.
    tab.until(f"{POINTS}.some(([x, y, text]) => text === 'n=1')")
    tab.until(f"{POINTS}.length === 2 && {POINTS}.every(([x, y, text]) => text.endsWith('n=2'))")
    (name,) = Experiments(server.store).ids()
    groups = summarise(server.store, Experiments(server.store).open(name)).groups
    assert [y for _, y, _ in tab(POINTS)] == pytest.approx([group.values["accuracy"].mean for group in groups])

    rail = page.locator("#page-sweep")
    rail.get_by_label("Show").select_option("pruned fc1")
    tab.until(f"{NETWORKS} && {NETWORKS}[0] === 4 && {POINTS}.length === 2")
    at_half = tab(POINTS)
    rail.get_by_label("Removed").focus()
    page.keyboard.press("End")
    tab.until(f"{POINTS}.length === 2 && {POINTS}[0][1] !== arg", at_half[0][1])
    # Without any unit the network says the same whatever it sees; digits have ten classes.
    assert all(0.05 < y < 0.2 for _, y, _ in tab(POINTS))
    page.keyboard.press("Home")
    tab.until(f"{POINTS}.length === 2 && {POINTS}[0][1] > 0.3")
    whole = tab(POINTS)
    assert [y for _, y, _ in whole] == pytest.approx([group.values["accuracy"].mean for group in groups], abs=1e-6)

    # Who comes back has it at once, and nothing was measured twice.
    tab.open(f"/sweep?exp={name}&quantity=pruned fc1&share=0")
    tab.until(f"{POINTS}.length === 2")
    # The page may just be asking once more; what it says then is the count again.
    tab.until(f"String({NETWORKS}) === '4,4'")
    assert tab(POINTS) == whole
    lines = [line for line in (server.logdir / ".measured.jsonl").read_text().splitlines() if line]
    assert len({json.loads(line)["key"] for line in lines}) == len(lines) == 4


def test_a_queue_is_ordered_paused_cancelled_and_retried_and_a_failure_stops_no_other(tab, server, wait):
    found = described(
        server, "sweep", {"grid": {"lr": [1000.0, 0.01, 0.02, 0.03]}}, run={"weight_decay": 1.0}, seeds=[0]
    )
    broken, second, third, last = states(found)
    page = tab.sign_in().open(f"/sweep?exp={found.id}").page

    def press(key, words):
        press_in_row(tab, found, key, words)

    def wait_for(key, state):
        wait(lambda: states(found)[key] == state, f"{key} was {state}")

    page.locator("[data-queue-note]:visible").get_by_text("stopped: no process works on it").wait_for()
    press(second, "Cancel")
    wait_for(second, "cancelled")
    press(third, "Pause")
    wait_for(third, "paused")
    # The last is brought before all others, and somebody begins to work.
    press(last, "Next")
    wait_for(broken, "failed")
    wait_for(last, "done")
    with found.table() as table:
        assert table.row(last).begun < table.row(broken).begun
        error = table.row(broken).error
    assert error.startswith("Diverged")
    tab.until("[...document.querySelectorAll('.queue-error')].some(e => e.textContent === arg)", error)
    assert (states(found)[second], states(found)[third]) == ("cancelled", "paused")

    press(third, "Resume")
    wait_for(third, "done")
    press(second, "Retry")
    wait_for(second, "done")
    tab.until(f"{POINTS}.length === 3")
    tab.until(
        "document.querySelector('#page-sweep [data-queue-note]').textContent === 'failed · 3 of 4 done · 1 failed'"
    )
    press(broken, "Retry")

    def attempts():
        with found.table() as table:
            return table.row(broken).attempt

    wait(lambda: attempts() == 2 and states(found)[broken] == "failed", "it had failed again")


def test_a_run_that_trains_is_paused_and_goes_on_where_it_stood_and_so_do_all(tab, server, wait):
    grid = {"lr": [0.011, 0.012]}
    found = described(server, "sweep", {"grid": grid}, run={"epochs": 12, "min_epoch_seconds": 0.5}, seeds=[0])
    one, other = states(found)
    whole = tab.sign_in().open(f"/sweep?exp={found.id}").page.locator("#page-sweep [data-queue-actions]")

    def wait_for(key, *wanted):
        wait(lambda: states(found)[key] in wanted, f"{key} was {' or '.join(wanted)}")

    def epochs(key):
        with found.table() as table:
            name = table.row(key).run_id or ""
        try:
            return server.store.run(name).epochs.tolist()
        except RunNotFound:
            return []

    whole.get_by_role("button", name="Go on").click()
    wait_for(one, "running")
    wait(lambda: len(epochs(one)) > 2, "it had trained for two epochs")
    press_in_row(tab, found, one, "Pause")
    # It is saved and makes room for the next one.
    wait_for(one, "paused")
    held = epochs(one)
    assert len(held) < 13
    wait_for(other, "running")
    wait(lambda: len(epochs(other)) > 1, "the other one had trained for an epoch")
    assert epochs(one) == held

    whole.get_by_role("button", name="Pause all").click()
    wait(lambda: "running" not in states(found).values(), "nothing ran any more")
    stood = epochs(other)
    assert 1 < len(stood) < 13
    press_in_row(tab, found, one, "Resume")
    assert whole.get_by_role("button", name="Resume").is_visible()
    assert (epochs(one), epochs(other)) == (held, stood)

    whole.get_by_role("button", name="Resume").click()
    for key in (one, other):
        wait_for(key, "done")
        # Taken up, not begun anew: the recorded epochs are still the first ones, and none is missing or twice there.
        assert epochs(key) == [float(epoch) for epoch in range(13)]
    with found.table() as table:
        assert [table.row(key).attempt for key in (one, other)] == [2, 2]


def test_a_report_opens_alone_and_its_table_is_that_of_the_data(tab, server, tmp_path):
    found = described(server, "tickets", {"levels": 2, "rate": 0.5, "arms": ["dense", "ticket"]})
    with found.table() as table:
        for i, row in enumerate(table.rows()):
            run_id = server.store.create_run(row.cell.config, name=row.key, run_id=found.run_id(row.key))
            with server.store.writer(run_id) as writer:
                writer.declare([LAYER], total_epochs=1)
                writer.set_state("running")
                for epoch in range(2):
                    writer.commit(
                        epoch, {"fc1.weight": np.full((4, 3), epoch + 1, np.float32)}, {"val/accuracy": epoch * i / 10}
                    )
                writer.set_state("done")
            table.begin(row.key, run_id)
            table.finish(
                row.key, {"accuracy": 0.9 - i / 37, "remaining": 0.5**row.cell.level, "early_stop_iteration": 10 + i}
            )
    page = tab.sign_in().open(f"/tickets?exp={found.id}").page
    link = page.locator("[data-queue-report]:visible")
    link.wait_for()
    with page.expect_download() as download:
        link.click()
    path = tmp_path / "report.html"
    download.value.save_as(path)
    page.goto(path.as_uri())
    # The figures of the page are drawn in it.
    tab.until("document.querySelectorAll('.plot .main-svg').length >= 3")
    shown = tab("[...document.querySelector('table').rows].map(r => [...r.cells].map(c => c.textContent))")
    groups = summarise(server.store, found).groups
    columns = [shown[0].index(name) for name in ("remaining", "accuracy", "early stop iteration")]
    assert [[cells[0], cells[1], cells[2], *(cells[at] for at in columns)] for cells in shown[1:]] == [
        [
            group.arm, group.label, "2 of 2",
            *(f"{group.values[name].mean:.4f} ± {group.values[name].sd:.4f}" for name in ("remaining", "accuracy")),
            "{:.0f} ± {:.0f}".format(*group.values["early_stop_iteration"][:2]),
        ]
        for group in groups
    ]  # fmt: skip
    drawn = tab("document.querySelector('.plot').data.filter(t => t.name === 'ticket')[0].y")
    assert drawn == pytest.approx([group.values["accuracy"].mean for group in groups])
    # Settings and versions, the command that repeats it, and the numbers to compute with are in the same file.
    words = page.locator("body").text_content()
    assert "prunescope tickets" in words and "torch" in words and "levels = 2" in words
    assert tab("document.querySelector('a[download=\"groups.csv\"]').href.startsWith('data:')")
