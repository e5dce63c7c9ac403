// The list of runs, and what can be done to them.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const ACTIONS = {
    running: ["pause", "stop"], paused: ["resume", "stop"], interrupted: ["resume", "rerun"], stopped: ["resume", "rerun"],
    failed: ["resume", "rerun"], done: ["rerun"], queued: ["stop"], "not responding": ["stop"],
  };
  const WORDS = { pause: "Pause", resume: "Resume", stop: "Stop", rerun: "Run again" };
  let filter = "";
  const items = new Map();
  let inSight = "";

  function percent(run) {
    const best = run.best;
    if (best === null || best === undefined) return "";
    const value = typeof best === "object" ? best.value ?? Object.values(best).find((v) => typeof v === "number") : best;
    if (typeof value !== "number") return "";
    return value <= 1 ? `${(100 * value).toFixed(1)}\u00a0%` : value.toPrecision(3);
  }

  ps.runsByAge = function () {
    // Newest first, and steady: the place of a run never depends on how far it is.
    return Object.entries(ps.runs).sort((a, b) => (b[1].created || 0) - (a[1].created || 0) || (a[0] < b[0] ? -1 : 1));
  };

  function exportRun(id) {
    const link = (format) => `/api/travel?${new URLSearchParams({ run: id, format })}`;
    const fetched = (format) => async (event) => {
      event.preventDefault();
      box.close();
      ps.toast(format === "zip" ? "Packing the run …" : "Writing the pages: what is not measured yet is measured now …");
      try {
        const answer = await fetch(link(format));
        if (!answer.ok) { const told = await answer.json().catch(() => ({})); throw new Error([told.error, told.do].filter(Boolean).join(" ") || `The server answered ${answer.status}.`); }
        ps.save(await answer.blob(), `${id}.${format}`);
        ps.toast(`Saved ${id}.${format}.`);
      } catch (problem) { ps.toast(`Export failed: ${problem.message}`); }
    };
    const box = ps.dialog(`Export “${ps.runs[id]?.name || id}”`, ps.el("dl", { class: "keys" },
      ps.el("dt", {}, ps.el("a", { href: link("html"), onclick: fetched("html") }, "One HTML file")), ps.el("dd", {}, "all pages, opens anywhere, needs no server"),
      ps.el("dt", {}, ps.el("a", { href: link("zip"), onclick: fetched("zip") }, "ZIP of the run")), ps.el("dd", {}, "for prunescope import on another machine")));
  }

  ps.drawRuns = function () {
    const list = document.getElementById("runs-list");
    if (!list) return;
    ps.fillRunPicks();
    const chosen = ps.view().run;
    const all = ps.runsByAge().filter(([id, run]) => (run.name + " " + id + " " + run.status).toLowerCase().includes(filter));
    const shown = folded(all, chosen);
    const seen = new Set();
    shown.forEach(([id, run], place) => {
      seen.add(id);
      if (run.folds) {
        const fold = foldItem(id, run);
        if (list.children[place] !== fold) list.insertBefore(fold, list.children[place] || null);
        return;
      }
      let item = items.get(id);
      if (!item) {
        item = build(id);
        items.set(id, item);
      }
      if (list.children[place] !== item.box) list.insertBefore(item.box, list.children[place] || null);
      update(item, id, run, id === chosen);
    });
    // A run that a link, or the newest training, has chosen may be far down the list.
    if (chosen !== inSight && items.get(chosen)) { inSight = chosen; items.get(chosen).box.scrollIntoView({ block: "nearest" }); }
    for (const [id, box] of folds) if (!seen.has(id)) { box.remove(); folds.delete(id); }
    for (const [id, item] of items) if (!seen.has(id)) { item.box.remove(); items.delete(id); }
    document.getElementById("runs-empty").hidden = Object.keys(ps.runs).length > 0 || ps.connected !== true;
    document.getElementById("app").classList.toggle("no-runs", ps.connected === true && !Object.keys(ps.runs).length);
    badge();
  };

  // The runs of an experiment stand together below one line, which folds them away: there may be hundreds.
  const folds = new Map();
  const opened = new Set();
  ps.experimentOf = (id) => Object.keys(ps.experiments || {}).find((name) => id.startsWith(name + "."));
  function folded(runs, chosen) {
    const near = new Set([chosen, ...ticked()]);
    const found = [];
    const groups = new Map();
    for (const [id, run] of runs) {
      const name = ps.experimentOf(id);
      if (!name) { found.push([id, run]); continue; }
      if (!groups.has(name)) { groups.set(name, []); found.push(["experiment " + name, { folds: name, members: groups.get(name) }]); }
      groups.get(name).push([id, run]);
    }
    return found.flatMap(([id, run]) => (!run.folds ? [[id, run]] : opened.has(run.folds) || filter ? [[id, run], ...run.members]
      : [[id, run], ...run.members.filter(([one]) => near.has(one))]));
  }
  function foldItem(id, { folds: name, members }) {
    let box = folds.get(id);
    if (!box) {
      const title = ps.el("span", { class: "run-name" }, name);
      const state = ps.el("span", { class: "run-state" });
      const button = ps.el("button", { type: "button", class: "run-pick fold", onclick: () => { if (!opened.delete(name)) opened.add(name); ps.drawRuns(); } }, ps.el("i", { class: "fold-mark", "aria-hidden": "true" }), title, state);
      box = ps.el("li", { class: "run-fold" }, button);
      folds.set(id, box);
    }
    const done = members.filter(([, run]) => run.status === "done").length;
    box.firstChild.setAttribute("aria-expanded", String(opened.has(name) || filter !== ""));
    set(box.querySelector(".run-state"), `experiment · ${done} run${done === 1 ? "" : "s"} done`);
    return box;
  }

  // Ticked runs are laid over one another on the page “Compare”.
  const ticked = () => (ps.view().runs ? ps.view().runs.split(",") : []);
  function tick(id, on) {
    const others = ticked().filter((one) => one !== id && ps.runs[one]);
    ps.set({ runs: (on ? [...others, id] : others).join(",") });
  }
  function solo(id) { ps.set({ runs: ticked().join() === id ? "" : id }); }

  function build(id) {
    const el = ps.el;
    const dot = el("i", { class: "dot", "aria-hidden": "true" });
    const name = el("span", { class: "run-name" });
    const state = el("span", { class: "run-state" });
    const bar = el("span", { class: "run-bar" }, el("i"));
    // A click on the dot of the chosen run offers other colours; the button "Colour" is the same for the keyboard.
    dot.title = "Colour";
    const pick = el("button", { type: "button", class: "run-pick", ondblclick: () => solo(id),
      onclick: (event) => (event.target === dot && ps.view().run === id ? ps.pickColour(id) : ps.chooseRun(id)) }, dot, name, state, bar);
    const box = el("input", { type: "checkbox", class: "run-tick", "aria-label": `Compare ${id}`, title: "Lay over others on the page Compare", onchange: () => tick(id, box.checked) });
    const actions = el("div", { class: "run-actions" });
    return { box: el("li", { "data-run": id }, pick, box, actions), tick: box, dot, name, state, bar, pick, actions, shown: "" };
  }

  function set(node, text) { if (node.textContent !== text) node.textContent = text; }

  function update(item, id, run, chosen) {
    set(item.name, run.name || id);
    item.dot.style.background = ps.runColour(id);
    item.tick.checked = ticked().includes(id);
    const total = run.total;
    // Before the first snapshot: how far a download is.
    const progress = run.status === "running" && run.epoch == null && run.message ? run.message : run.status === "running" && total ? `epoch ${Math.floor(run.epoch ?? 0)} of ${total}` : run.status;
    set(item.state, [progress, percent(run)].filter(Boolean).join(" · "));
    const share = total ? Math.min(1, (run.epoch ?? 0) / total) : run.status === "done" ? 1 : 0;
    item.bar.firstChild.style.width = `${100 * share}%`;
    item.box.dataset.status = run.status;
    item.pick.setAttribute("aria-current", chosen ? "true" : "false");
    item.pick.title = run.message || "";
    // A run of somebody's own training loop is steered there, not here.
    const steered = run.kind === "train" ? ACTIONS[run.status] || [] : [];
    const wanted = chosen ? [...steered, "more"].join() : "";
    if (item.shown !== wanted) {
      item.shown = wanted;
      item.actions.replaceChildren(...(wanted ? wanted.split(",") : []).map((action) => (action === "more" ? rest(id, item)
        : ps.el("button", { type: "button", class: "small", "data-action": action, onclick: () => ps.control(id, action) }, WORDS[action]))));
    }
    if (run.status === "failed" || run.status === "damaged") item.box.dataset.why = run.message || "";
  }

  // What is seldom wanted waits behind one button.
  function rest(id, item) {
    const button = ps.el("button", { type: "button", class: "small", "data-menu": "", "data-action": "more", "aria-haspopup": "menu", "aria-label": `More about “${ps.runs[id].name || id}”`,
      onclick: () => ps.openMenu(button, item.actions, "Run", [["Rename …", () => rename(id)], ["Colour …", () => ps.pickColour(id)], ["Export …", () => exportRun(id)], ["Delete", () => ps.control(id, "delete")]]) }, "⋯");
    return button;
  }
  async function rename(id) {
    if (!(await ps.mayChange())) return;
    const input = ps.el("input", { type: "text", id: "new-name", value: ps.runs[id]?.name || id, autocomplete: "off", maxlength: 200 });
    const form = ps.el("form", { class: "field", onsubmit: (event) => { event.preventDefault(); box.close(); ps.control(id, "rename", { name: input.value }); } },
      ps.el("label", { for: "new-name" }, "New name"), input, ps.el("div", { class: "form-actions" }, ps.el("button", { type: "submit", class: "primary" }, "Rename")));
    const box = ps.dialog("Rename the run", form);
    input.select();
  }

  ps.chooseRun = function (id) { ps.set({ run: id, ...(ps.experimentOf(id) ? { exp: ps.experimentOf(id) } : {}), layer: "", epoch: -1, follow: true, fit: -1, sel: "", unit: -1, mix: "" }, { push: true }); document.getElementById("app").classList.remove("show-runs"); };

  function badge() {
    const box = document.getElementById("badge");
    const run = ps.runs[ps.view().run];
    let state = "idle", text = "", far = "";
    if (ps.connected === false) { state = "lost"; text = "reconnecting …"; }
    else if (run) {
      state = run.status;
      text = run.status === "running" ? "live" : run.status;
      if (run.status === "running" && run.total) far = ` · ${Math.floor(run.epoch ?? 0)} of ${run.total}`;
    }
    box.title = state === "lost" ? "The server does not answer. When it is started again, this page goes on by itself." : run?.message || "";
    box.dataset.state = state;
    set(box.querySelector("span"), text);
    set(box.querySelector(".of"), far);
  }

  // A page without a run shows the newest one: the first thing that anybody wants to see.
  function adopt() {
    const known = ps.runsByAge();
    if (!known.length) return;
    if (!ps.view().run) ps.set({ run: known[0][0] });
  }

  ps.startRuns = function () {
    const box = document.getElementById("runs-filter");
    box.append(ps.el("input", { type: "search", placeholder: "filter", "aria-label": "Filter runs", oninput: (event) => { filter = event.target.value.toLowerCase(); ps.drawRuns(); } }));
    ps.onRuns(() => { adopt(); ps.drawRuns(); });
    ps.onView((changed) => { if (changed.includes("run")) ps.loadRun(); if (["run", "runs", "paint"].some((key) => changed.includes(key))) ps.drawRuns(); });
    ps.drawRuns();
    ps.loadRun();
  };

  // Details of the chosen run: its layers fill the picker at the top.
  ps.loadRun = async function () {
    const id = ps.view().run;
    const select = document.querySelector("#layer-pick select");
    if (!id || !select) return;
    try {
      const answer = await fetch(`/api/runs/${encodeURIComponent(id)}`);
      if (!answer.ok || ps.view().run !== id) return;
      ps.details = await answer.json();
    } catch { return; }
    const layers = ps.details.layers || [];
    if (!layers.length) { setTimeout(() => { if (ps.view().run === id) ps.loadRun(); }, 700); return; }
    select.replaceChildren(...layers.map((layer) => ps.el("option", { value: layer.name },
      `${layer.name} — ${layer.units} ${layer.kind === "conv" ? "filters" : "neurons"}`)));
    followLayer();
    ps.drawMix(layers.slice(0, -1));
  };
  function followLayer() {
    const select = document.querySelector("#layer-pick select");
    const name = ps.view().layer || (select.options[0] && select.options[0].value);
    if (name) select.value = name;
  }

  ps.startLayerPick = function () {
    const select = ps.el("select", { "aria-label": "Layer", onchange: () => ps.set({ layer: select.value, fit: -1, sel: "", unit: -1 }, { push: true }) });
    document.getElementById("layer-pick").append(select);
    ps.onView((changed) => { if (changed.includes("layer")) followLayer(); });
  };
})(window.prunescope);
