"""axe-core finds nothing serious on any page, in either theme."""

from pathlib import Path

import pytest

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
CHECK = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations
    .filter(v => ['serious', 'critical'].includes(v.impact))
    .flatMap(v => v.nodes.map(n => `${v.id}: ${n.target.join(' ')} — ${n.failureSummary.split('\\n').slice(1, 3).join(' ')}`)))"""


@pytest.fixture(scope="module")
def server(serve):
    return serve()


@pytest.fixture
def run(server, record):
    known = [run for run in server.store.runs() if run.name == "seen"]
    if known:
        return known[0].id
    recording = record(server, "seen")
    recording.commit(*range(4))
    recording.close()
    return recording.id


@pytest.mark.parametrize("tab", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"])
def test_no_page_has_a_serious_accessibility_problem(tab, run):
    tab.page.add_init_script(path=AXE)
    found = {}
    for page in ("overview", "alignment", "trajectories"):
        tab.choose(run, page).drawn(page, epoch=3)
        found[page] = tab(CHECK)
    tab.page.locator(".page:not([hidden]) [data-menu]").first.click()
    found["menu"] = tab(CHECK)
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("button", name="New run").first.click()
    tab.page.get_by_role("button", name="Start training").wait_for()
    tab.page.locator(".more-settings summary").click()
    found["form"] = tab(CHECK)
    assert {page: problems for page, problems in found.items() if problems} == {}


@pytest.mark.parametrize("tab", [{"viewport": {"width": 390, "height": 844}}], indirect=True, ids=["narrow"])
def test_the_narrow_page_and_the_empty_one_have_none_either(tab, run, serve, profile):
    tab.page.add_init_script(path=AXE)
    tab.choose(run).drawn("alignment", epoch=3)
    assert tab(CHECK) == []
    with profile(serve()) as new_tab:
        empty = new_tab()
        empty.page.add_init_script(path=AXE)
        empty.open().page.get_by_role("heading", name="Nothing recorded here yet.").wait_for()
        assert empty(CHECK) == []
