"""Updates arrive by themselves, and change nothing that the user has set."""

import pytest

ZOOM = "(() => { const l = document.querySelector(arg).layout; return [...l.xaxis.range, ...l.yaxis.range]; })()"
HIDE = """[true, false].includes(arg) && (Object.defineProperty(document, 'hidden', {value: arg, configurable: true}),
    document.dispatchEvent(new Event('visibilitychange')), true)"""
LOST = ["Failed to load resource", "net::ERR"]


@pytest.fixture(scope="module")
def server(serve):
    return serve()


@pytest.fixture
def live(server, record):
    recording = record(server, "live")
    recording.commit(*range(6))
    return recording


def api_requests(tab):
    return [url for url in tab.requests if "/api/" in url]


def test_a_new_epoch_is_drawn_without_being_asked_for(tab, live):
    tab.choose(live.id).drawn("alignment", epoch=5)
    for epoch in (6, 7, 8):
        live.commit(epoch)
        tab.drawn("alignment", epoch=epoch, at_least=epoch + 1)
    assert "epoch\xa08" in tab.page.locator("#alignment-sub").text_content()
    assert "8 of 50" in tab.page.locator("#badge").text_content()


def test_an_update_asks_only_for_what_is_new(tab, live):
    tab.choose(live.id).drawn("alignment", epoch=5)
    sizes = []
    tab.page.on("request", lambda request: "feed=alignment" in request.url and sizes.append(request.url))
    live.commit(6)
    tab.drawn("alignment", epoch=6)
    assert sizes and all("have=6" in url or "have=7" in url for url in sizes)


def test_an_epoch_that_comes_while_rows_are_on_their_way_is_fetched_next(tab, live, wait):
    tab.choose(live.id).settled().drawn("alignment", epoch=5)
    held = []
    tab.page.route("**/api/rows?feed=curve&*", lambda route: held.append((route, route.fetch())), times=1)
    live.commit(6)
    wait(lambda: held, "no rows asked for", nap=lambda: tab.page.wait_for_timeout(50))
    live.commit(7)
    tab.until("ps.runs[ps.view().run].epoch === 7")
    tab("(() => { ps.refresh = () => {}; return true; })()")  # nothing later will bring it along
    ((route, answer),) = held
    route.fulfill(response=answer)
    tab.until("ps.feed('curve').epochs.at(-1) === 7")


def test_an_update_keeps_zoom_and_controls(tab, live):
    tab.choose(live.id).drawn("alignment", epoch=5)
    page, plot = tab.page, tab.plot("sizes")
    page.get_by_role("radio", name="by norm").check()
    page.locator(".page:not([hidden])").get_by_label("Clusters k").fill("5")
    tab.until("ps.view().weight === 'norm' && ps.view().k === 5")
    tab.until("document.querySelector(arg).data.length === 5", plot)
    tab.drag(plot + " .nsewdrag")
    tab.until("document.querySelector(arg).layout.xaxis.autorange !== true", plot)
    before = tab(ZOOM, plot)
    page.locator(".page:not([hidden])").get_by_label("Clusters k").focus()
    live.commit(6, 7)
    tab.drawn("alignment", epoch=7)
    live.commit(8)
    tab.drawn("alignment", epoch=8)
    assert tab(ZOOM, plot) == before
    assert page.get_by_role("radio", name="by norm").is_checked()
    assert page.locator(".page:not([hidden])").get_by_label("Clusters k").input_value() == "5"
    assert page.locator(".page:not([hidden])").get_by_label("Clusters k").evaluate("e => e === document.activeElement")


def test_an_update_keeps_a_trace_hidden_that_was_clicked_away_in_the_legend(tab, live):
    tab.choose(live.id, unit=3).drawn("alignment", epoch=5)
    plot = '#drawer [data-figure="unit-course"] .plot'
    visible = "document.querySelector(arg)._fullData[1].visible"
    tab.until(f"document.querySelector(arg)?._fullData?.length === 3 && {visible} === true", plot)
    tab.page.locator(f"{plot} .legendtoggle").nth(1).click()
    tab.until(f"{visible} === 'legendonly'", plot)
    live.commit(6, 7)
    tab.until("document.querySelector(arg).data[0].x.length === 8", plot)
    assert tab(visible, plot) == "legendonly"


def test_an_update_keeps_the_camera_of_a_3d_figure(tab, live):
    tab.choose(live.id, "trajectories", dims=3)
    tab.drawn("trajectories", epoch=5)
    plot = tab.plot("paths")
    before = tab.turn(plot)
    live.commit(6, 7)
    tab.drawn("trajectories", epoch=7)
    tab.until("document.querySelector(arg).closest('[data-figure]').dataset.epoch === '7'", plot)
    # The scene itself rewrites the last bit of a coordinate.
    after = tab("document.querySelector(arg).layout.scene.camera.eye", plot)
    assert after == pytest.approx(before, rel=1e-9)
    assert after != pytest.approx({"x": 1.25, "y": 1.25, "z": 1.25}, abs=0.05), "a drag turns it"


def test_a_figure_under_the_pointer_waits_until_it_is_let_go(tab, live):
    tab.choose(live.id).drawn("alignment", epoch=5)
    box = tab.page.locator(tab.plot("angles") + " .nsewdrag").first.bounding_box()
    tab.page.mouse.move(box["x"] + 50, box["y"] + 50)
    tab.page.mouse.down()
    live.commit(6)
    tab.until("ps.feed('alignment').epochs.length === 7")
    assert tab("document.documentElement.dataset.drawn") == "alignment 5 6"
    tab.page.mouse.up()
    tab.drawn("alignment", epoch=6)


def test_looking_back_an_update_does_not_move_the_epoch_shown(tab, live):
    tab.choose(live.id, epoch=2, follow=0).drawn("alignment", epoch=2)
    live.commit(6, 7)
    tab.drawn("alignment", epoch=2, at_least=8)
    assert tab.page.locator("#scrub-epoch").text_content() == "epoch 2"


def test_local_sliders_repaint_without_a_request(tab, live):
    live.close()
    tab.choose(live.id, "trajectories").drawn("trajectories", epoch=5)
    tab.until("!ps.feed('trajectories').busy && !ps.feed('curve').busy && ps.runs[ps.view().run].status === 'done'")
    tab.page.wait_for_timeout(300)
    asked = len(api_requests(tab))
    plot = tab.plot("paths")
    length = "document.querySelector(arg).data[0].x.length"
    whole = tab(length, plot)
    tail = tab.page.get_by_label("Tail")
    tail.focus()
    for _ in range(3):
        tab.page.keyboard.press("ArrowRight")
    tab.until(f"{length} < {whole}", plot)
    epochs = tab.page.get_by_role("slider", name="Epoch")
    box = epochs.bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] - 9, box["y"] + box["height"] / 2)
    tab.page.mouse.down()
    for share in (0.8, 0.6, 0.4):
        tab.page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2, steps=3)
    tab.page.mouse.up()
    tab.drawn("trajectories", epoch=2)
    assert len(api_requests(tab)) == asked


def test_a_tab_in_the_background_does_nothing_and_catches_up_when_shown(tab, live):
    tab.choose(live.id).settled().drawn("alignment", epoch=5)
    tab(HIDE, True)
    asked = len(api_requests(tab))
    live.commit(6, 7, 8, 9)
    tab.until("ps.runs[ps.view().run].epoch === 9")
    tab.page.wait_for_timeout(200)
    assert len(api_requests(tab)) == asked
    assert tab("document.documentElement.dataset.drawn") == "alignment 5 6"
    tab(HIDE, False)
    tab.drawn("alignment", epoch=9, at_least=10)


def test_after_a_restart_of_the_server_the_page_catches_up_by_itself_and_keeps_its_view(tab, live, server):
    tab.expected = LOST
    tab.choose(live.id, k=3, against="null").drawn("alignment", epoch=5)
    plot = tab.plot("sizes")
    tab.drag(plot + " .nsewdrag")
    tab.until("document.querySelector(arg).layout.xaxis.autorange !== true", plot)
    zoom, view = tab(ZOOM, plot), tab.view()
    server.kill()
    tab.until("document.getElementById('badge').textContent.includes('reconnecting')")
    live.commit(6, 7)
    server.start()
    tab.drawn("alignment", epoch=7, at_least=8)
    live.commit(8)
    tab.drawn("alignment", epoch=8, at_least=9)
    tab.until("document.getElementById('badge').textContent.startsWith('live')")
    assert tab(ZOOM, plot) == zoom
    assert tab.view() == view


def test_eight_tabs_share_one_stream_and_closing_its_holder_loses_nothing(profile, server, live):
    with profile(server) as new_tab:
        tabs = [new_tab().choose(live.id) for _ in range(8)]
        for tab in tabs:
            tab.drawn("alignment", epoch=5)
        live.commit(6)
        for tab in tabs:
            tab.drawn("alignment", epoch=6)
        holders = [tab for tab in tabs if any(url.endswith("/live") for url in tab.requests)]
        assert holders == tabs[:1]
        holders[0].page.close()
        live.commit(7)
        for tab in tabs[1:]:
            tab.drawn("alignment", epoch=7)
        live.commit(8)
        for tab in tabs[1:]:
            tab.drawn("alignment", epoch=8)
