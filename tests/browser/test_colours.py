"""A run has one colour: in the list, in the curves that compare it, and behind a link on another machine."""

import pytest

# The colour of a run's dot in the list, and that of the curve which has its name; both as the browser writes colours.
SHOWN = """(() => {
  const written = (colour) => { const box = document.createElement("i"); box.style.color = colour; document.body.append(box);
    const found = getComputedStyle(box).color; box.remove(); return found; };
  const curves = Object.fromEntries((document.querySelector(arg).data || []).filter((trace) => trace.line && !trace.fill)
    .map((trace) => [trace.name, written(trace.line.color)]));
  return Object.keys(curves).map((name) => {
    const item = document.querySelector(`#runs-list [data-run="${name}"]`);
    return [name, item && getComputedStyle(item.querySelector(".dot")).backgroundColor, curves[name]];
  });
})()"""


@pytest.fixture(scope="module")
def server(serve, trained):
    return serve(logdir=trained.logdir)


def colours(tab):
    """Run → colour, once the dots and the curves of both runs agree."""
    agree = f"({SHOWN}).length === 2 && ({SHOWN}).every(([, dot, curve]) => dot === curve) && ({SHOWN})"
    return {name: dot for name, dot, _ in tab.until(agree, tab.plot("compare-metric"))}


def choose(tab, run, colour):
    tab.page.locator(f"[data-run='{run}'] .run-pick").click()
    tab.page.locator(f"[data-run='{run}'] .run-actions button", has_text="⋯").click()
    tab.page.get_by_role("menuitem", name="Colour …").click()
    tab.page.get_by_role("button", name=f"Colour {colour} of 8", exact=True).click()


@pytest.mark.parametrize("tab", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_a_chosen_colour_is_that_of_dot_and_curve_and_is_remembered(tab, trained):
    runs = ",".join(trained.ids.values())
    tab.open(f"/compare?runs={runs}").settled()
    first = colours(tab)
    assert len(set(first.values())) == 2
    choose(tab, trained.ids["xord"], 6)
    tab.until("new URLSearchParams(location.search).get('paint').endsWith('5')")
    chosen = colours(tab)
    assert chosen["digits"] == first["digits"]
    assert chosen["xord"] not in first.values()
    tab.open("/overview").open(f"/compare?runs={runs}").settled()
    assert colours(tab) == chosen


def test_a_link_brings_its_colours_to_another_machine_and_leaves_what_was_chosen_there(tab, trained, profile, server):
    runs = ",".join(trained.ids.values())
    tab.open(f"/compare?runs={runs}").settled()
    choose(tab, trained.ids["digits"], 4)
    tab.until("new URLSearchParams(location.search).get('paint').startsWith('3')")
    sent, link = colours(tab), tab("location.pathname + location.search")
    with profile(server) as new_tab:
        other = new_tab()
        other.open(f"/compare?runs={runs}").settled()
        choose(other, trained.ids["digits"], 8)
        other.until("new URLSearchParams(location.search).get('paint').startsWith('7')")
        own = colours(other)
        assert own["digits"] != sent["digits"]
        other.open(link).settled()
        assert colours(other) == sent
        other.open(f"/compare?runs={runs}").settled()
        assert colours(other) == own
