"""A unit picked in one figure is picked in every figure, on every page about the layer."""

import pytest

# What the ring around the selected unit stands on, figure by figure: (figure, number of rings, x, y).
RINGS = """[...document.querySelectorAll('.page:not([hidden]) [data-figure]')].flatMap(box => {
    const plot = box.querySelector('.plot');
    const ring = (plot.data || []).find(trace => trace.name === 'selected');
    return ring ? [[box.dataset.figure, ring.x.length, String(ring.x[0]), String(ring.y[0])]] : []; })"""
# Where the figure itself has that unit.
PLACES = """Object.fromEntries([...document.querySelectorAll('.page:not([hidden]) [data-figure]')].map(box => {
    const plot = box.querySelector('.plot'), found = [];
    for (const trace of plot.data || []) if ((trace.meta || {}).select === 'unit')
        Array.from(trace.text).forEach((text, i) => {
            if (Number(text) === arg) found.push([String(trace.x[i]), String(trace.y[i])]);
        });
    return [box.dataset.figure, found[0]]; }))"""
LINKED = {
    "similarity": {"graph", "cosines"},
    "structure": {"without", "to-init", "race"},
    "spectrum": {"top"},
    "trajectories": {"paths"},
}


@pytest.fixture(scope="module")
def server(serve, trained):
    return serve(logdir=trained.logdir)


def test_a_unit_picked_in_the_graph_is_picked_everywhere(tab, trained):
    tab.choose(trained.ids["digits"], "similarity").settled()
    tab.until("document.querySelectorAll(arg + ' .points path').length > 3", tab.plot("graph"))
    points = tab.page.locator(tab.plot("graph") + " .scatterlayer .points path")
    box = points.nth(2).bounding_box()
    tab.page.keyboard.down("Shift")
    tab.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.page.keyboard.up("Shift")
    tab.until("/^\\d+$/.test(ps.view().sel)")
    unit = int(tab("ps.view().sel"))
    for page, figures in LINKED.items():
        tab("ps.set({page: arg})", page)
        tab.settled()
        tab.until(f"{RINGS}.filter(ring => ring[1] === 1).length === arg", len(figures))
        rings, places = tab(RINGS), tab(PLACES, unit)
        assert {ring[0] for ring in rings} == figures
        for figure, count, x, y in rings:
            assert (count, [x, y]) == (1, places[figure]), (page, figure)
    # The link carries it.
    tab.open(tab("location.pathname + location.search"))
    assert tab("ps.view().sel") == str(unit)
