"""The address holds the view; theme, width and keyboard all lead to the same page."""

import pytest
from prunescope.app.feeds import FEEDS
from prunescope.app.state import PAGES

# Those of one run; the others lay many runs over one another, and have tests of their own.
RUN_PAGES = [page for page in PAGES if not getattr(FEEDS[page], "whole", False)]

DEEP = "layer=fc&epoch=3&follow=0&k=5&basis=first&tail=2&colour=norm&log=moved"
BACKGROUND = """[...document.querySelectorAll('.card, #main, #app, body, html')]
    .map(e => getComputedStyle(e).backgroundColor)
    .find(c => c !== 'rgba(0, 0, 0, 0)')"""


@pytest.fixture(scope="module")
def server(serve, trained):
    return serve(logdir=trained.logdir)


@pytest.fixture
def run(server, record):
    """A finished run of eight epochs; the same one for all tests of this file."""
    known = [run for run in server.store.runs() if run.name == "seen"]
    if known:
        return known[0].id
    recording = record(server, "seen")
    recording.commit(*range(8))
    recording.close()
    return recording.id


def brightness(tab):
    red, green, blue = tab(f"({BACKGROUND}).match(/[0-9.]+/g).slice(0, 3).map(Number)")
    return (red + green + blue) / 3


def test_reload_of_a_deep_link_restores_page_run_layer_epoch_and_controls(tab, run):
    tab.open(f"/trajectories?run={run}&{DEEP}").drawn("trajectories", epoch=3)
    before = tab.view()
    assert (before["layer"], before["k"], before["basis"], before["tail"]) == ("fc", 5, "first", 2)
    assert tab.page.get_by_label("Layer", exact=True).input_value() == "fc"
    assert tab.page.locator(".page:not([hidden])").get_by_label("Tail").input_value() == "2"
    tab.until("location.search.includes('fit=')")
    tab.page.reload()
    tab.drawn("trajectories", epoch=3)
    assert tab.view() == before
    assert tab("document.querySelector(arg).layout.yaxis.type", tab.plot("moved")) == "log"


def test_the_address_follows_the_controls_and_opens_the_same_view_elsewhere(tab, run, profile, server):
    tab.choose(run).drawn("alignment", epoch=7)
    controls = tab.page.locator(".page:not([hidden])")
    controls.get_by_label("Clusters k").fill("3")
    controls.get_by_role("radio", name="random", exact=True).check()
    tab.page.keyboard.press("Home")
    tab.until("ps.feed('alignment').epochs.length === 8 && ps.view().k === 3")
    tab.page.locator("h1:visible").first.click()
    tab.page.keyboard.press("Home")
    tab.drawn("alignment", epoch=0)
    tab.until("location.search.includes('epoch=0') && location.search.includes('k=3')")
    address = tab("location.pathname + location.search")
    with profile(server) as new_tab:
        other = new_tab().open(address)
        other.drawn("alignment", epoch=0)
        assert other.view() == tab.view()
        finding = "document.getElementById('alignment-finding').textContent"
        assert other(finding) == tab(finding)


def test_the_back_button_returns_to_the_page_and_view_before(tab, run):
    tab.choose(run, k=3).drawn("alignment", epoch=7)
    tab.page.get_by_role("link", name="Trajectories").click()
    tab.drawn("trajectories", epoch=7)
    assert tab("document.title").startswith("Trajectories")
    tab.page.locator(".page:not([hidden])").get_by_label("Tail").fill("2")
    tab.page.go_back()
    tab.drawn("alignment", epoch=7)
    assert tab.view()["k"] == 3
    tab.page.go_forward()
    tab.drawn("trajectories", epoch=7)


def test_a_link_with_unknown_and_impossible_keys_opens_what_is_possible(tab, run):
    tab.open(f"/alignment?run={run}&k=1e99&epoch=nan&against=%3Cscript%3E&colour=&wat=1&follow=x&pct=-5#what")
    tab.drawn("alignment")
    assert tab.view()["k"] == 4 and tab.view()["against"] == "both" and tab.view()["pct"] == 0
    tab.open("/no-such-page")
    tab.drawn("overview")


def test_a_link_to_a_run_that_is_gone_says_so(tab, run):
    tab.expected = ["status of 404"]
    tab.open("/alignment?run=never-was")
    tab.page.locator("[data-notice].is-error:visible").get_by_text("never-was").wait_for()


def test_a_link_to_a_layer_that_is_not_there_names_those_that_are(tab, run):
    tab.choose(run, layer="conv9")
    tab.page.locator("[data-notice].is-error:visible").get_by_text("conv1").wait_for()


def test_the_theme_follows_the_system_and_the_button_overrules_it(tab, run):
    tab.page.emulate_media(color_scheme="light")
    tab.choose(run).drawn("alignment", epoch=7)
    font = "document.querySelector(arg)._fullLayout.font.color"
    light_font = tab(font, tab.plot("angles"))
    assert brightness(tab) > 200
    tab.page.emulate_media(color_scheme="dark")
    tab.until(f"{font} !== '{light_font}'", tab.plot("angles"))
    assert brightness(tab) < 60
    tab.page.locator("#theme-button").click()
    tab.until(f"{font} === '{light_font}'", tab.plot("angles"))
    assert brightness(tab) > 200 and tab.view()["theme"] == "light"
    tab.page.reload()
    tab.drawn("alignment", epoch=7)
    assert brightness(tab) > 200
    assert tab(font, tab.plot("angles")) == light_font


OUT = """[...document.querySelectorAll('.page:not([hidden]) .page-main *, .top *, .foot *')]
    .filter(e => e.checkVisibility() && e.getBoundingClientRect().width && !e.closest('.js-plotly-plot'))
    .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.nav')).map(e => e.outerHTML.slice(0, 120))"""
# Text that an ellipsis or a narrow box cuts; the names of layers are the user's, and as long as they like.
CUT = """[...document.querySelectorAll('.page:not([hidden]) .page-head *, .card-head *, .top .badge, .top a, .run-state, .rail *')]
    .filter(e => e.checkVisibility() && !e.closest('.js-plotly-plot') && e.clientWidth > 0)
    .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== 'visible')
    .map(e => e.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("tab", [{"viewport": {"width": 390, "height": 844}, "has_touch": True}], indirect=True)
def test_at_390_pixels_nothing_sticks_out_and_the_drawers_open(tab, trained):
    found = {}
    for page in RUN_PAGES:
        tab.choose(trained.ids["digits"], page).drawn(page, epoch=5)
        tab.settled()
        found[page] = [*tab(OUT), *tab(CUT)]
        assert tab("document.documentElement.scrollWidth") <= 390, page
        # A figure that arrives late is measured once more by the page; nothing may stay wider than its place.
        tab.until("document.getElementById('main').scrollWidth <= document.getElementById('main').clientWidth")
    assert {page: out for page, out in found.items() if out} == {}
    shown = """(() => { const { left, right } = document.querySelector(arg).getBoundingClientRect();
        return left >= 0 && right <= 390; })()"""
    tab.page.get_by_role("button", name="Runs", exact=True).tap()
    tab.until(shown, ".runs")
    tab.page.locator("[data-run] .run-pick").first.tap()
    tab.until("!document.getElementById('app').classList.contains('show-runs')")
    tab.page.get_by_role("button", name="Controls").tap()
    tab.until(shown, ".page:not([hidden]) .rail")
    tab.page.locator("#shade").tap(position={"x": 10, "y": 400})
    tab.until("!document.getElementById('app').classList.contains('show-rail')")


@pytest.mark.parametrize("tab", [{"viewport": {"width": 1440, "height": 900}}], indirect=True)
def test_at_1440_pixels_all_pages_stand_in_the_head_and_nothing_is_cut(tab, trained):
    tab.choose(trained.ids["digits"]).drawn("alignment", epoch=5)
    tab.settled()
    assert tab("document.querySelector('.nav').scrollWidth <= document.querySelector('.nav').clientWidth")
    assert [*tab(OUT), *tab(CUT)] == []


def test_every_key_of_the_list_of_keys_works(tab, run):
    page, press = tab.page, tab.page.keyboard.press
    tab.sign_in().choose(run, "overview").drawn("overview", epoch=7)
    # The time line is there as soon as the run's curve is; it may come after the figures.
    tab.page.locator("#scrub-epoch").get_by_text("epoch 7").wait_for()
    press("ArrowLeft")
    tab.drawn("overview", epoch=6)
    press("Home")
    tab.drawn("overview", epoch=0)
    press("ArrowRight")
    tab.drawn("overview", epoch=1)
    press("End")
    tab.drawn("overview", epoch=7)
    press(" ")
    tab.until("document.querySelector('.play').getAttribute('aria-label') === 'Pause replay'")
    tab.until("document.querySelector('.play').getAttribute('aria-label') === 'Replay'")
    tab.drawn("overview", epoch=7)
    press("f")
    tab.until("ps.view().follow === true")
    press("2")
    tab.drawn("alignment")
    press("3")
    tab.drawn("trajectories")
    press("t")
    tab.until("ps.view().theme === 'light'")
    press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    press("Escape")
    page.get_by_role("dialog", name="Keys").wait_for(state="detached")
    press("n")
    page.get_by_role("dialog", name="New run").wait_for()
    page.keyboard.type("3 f")
    assert page.get_by_label("Name").input_value() == "3 f"
    press("Escape")
    page.get_by_role("dialog", name="New run").wait_for(state="detached")
    tab("ps.set({full: 'moved'})")
    tab.until("document.querySelector('.is-full')")
    press("Escape")
    tab.until("!document.querySelector('.is-full')")


def test_the_tab_key_visits_everything_in_reading_order_and_shows_where_it_is(tab, run):
    tab.choose(run).drawn("alignment", epoch=7)
    visited = []
    for _ in range(80):
        tab.page.keyboard.press("Tab")
        now = tab("""(() => { const e = document.activeElement; if (e === document.body) return null;
            const region = e.closest('.skip, .top, .runs, .main, .foot');
            const styles = [e, e.nextElementSibling || e].map(one => getComputedStyle(one));
            return [region ? region.className.split(' ')[0] : '?', e.outerHTML.slice(0, 90),
                styles.some(s => s.outlineStyle !== 'none' || s.boxShadow !== 'none')]; })()""")
        if now is None or (visited and now == visited[0]):
            break
        visited.append(now)
    regions = [name for name, *_ in visited]
    assert list(dict.fromkeys(regions)) == ["skip", "top", "runs", "main", "foot"]
    assert regions == sorted(regions, key=["skip", "top", "runs", "main", "foot"].index)
    assert [html for _, html, seen in visited if not seen] == []
    tab.page.locator(".skip").focus()
    tab.page.keyboard.press("Enter")
    tab.until("document.activeElement.id === 'main'")
