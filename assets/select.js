// Selecting units: a click opens one unit's drawer, a lasso or shift-click selects; whatever is selected here is
// selected in every figure, and its accuracy is measured.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";

  // Which units a point stands for: its own number, or all units whose value lies in its bar.
  function unitsOf(point, plot) {
    const meta = point.data.meta || {};
    if (meta.select === "unit") {
      const text = Array.isArray(point.text) ? point.text[0] : point.text ?? (point.data.text && point.data.text[point.pointNumber]);
      return Number.isInteger(Number(text)) ? [Number(text)] : [];
    }
    if (meta.select === "bar") {
      const page = plot.closest(".page");
      const feed = ps.feed(ps.pageFeeds(page)[0]);
      const row = feed.columns.get(meta.row).row(ps.cursor(feed));
      return Array.from(row, (value, unit) => [value, unit]).filter(([value]) => Math.abs(value - point.x) <= meta.half).map(([, unit]) => unit);
    }
    return [];
  }

  ps.select = function (units) {
    const sel = [...new Set(units)].sort((a, b) => a - b).join(",");
    if (sel === ps.view().sel) return;
    before.push(ps.view().sel);
    ps.set({ sel });
  };

  ps.listenTo = function (plot) {
    if (plot.dataset.listens || !plot.on) return;
    plot.dataset.listens = "1";
    plot.on("plotly_click", ({ points, event }) => {
      const units = points.flatMap((point) => unitsOf(point, plot));
      if (!units.length) return;
      if (event.shiftKey || units.length > 1) ps.select([...(event.shiftKey ? ps.locals().sel : []), ...units]);
      else ps.set({ unit: units[0] });
    });
    plot.on("plotly_selected", (event) => {
      if (!event || !event.points) return;
      const units = event.points.flatMap((point) => unitsOf(point, plot));
      if (units.length) ps.select(units);
    });
  };

  // Selections one after the other, for undo; the address bar holds the one that is on.
  const before = [];
  ps.undoSelection = function () { ps.set({ sel: before.pop() ?? "" }); };

  ps.lasso = function (figure) {
    const box = document.querySelector(`[data-figure="${figure}"]`);
    const plot = box.querySelector(".plot");
    const on = plot.dataset.drag === "lasso";
    plot.dataset.drag = on ? "zoom" : "lasso";
    for (const button of box.querySelectorAll(".lasso")) button.setAttribute("aria-pressed", String(!on));
    ps.requestDraw();
  };

  ps.redundancy = async function (kind) {
    const view = ps.view();
    const curve = ps.feed("curve");
    const query = new URLSearchParams({ run: view.run, layer: view.layer, k: view.k, kind, epoch: curve.epochs[ps.cursor(curve)] });
    const answer = await fetch("/api/units?" + query);
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) { ps.toast([told.error, told.do].filter(Boolean).join(" ")); return; }
    ps.select(told.units);
  };
})(window.prunescope);
