// The pruning page's own: a share for each layer, and what is taken away as a file.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  // Dragging asks for a measurement at most this often; the newest place of a slider is always asked for.
  const ASK_MS = 120;

  ps.shares = function () {
    return Object.fromEntries(ps.view().mix.split(",").filter(Boolean).map((part) => [part.slice(0, part.lastIndexOf(":")), Number(part.slice(part.lastIndexOf(":") + 1))]));
  };

  let asking = null;
  function tell(layers) {
    const shares = layers.map((one, j) => [one.name, Number(document.getElementById(`mix-${j}`).value)]);
    ps.set({ mix: shares.filter(([, share]) => share > 0).map((pair) => pair.join(":")).join(",") });
  }

  ps.drawMix = function (layers) {
    const rows = layers.map((layer, i) => {
      const id = `mix-${i}`;
      const shown = ps.el("output", { for: id });
      const input = ps.el("input", { type: "range", id, min: 0, max: 100, step: 1, oninput: () => {
        say();
        asking ??= setTimeout(() => { asking = null; tell(layers); }, ASK_MS);
      } });
      function say() {
        const gone = Math.round((Number(input.value) / 100) * layer.units);
        shown.textContent = `${input.value} %`;
        input.setAttribute("aria-valuetext", `${input.value} %, ${gone} of ${layer.units}`);
        input.style.setProperty("--share", `${input.value}%`);
      }
      const follow = () => { const value = ps.shares()[layer.name] || 0; if (Number(input.value) !== value) { input.value = value; } say(); };
      follow();
      return { follow, element: ps.el("div", { class: "control" }, ps.el("div", { class: "control-head" }, ps.el("label", { for: id }, layer.name), shown), input) };
    });
    document.getElementById("mix").replaceChildren(...rows.map((row) => row.element));
    followMix = () => { if (!asking) for (const row of rows) row.follow(); };
  };
  let followMix = () => {};

  // A mask or a smaller network: the server measures, names and sends the file.
  ps.takeAway = async function (kind) {
    const view = ps.view();
    const curve = ps.feed("curve");
    const query = new URLSearchParams({ run: view.run, layer: view.layer, crit: view.crit, frac: view.frac, scope: view.scope, mix: view.mix, kind, epoch: curve.epochs[ps.cursor(curve)] });
    const answer = await fetch("/api/take-away?" + query);
    if (!answer.ok) { const told = await answer.json().catch(() => ({})); ps.toast([told.error, told.do].filter(Boolean).join(" ")); return; }
    const name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition"))[1];
    ps.save(await answer.blob(), name);
    ps.toast(`Saved ${name}.` + (kind === "model" ? "" : " A mask shrinks nothing: the model keeps its size."));
  };

  ps.startPruning = function () {
    const page = document.getElementById("page-pruning");
    const scope = () => { page.dataset.scope = ps.view().scope; };
    scope();
    ps.onView((changed) => { if (changed.includes("scope")) scope(); if (changed.includes("mix")) followMix(); });
  };
})(window.prunescope);
