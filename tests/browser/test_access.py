"""axe-core finds nothing serious on any page, in either theme."""

from pathlib import Path

import pytest
from prunescope.app.feeds import FEEDS
from prunescope.app.state import PAGES

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
CHECK = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations
    .filter(v => ['serious', 'critical'].includes(v.impact))
    .flatMap(v => v.nodes.map(n => `${v.id}: ${n.target.join(' ')}: ${n.failureSummary.replaceAll('\\n', ' ')}`)))"""


@pytest.fixture(scope="module")
def server(serve, trained):
    return serve(logdir=trained.logdir)


def test_no_page_has_a_serious_accessibility_problem_in_either_theme(tab, trained):
    tab.page.add_init_script(path=AXE)
    tab.page.emulate_media(color_scheme="light")
    found = {}
    tab.sign_in()
    for page in PAGES:
        tab.choose(trained.ids["digits"], page)
        # Pages about many runs have no epoch to wait for.
        if not getattr(FEEDS[page], "whole", False):
            tab.drawn(page, epoch=5)
        for theme in ("light", "dark"):
            tab.page.emulate_media(color_scheme=theme)
            tab.until("ps.themeNow() === arg", theme)
            found[page, theme] = tab.settled()(CHECK)
    tab.page.locator(".page:not([hidden]) [data-menu]").first.click()
    found["menu"] = tab(CHECK)
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("button", name="More about").click()
    found["menu of a run"] = tab(CHECK)
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("button", name="New run").first.click()
    tab.page.get_by_role("button", name="Start training").wait_for()
    tab.page.locator(".more-settings summary").click()
    found["form"] = tab(CHECK)
    assert {page: problems for page, problems in found.items() if problems} == {}


@pytest.mark.parametrize("tab", [{"viewport": {"width": 390, "height": 844}}], indirect=True, ids=["narrow"])
def test_the_narrow_page_and_the_empty_one_have_none_either(tab, trained, serve, profile):
    tab.page.add_init_script(path=AXE)
    tab.choose(trained.ids["digits"]).drawn("alignment", epoch=5)
    assert tab(CHECK) == []
    with profile(serve()) as new_tab:
        empty = new_tab()
        empty.page.add_init_script(path=AXE)
        empty.open().page.get_by_role("heading", name="Nothing recorded here yet.").wait_for()
        assert empty(CHECK) == []
