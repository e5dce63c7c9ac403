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
    const sorted = [...new Set(units)].sort((a, b) => a - b);
    ps.set({ sel: sorted.join(",") });
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

  // A slider a layer; what they say together is measured once they rest.
  function shares() {
    return Object.fromEntries(ps.view().mix.split(",").filter(Boolean).map((part) => [part.slice(0, part.lastIndexOf(":")), Number(part.slice(part.lastIndexOf(":") + 1))]));
  }
  let resting = null;
  ps.drawMix = function (layers) {
    const now = shares();
    document.getElementById("mix").replaceChildren(...layers.map((layer, i) => {
      const id = `mix-${i}`;
      const shown = ps.el("output", { for: id });
      const input = ps.el("input", { type: "range", id, min: 0, max: 100, step: 1, oninput: () => {
        say();
        clearTimeout(resting);
        resting = setTimeout(() => ps.set({ mix: layers.map((one, j) => [one.name, document.getElementById(`mix-${j}`).value]).filter(([, share]) => Number(share) > 0).map((pair) => pair.join(":")).join(",") }), 120);
      } });
      input.value = now[layer.name] || 0;
      function say() { shown.textContent = `${input.value} %`; input.style.setProperty("--share", `${input.value}%`); }
      say();
      return ps.el("div", { class: "control" }, ps.el("div", { class: "control-head" }, ps.el("label", { for: id }, layer.name), shown), input);
    }));
  };

  // A mask or a smaller network: the server measures, names and sends the file.
  ps.takeAway = async function (kind) {
    const view = ps.view();
    const curve = ps.feed("curve");
    const query = new URLSearchParams({ run: view.run, layer: view.layer, crit: view.crit, frac: view.frac, kind, epoch: curve.epochs[ps.cursor(curve)] });
    const answer = await fetch("/api/take-away?" + query);
    if (!answer.ok) { const told = await answer.json().catch(() => ({})); ps.toast([told.error, told.do].filter(Boolean).join(" ")); return; }
    const name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition"))[1];
    ps.save(await answer.blob(), name);
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
