"""What fails says so where it would have stood, the rest goes on; long work tells how far it is and can be stopped."""

import re

import pytest
from prunescope.engine.store import LayerInfo

WIDE = (LayerInfo(name="fc", kind="linear", units=384, fan_in=512, shape=(384, 512)),)
EPOCHS = 64
NOTICE = ".page:not([hidden]) [data-notice]"
FIGURES = ".page:not([hidden]) [data-figure]:not(.is-unused)"
DRAWN = f"""[...document.querySelectorAll({FIGURES!r})]
    .filter(box => box.querySelector('.main-svg') && !box.dataset.failed).map(box => box.dataset.figure)"""


@pytest.fixture(scope="module")
def server(serve, trained):
    return serve(logdir=trained.logdir)


def notice(tab):
    return tab.page.inner_text(NOTICE)


@pytest.mark.parametrize("failure", ["answers 500", "answers nonsense", "breaks off"])
def test_a_request_that_fails_leaves_words_and_a_way_to_try_again(tab, trained, failure):
    tab.expected += ["500", "ERR_FAILED", "Failed to load resource"]
    answers = {
        "answers 500": {"status": 500, "body": "<h1>Oops"},
        "answers nonsense": {"status": 200, "body": "no frame"},
    }
    broken = lambda route: route.fulfill(**answers[failure]) if failure in answers else route.abort()  # noqa: E731
    tab.page.route(re.compile(r"/api/rows\?feed=structure"), broken)
    tab.choose(trained.ids["digits"], "structure")
    tab.until(f"document.querySelector({NOTICE!r})?.classList.contains('is-error')")
    said = notice(tab)
    assert said.startswith(
        "The server answered 500." if failure == "answers 500" else "The server's answer broke off 3 times"
    )
    tab.page.unroute(re.compile(r"/api/rows\?feed=structure"))
    # In one go: between a look and a click of the driver's the button may have served its purpose.
    press = "(() => { const b = document.querySelector('.page:not([hidden]) [data-do=again]'); if (b && !b.hidden) b.click(); })()"
    tab.until(f"({DRAWN}).length >= 4", doing=lambda: tab(press))
    assert not tab(f"document.querySelector({NOTICE!r}).classList.contains('is-error')")


def test_a_figure_that_cannot_be_drawn_says_so_in_its_place_and_the_others_are_drawn(tab, trained):
    tab.choose(trained.ids["digits"], "structure").settled()
    whole = tab.until(f"({DRAWN}).length === document.querySelectorAll({FIGURES!r}).length && {DRAWN}")
    tab.page.evaluate(
        """() => { const draw = window.Plotly.react; window.Plotly.react = (plot, ...rest) => {
          if (plot.closest("[data-figure]").dataset.figure === "race") throw new Error("no room on the canvas");
          return draw(plot, ...rest); }; window.mend = () => { window.Plotly.react = draw; }; }"""
    )
    tab.page.keyboard.press("ArrowLeft")
    tab.until("document.querySelector('[data-figure=race]').dataset.failed")
    said = tab.page.evaluate("() => getComputedStyle(document.querySelector('[data-figure=race]'), '::after').content")
    assert "could not be drawn: no room on the canvas" in said
    assert "Reload" in said
    tab.until("document.querySelector('[data-figure=without]').dataset.epoch === '4'")
    others = [figure for figure in whole if figure != "race"]
    tab.until(f"String({DRAWN}) === String(arg)", others)
    tab("window.mend()")
    tab.page.keyboard.press("ArrowLeft")
    tab.until(f"({DRAWN}).length === arg", len(whole))


def test_long_work_tells_how_far_it_is_and_can_be_stopped_and_taken_up_again(serve, profile, record):
    server = serve()
    run = record(server, "long", layers=WIDE, total=EPOCHS)
    run.commit(*range(EPOCHS))
    run.close()
    with profile(server) as new_tab:
        tab = new_tab()
        tab.choose(run.id, "similarity")
        tab.until(f"/^Computed [1-9][0-9]* of {EPOCHS} epochs/.test(document.querySelector({NOTICE!r}).textContent)")
        tab.page.get_by_role("button", name="Stop", exact=True).click()
        tab.until(f"/^Stopped at/.test(document.querySelector({NOTICE!r}).textContent)")
        stopped = notice(tab)
        count = int(re.match(rf"Stopped at (\d+) of {EPOCHS} epochs\.", stopped)[1])
        assert 0 < count < EPOCHS
        tab.page.wait_for_timeout(1500)
        assert notice(tab) == stopped
        tab.page.get_by_role("button", name="Go on").click()
        tab.until(f"ps.feed('similarity').epochs.length === {EPOCHS}")
        tab.settled()
        assert not notice(tab).startswith("Stopped")
