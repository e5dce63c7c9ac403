// The colour of a run: the same in the list, on the page Compare and behind a link.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const CHOSEN = "prunescope.colours";
  const COUNT = 8;

  // The colour that its name gives, or the next one while another run has that.
  function byName(id) {
    let sum = 0;
    for (const letter of id) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
    return sum % COUNT;
  }
  // The older run keeps its colour; those of an experiment, often hundreds and folded away, come last.
  function turns() {
    const oldest = ps.runsByAge().reverse().map(([id]) => id);
    return [...oldest.filter((id) => !ps.experimentOf(id)), ...oldest.filter((id) => ps.experimentOf(id))];
  }
  function byTurn(id) {
    const taken = new Set();
    for (const one of turns()) {
      let colour = byName(one);
      while (taken.has(colour)) colour = (colour + 1) % COUNT;
      if (one === id) return colour;
      taken.add(colour);
      if (taken.size === COUNT) break;
    }
    return byName(id);
  }

  // By choice, which this browser remembers; a link brings the colours of the runs that it compares.
  const known = (colour) => Number.isInteger(colour) && colour >= 0 && colour < COUNT;
  function choices() { try { return JSON.parse(localStorage.getItem(CHOSEN) || "{}") || {}; } catch { return {}; } }
  const compared = () => (ps.view().runs || ps.view().run).split(",").filter(Boolean);
  function linked() {
    const ids = compared(), paint = ps.view().paint;
    return paint.length === ids.length ? Object.fromEntries(ids.map((id, i) => [id, Number(paint[i])])) : {};
  }
  function place(id) {
    const found = [linked()[id], choices()[id]].find(known);
    return found === undefined ? byTurn(id) : found;
  }
  ps.runColour = (id) => `var(--data-${place(id)})`;

  // The runs compared, each with its colour as one digit: a run keeps the one it had before others were ticked.
  let before = {};
  function tellPage() {
    if (ps.view().page !== "compare" || !Object.keys(ps.runs).length) return;
    before = { ...before, ...linked() };
    const chosen = choices();
    const paint = compared().map((id) => [before[id], chosen[id]].find(known) ?? byTurn(id)).join("");
    if (paint !== ps.view().paint) ps.set({ paint });
  }

  ps.pickColour = function (id) {
    const paint = (index) => {
      const now = choices();
      if (index === null) delete now[id]; else now[id] = index;
      try { localStorage.setItem(CHOSEN, JSON.stringify(now)); } catch { /* private mode */ }
      before = {};
      ps.set({ paint: "" });
      tellPage();
      box.close();
      ps.drawRuns();
    };
    const swatches = Array.from({ length: COUNT }, (_, i) => { const swatch = ps.el("button", { type: "button", class: "swatch", "aria-label": `Colour ${i + 1} of ${COUNT}`, onclick: () => paint(i) }); swatch.style.background = `var(--data-${i})`; return swatch; });
    const box = ps.dialog(`Colour of “${ps.runs[id]?.name || id}”`, ps.el("div", { class: "swatches" }, ...swatches, ps.el("button", { type: "button", class: "small", onclick: () => paint(null) }, "By itself")));
  };

  ps.startColours = function () {
    ps.onRuns(tellPage);
    ps.onView((changed) => { if (["page", "run", "runs", "paint"].some((key) => changed.includes(key))) tellPage(); });
  };
})(window.prunescope);
