"""The first command of the README: a network trains before the user's eyes."""

import pytest


@pytest.fixture(scope="module")
def server(serve):
    return serve("demo")


def test_the_demo_shows_a_first_figure_moves_by_itself_and_ends_with_its_server(tab, server):
    assert server.launch_path.startswith("/alignment?")
    tab.open(server.launch_path)
    assert "token" not in tab.page.url
    tab.drawn("alignment")
    figures = tab.page.locator(".page:not([hidden]) [data-figure] .main-svg").all()
    assert all(figure.is_visible() for figure in figures[:3])
    assert tab.page.locator("#alignment-finding").text_content().startswith("Filters of ")
    bars = "Array.from(document.querySelector(arg).data.find(t => t.type === 'bar').y)"
    tab.drawn("alignment", at_least=2)
    before = tab(bars, tab.plot("angles"))
    seen = tab("ps.feed('alignment').epochs.length")
    tab.drawn("alignment", at_least=seen + 2)
    assert tab(bars, tab.plot("angles")) != before
    assert tab("document.getElementById('badge').dataset.state") == "running"
    assert tab.page.get_by_role("button", name="Pause", exact=True).is_visible()


def test_closing_the_demo_ends_its_training_and_keeps_what_was_recorded(server, wait):
    (run,) = server.store.runs()
    wait(lambda: len(run.epochs) >= 2, "two epochs recorded")
    server.stop()
    wait(lambda: run.status in ("stopped", "interrupted"), "the demo's training ended")
    assert len(run.epochs) >= 2
    run.close()
