"""The pruning page: measured while one looks, never an old answer to a new question, and what is read can be taken away."""

import io
import json

import pytest
import torch
from prunescope.engine.config import RunConfig
from prunescope.engine.data import load_for
from prunescope.engine.launch import launch
from prunescope.engine.models import build_for
from prunescope.engine.pruning import remove

SLOW = {
    "dataset": "digits", "model": "channels", "hidden": [12], "epochs": 400, "threads": 1, "batch_size": 256,
    "min_epoch_seconds": 0.4,
}  # fmt: skip
BIG = "document.getElementById('pruning-big').textContent"
LABEL = "document.querySelector('[data-figure=prune] .plot').layout.annotations[0].text"
# Where the handle lies on the curve, and where the curve's own axes have its share and accuracy.
HANDLE = "[...['cx', 'cy']].map(n => +document.querySelector('[data-figure=prune] .marks circle').getAttribute(n))"
WANTED = """(() => { const f = ps.feed('pruning'), full = document.querySelector('[data-figure=prune] .plot')._fullLayout;
    const [x, y] = ['share', 'main'].map(n => f.columns.get(n).row(0)), i = ps.pickedIndex(ps.view().frac / 100, x.length);
    return [full.xaxis._offset + full.xaxis.d2p(x[i]), full.yaxis._offset + full.yaxis.d2p(y[i])]; })()"""
FINDING = "document.getElementById('pruning-finding').textContent"
SETTLED = "ps.pageFeeds(document.getElementById('page-pruning')).every(n => { const f = ps.feed(n); return f && f.done; })"


@pytest.fixture(scope="module")
def server(serve, trained):
    return serve(logdir=trained.logdir)


@pytest.fixture
def exact(tab, trained):
    """The page with everything measured to its end."""
    tab.sign_in().choose(trained.ids["digits"], "pruning").drawn("pruning", epoch=5)
    tab.until(SETTLED)
    tab.until("document.getElementById('pruning-exact').textContent.startsWith('= exact')")
    return tab


def asked_rows(tab) -> int:
    return sum("/api/" in url for url in tab.requests)


def test_the_slider_on_a_known_curve_reads_it_without_asking_anybody(exact):
    before = asked_rows(exact)
    slider = exact.page.locator("[data-control=frac] input")
    box = slider.bounding_box()
    seen = set()
    exact.page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + box["height"] / 2)
    exact.page.mouse.down()
    for share in (0.3, 0.6, 0.9):
        exact.page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2, steps=4)
        exact.page.wait_for_timeout(60)
        measured = exact(
            "(() => { const f = ps.feed('pruning'), r = f.columns.get('main').row(0); "
            "return (100 * r[ps.pickedIndex(ps.view().frac / 100, r.length)]).toFixed(1); })()"
        )
        assert exact(BIG) == measured
        exact.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert exact(HANDLE) == pytest.approx(exact(WANTED), abs=0.5)
        seen.add(exact("ps.view().frac"))
    exact.page.mouse.up()
    assert len(seen) == 3
    assert asked_rows(exact) == before


def test_an_old_answer_never_stands_over_a_newer_question(exact):
    held = []
    exact.page.route("**/api/rows?*crit=fpgm*", lambda route: held.append(route))
    old, order = exact(BIG), exact.page.locator("#page-pruning [data-control=crit] select")
    order.select_option("fpgm")
    exact.until("document.querySelector('[data-figure=prune]').classList.contains('is-stale')")
    # The question is out and nothing has come back: no number, no finding, the figure stands back, controls stay.
    assert exact(BIG) == "" and old != ""
    for name in ("exact", "estimate", "finding"):
        assert exact(f"document.getElementById('pruning-{name}').textContent") == ""
    assert order.is_visible() and order.is_enabled()
    # Meanwhile another question is asked and answered; the late answer to the one before must not be shown.
    order.select_option("l1:largest")
    exact.until(f"{LABEL} === 'largest L1 norm first'")
    for route in held:
        route.continue_()
    exact.page.unroute("**/api/rows?*crit=fpgm*")
    exact.until("ps.feed('pruning').done")
    assert exact(LABEL) == "largest L1 norm first"
    assert not exact("document.querySelector('[data-figure=prune]').classList.contains('is-stale')")
    order.select_option("l2")
    exact.until(f"{BIG} === arg", old)


def test_following_a_training_the_picture_never_goes_blank_and_says_its_epoch(tab, server, wait):
    run = server.store.run(launch(server.store, SLOW, name="live"))
    wait(lambda: len(run.epochs) > 1, "the training was under way")
    tab.choose(run.id, "pruning")
    tab.until(
        "ps.pageFeeds(document.getElementById('page-pruning')).every(n => { const f = ps.feed(n); "
        "return f && ps.standIn(n, f).epochs.length; })"
    )
    tab.until(f"{BIG} !== ''")
    # The number is painted before its figures are.
    tab.until(
        "['prune', 'ablation', 'sensitivity', 'surface'].every(id => "
        "document.querySelector(`[data-figure=${id}] .plot`).data?.some(t => t.y?.length > 1))"
    )
    tab(
        """(() => { window.blanks = []; window.epochs = new Set();
        const look = () => {
          const big = document.getElementById('pruning-big').textContent;
          const note = document.getElementById('pruning-big-note').textContent;
          if (!big) window.blanks.push('big');
          for (const id of ['prune', 'ablation', 'sensitivity', 'surface']) {
            const plot = document.querySelector(`[data-figure=${id}] .plot`);
            if (!plot.data || !plot.data.some(t => (t.y && t.y.length > 1))) window.blanks.push(id);
          }
          const said = /epoch\\s(\\d+)/.exec(note);
          if (said) window.epochs.add(Number(said[1])); else window.blanks.push('note without epoch: ' + note);
          if (!window.watched) requestAnimationFrame(look);
        };
        requestAnimationFrame(look); return true; })()"""
    )
    # More than the page keeps answers of: the newest must not be the first to be forgotten.
    tab.until("window.epochs.size >= 12")
    run.request("stop")
    tab("window.watched = true")
    assert tab("[...new Set(window.blanks)]") == []
    assert tab("[...window.epochs]") == sorted(tab("[...window.epochs]"))
    wait(lambda: run.status == "stopped", "the training stopped")
    # At rest, the newest epoch is answered to its end.
    tab.until("document.getElementById('pruning-sub').textContent.includes(`epoch\u00a0${arg} `)", int(run.epochs[-1]))
    tab.until("document.getElementById('pruning-exact').textContent.startsWith('= exact')")
    run.close()


def test_units_chosen_with_a_lasso_are_priced_survive_pages_and_reload_and_can_be_undone(exact):
    page = exact.page
    page.get_by_role("button", name="lasso to remove exactly these").click()
    box = page.locator(exact.plot("ablation") + " .nsewdrag").first.bounding_box()
    corners = ((0.2, 0.02), (0.5, 0.02), (0.5, 0.98), (0.2, 0.98), (0.2, 0.02))
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()
    exact.until("ps.view().sel !== ''")
    chosen = exact("ps.view().sel")
    assert 3 <= len(chosen.split(",")) <= 12
    lines = page.locator("#selection-lines")
    exact.until("/without them: [0-9.]+\\s%\\s±\\s/.test(document.getElementById('selection-lines').textContent)")
    exact.until("/at random: [0-9.]+\\s%\\s±\\s[0-9.]+, 5 draws/.test(document.getElementById('selection-lines').textContent)")
    exact.until("ps.feed('selection').done")
    price = lines.text_content()
    exact.until("location.search.includes('sel=')")
    page.get_by_role("link", name="Alignment").click()
    assert exact("ps.view().sel") == chosen and page.locator("#selection").is_visible()
    page.reload()
    exact.until("document.documentElement.dataset.ready === '1' && ps.view().sel === arg", chosen)
    exact.until("document.getElementById('selection-lines').textContent === arg", price)
    # One step further, and back.
    exact("ps.select([0, 1])")
    page.locator("#selection").get_by_role("button", name="Undo").click()
    assert exact("ps.view().sel") == chosen
    page.locator("#selection").get_by_role("button", name="Clear").click()
    page.locator("#selection").wait_for(state="hidden")


def test_what_is_taken_away_computes_what_the_page_says(exact, server, trained):
    run = server.store.run(trained.ids["digits"])
    said = "document.getElementById('pruning-big-note').textContent"
    before = exact(said)
    exact("ps.set({frac: 40})")
    exact.until(f"{said} !== arg", before)
    shown = exact(BIG)
    files = {}
    for name in ("Save mask (JSON)", "Export smaller model"):
        with exact.page.expect_download() as download:
            exact.page.get_by_role("button", name=name).click()
        files[name] = download.value.path().read_bytes()
    removed = json.loads(files["Save mask (JSON)"])["layers"]["conv1"]["removed"]
    checkpoint = torch.load(io.BytesIO(files["Export smaller model"]), weights_only=True)
    assert checkpoint["removed"]["conv1"] == removed
    config = RunConfig.from_dict(run.config)
    dataset = load_for(config)
    smaller = remove(build_for(config, dataset).eval(), checkpoint["removed"])
    smaller.load_state_dict(checkpoint["state_dict"])
    with torch.no_grad():
        accuracy = (smaller(dataset.val_x).argmax(1) == dataset.val_y).float().mean()
    assert f"{100 * float(accuracy):.1f}" == shown
    assert checkpoint["sizes"]["after"]["parameters"] == sum(p.numel() for p in smaller.parameters())
    run.close()


def test_a_share_for_each_layer_is_one_number_and_several_criteria_are_lines(exact):
    page = exact.page
    page.locator("summary", has_text="More controls").locator("visible=true").click()
    page.get_by_label("Lines beside it").select_option("fpgm")
    page.get_by_label("Lines beside it").select_option("taylor")
    labels = "document.querySelector('[data-figure=prune] .plot').layout.annotations.map(a => a.text)"
    exact.until(f"{labels}.includes('smallest weight × gradient first')")
    assert exact("ps.view().also") == "fpgm,taylor"
    page.get_by_role("button", name="Take out smallest distance to the others first").click()
    exact.until("ps.view().also === 'taylor'")
    page.get_by_label("per layer").check()
    exact.until(f"{FINDING}.startsWith('Nothing is removed yet')")
    slider = page.locator("#mix input").first
    slider.focus()
    for _ in range(5):
        page.keyboard.press("PageUp")
    exact.until(f"/^Without \\d+\\s% of conv1 the network keeps [0-9.]+\\s%; whole, [0-9.]+\\s%.$/.test({FINDING})")
    exact.until("document.getElementById('pruning-exact').textContent.startsWith('= exact')")
