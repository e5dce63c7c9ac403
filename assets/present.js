// Present mode, for a lecture: one or two figures full screen, large type, the scrubber, and nothing else. It is
// told by the address alone: present=1, full=angles,ridge (which figures), hide=finding,titles,scrubber,speed,follow
// (what to leave out), show=readout,frac (which of the page's controls to keep), speed=5 (epochs a second),
// play=1 (replay from the start, again and again).
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const PARTS = ["finding", "scrubber", "speed", "follow", "titles"];
  const AGAIN_MS = 3000;
  let played = false;

  const LENGTHS = new Set(["standoff", "borderpad", "ticklen", "thickness", "xshift", "yshift", "ax", "ay"]);

  // Type, margins, markers and strokes grow together; data do not.
  function grow(node, by, inside) {
    if (Array.isArray(node)) return node.map((item) => grow(item, by, inside));
    if (node === null || typeof node !== "object" || ArrayBuffer.isView(node)) return node;
    const out = {};
    for (const [key, value] of Object.entries(node)) {
      const number = typeof value === "number";
      if (number && ((key === "size" && (inside.endsWith("font") || inside === "marker")) || (key === "width" && inside === "line") || (inside === "margin" && "lrtb".includes(key)) || LENGTHS.has(key))) out[key] = value * by;
      else if (["x", "y", "z", "text", "customdata"].includes(key) && typeof value !== "string") out[key] = value;
      else out[key] = grow(value, by, key);
    }
    return out;
  }

  // How much larger: by the size of the room's screen, so that the last row can read it.
  ps.enlarge = function (filled, plot) {
    const by = Math.max(1, Math.min(2.4, Math.min(plot.clientWidth / 480, plot.clientHeight / 320)));
    return { ...filled, data: filled.data.map((trace) => grow(trace, by, "")), layout: grow(filled.layout, by, "") };
  };

  function show() {
    const view = ps.view(), app = document.getElementById("app");
    app.classList.toggle("is-present", view.present);
    const hidden = view.hide.split(",");
    for (const part of PARTS) app.classList.toggle(`hide-${part}`, view.present && hidden.includes(part));
    const kept = view.present ? view.show.split(",").filter(Boolean) : [];
    for (const rail of document.querySelectorAll(".rail")) {
      for (const part of rail.children) part.classList.toggle("is-shown", kept.includes(part.dataset.control) || (part.matches(".readout") && kept.includes("readout")));
      rail.classList.toggle("has-shown", Boolean(rail.querySelector(".is-shown")));
    }
    if (view.present && !view.full) {
      const first = document.querySelector(`#page-${view.page} [data-figure]`);
      if (first) ps.set({ full: first.dataset.figure });
    }
    ps.showFull();
  }

  // The slider that the page is about, with the number that it changes, comes along.
  function slider() {
    const names = [...document.querySelectorAll(`#page-${ps.view().page} .rail > [data-control]`)].map((box) => box.dataset.control);
    const name = names.find((one) => { const key = ps.key(one); return key && key.kind === "number" && key.reach === "local"; });
    return name ? `readout,${name}` : "";
  }

  ps.present = function (id) {
    ps.set({ present: true, full: id || ps.view().full, show: ps.view().show || slider() }, { push: true });
    if (document.documentElement.requestFullscreen) document.documentElement.requestFullscreen().catch(() => {});
  };
  ps.leavePresent = function () {
    ps.set({ present: false, full: "", show: "", play: false });
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  };

  // With play=1 the run is replayed from its beginning as soon as it is there, and begins anew after a pause.
  ps.replayed = function () {
    if (ps.view().play) setTimeout(() => { if (ps.view().play) { ps.goTo(0); ps.play(); } }, AGAIN_MS);
  };
  function begin() {
    if (played || !ps.view().play) return;
    const curve = ps.feed("curve");
    if (!curve || curve.epochs.length < 2 || curve.busy) { setTimeout(begin, 200); return; }
    played = true;
    ps.goTo(0);
    ps.play();
  }

  ps.startPresent = function () {
    ps.onView((changed) => {
      if (changed.some((name) => ["present", "hide", "show", "full", "page"].includes(name))) show();
      if (changed.includes("play")) { played = false; begin(); }
    });
    document.addEventListener("fullscreenchange", () => { if (!document.fullscreenElement && ps.view().present) ps.leavePresent(); });
    show();
    begin();
  };
})(window.prunescope);
