// Experiments: pages about many runs follow them live, the queue says what runs, waits and failed, and a form
// starts a new one from a recipe.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const SOON_MS = 700;
  const el = (...given) => ps.el(...given);
  const WORDS = { pause: "Pause", resume: "Resume", cancel: "Cancel", retry: "Retry", first: "Next" };
  const ACTIONS = { queued: ["first", "pause", "cancel"], running: ["pause", "cancel"], paused: ["resume", "cancel"], failed: ["retry"], cancelled: ["retry"], blocked: ["cancel"], done: [] };

  function wholePage() {
    const page = document.getElementById("page-" + ps.view().page);
    return page && ps.pageFeeds(page).some((name) => ps.spec().whole.includes(name)) ? page : null;
  }

  // Runs move on many times a second; what many of them show together is asked for at most this often.
  let waiting = null;
  function soon() {
    if (waiting || document.hidden || !wholePage()) return;
    waiting = setTimeout(() => { waiting = null; if (wholePage()) { ps.refresh(); drawQueue(); } }, SOON_MS);
  }

  let stamp = "";
  function concerns(ids) {
    const view = ps.view();
    const now = JSON.stringify(ps.experiments);
    const moved = now !== stamp;
    stamp = now;
    const looked = view.runs ? view.runs.split(",") : [];
    return moved || ids.some((id) => id === view.run || looked.includes(id) || (view.exp && id.startsWith(view.exp + ".")));
  }

  // The queue
  let asked = 0;
  async function drawQueue() {
    const page = wholePage();
    const rows = page && page.querySelector("[data-queue]");
    const name = ps.view().exp;
    if (!rows) return;
    rows.closest(".queue").hidden = !name || name === "*";
    if (!name || name === "*") { page.querySelector("[data-queue-brief]").hidden = true; return; }
    const mine = ++asked;
    let told;
    try {
      const answer = await fetch(`/api/experiments/${encodeURIComponent(name)}`);
      told = await answer.json();
      if (!answer.ok) throw new Error(told.error);
    } catch { return; }
    if (mine !== asked) return;
    const card = rows.closest(".queue");
    const counts = told.counts;
    // What ran when its process died is taken up where it was saved.
    const idle = told.state === "stopped";
    const count = (state) => (counts[state] ? `${counts[state]} ${idle && state === "running" ? "interrupted" : state}` : "");
    const left = told.left && ["working", "waiting"].includes(told.state) ? `about ${told.left} left` : "";
    const state = { waiting: "waits for its turn", stopped: "stopped: no process works on it" }[told.state] || told.state;
    const done = `${counts.done} of ${told.runs.length} done`;
    set(card.querySelector("[data-queue-note]"), [state, done, ...["running", "queued", "paused", "failed", "cancelled", "blocked"].map(count), left].filter(Boolean).join(" · "));
    set(card.querySelector("[data-queue-log]"), told.log ? `Its process ended: ${told.log}` : "");
    const open = counts.queued + counts.running + counts.paused;
    const whole = [open && ["working", "waiting"].includes(told.state) && "pause", open && ["paused", "stopped"].includes(told.state) && "resume", (counts.failed || counts.cancelled) && "retry", open && "cancel"].filter(Boolean);
    const words = { pause: "Pause all", resume: told.state === "stopped" ? "Go on" : "Resume", retry: "Retry failed", cancel: "Cancel the rest" };
    if (!counts.failed) words.retry = "Retry cancelled";
    buttons(card.querySelector("[data-queue-actions]"), whole, "", name, words);
    const report = card.querySelector("[data-queue-report]");
    report.href = `/api/experiments/${encodeURIComponent(name)}/report`;
    report.download = `${name}.html`;
    brief(page.querySelector("[data-queue-brief]"), [state, done, count("failed"), left], counts.done / told.runs.length, told.state);
    told.runs.forEach((run, place) => update(row(rows, place), run, name, idle));
    while (rows.children.length > told.runs.length) rows.lastChild.remove();
  }

  // The same in short, where the controls are: the queue itself stands below the figures.
  function brief(box, parts, share, state) {
    if (!box) return;
    box.hidden = false;
    box.dataset.status = state === "working" ? "running" : "";
    set(box.querySelector("p"), parts.filter(Boolean).join(" · "));
    box.querySelector("i").style.width = `${100 * share}%`;
  }

  function set(node, text) { if (node.textContent !== text) node.textContent = text; }

  function row(rows, place) {
    if (!rows.children[place]) {
      rows.append(el("div", { class: "queue-row" }, el("button", { type: "button", class: "queue-name" }), el("span", { class: "queue-state" }), el("span", { class: "run-bar" }, el("i")), el("span", { class: "queue-actions" }), el("p", { class: "queue-error" })));
    }
    return rows.children[place];
  }

  function update(box, run, name, idle) {
    const [open, state, bar, actions, error] = box.children;
    box.dataset.status = idle && run.state === "running" ? "" : run.state;
    const about = `${run.arm === "sweep" || run.label.startsWith(run.arm) ? run.label : `${run.arm}, ${run.label}`} · seed ${run.seed}`;
    set(open, about);
    open.title = run.key;
    open.disabled = !run.attempt;
    open.onclick = () => ps.set({ run: run.run_id, page: "overview", layer: "", epoch: -1, follow: true, fit: -1, sel: "", unit: -1, mix: "" }, { push: true });
    const again = run.attempt > 1 ? ` · attempt ${run.attempt}` : "";
    const words = { done: run.seconds ? `done in ${run.seconds.toFixed(1)} s` : "done", running: `${idle ? "interrupted at " : ""}${Math.round(100 * run.progress)} %`, blocked: "blocked: what it starts from failed" };
    set(state, (words[run.state] || run.state) + again);
    bar.firstChild.style.width = `${100 * run.progress}%`;
    set(error, run.error || "");
    buttons(actions, ACTIONS[run.state] || [], run.key, name, WORDS, about);
  }

  function buttons(place, wanted, key, name, words, about = "the queue") {
    const text = JSON.stringify([wanted, key, name, wanted.map((action) => words[action])]);
    if (place.dataset.shown === text) return;
    place.dataset.shown = text;
    place.replaceChildren(...wanted.map((action) => el("button", { type: "button", class: "small", "aria-label": `${words[action]}: ${about}`, onclick: () => steer(name, key, action) }, words[action])));
  }

  async function steer(name, key, action) {
    if (!(await ps.mayChange())) return;
    try { await ps.post(`/api/experiments/${encodeURIComponent(name)}/control`, { action, run: key }); } catch (problem) { ps.toast(problem.message); }
    drawQueue();
    ps.refresh();
  }

  // Tables that come with the figures
  const tables = new Map();
  ps.fillTables = function (given) {
    for (const [id, { head, rows }] of Object.entries(given)) {
      const place = document.getElementById(id);
      const text = JSON.stringify([head, rows]);
      if (!place || tables.get(id) === text) continue;
      tables.set(id, text);
      place.replaceChildren(el("thead", {}, el("tr", {}, ...head.map((cell) => el("th", { scope: "col" }, cell)))),
        el("tbody", {}, ...rows.map(([name, ...cells]) => el("tr", {}, el("th", { scope: "row" }, name), ...cells.map((cell) => el("td", {}, cell))))));
    }
  };

  // The Similarity page with the first two of the ticked runs in one graph.
  ps.bothRuns = function () {
    const [run, other] = ps.view().runs.split(",").filter(Boolean);
    if (!other) { ps.toast("Tick two runs in the list at the left first."); return; }
    ps.set({ page: "similarity", run, with: other, epoch: -1, follow: true, fit: -1, sel: "", unit: -1, mix: "" }, { push: true });
  };

  // The form
  let recipes = null;
  function shown(value) {
    if (!Array.isArray(value)) return value ?? "";
    return value.map((item) => (typeof item === "string" ? item : JSON.stringify(item))).join(", ");
  }
  function control(field) {
    const id = "experiment-" + field.name;
    const common = { id, name: field.name, "aria-describedby": `${id}-help ${id}-problem` };
    const text = String(shown(field.value));
    const element = field.kind === "lines" ? el("textarea", { ...common, rows: Math.max(2, text.split("\n").length), spellcheck: "false" }, text) : field.choices.length && field.choices.includes(field.value)
      ? el("select", common, ...field.choices.map((value) => el("option", { value, selected: value === field.value }, value)))
      : el("input", { ...common, type: "text", value: text, autocomplete: "off", inputmode: ["int", "float"].includes(field.kind) ? "decimal" : null });
    return el("div", { class: field.kind === "lines" ? "field across" : "field" }, el("label", { for: id }, field.label), element,
      el("p", { class: "field-help", id: id + "-help" }, field.help), el("p", { class: "field-problem", id: id + "-problem", role: "alert" }));
  }

  // What differs from the recipe; everything else is left to it.
  function changes(form, recipe) {
    const found = {};
    for (const field of recipe.fields) {
      const element = form.elements[field.name];
      const before = String(shown(field.value)).trim();
      if (element && element.value.trim() !== before) found[field.name] = element.value.trim();
    }
    return found;
  }

  function showProblems(form, recipe, problems, move) {
    let first = null;
    const left = { ...problems };
    for (const field of recipe.fields) {
      // A problem inside a table ("run.lr" of a sweep's point, "tickets.layer_rates.fc1") belongs to the nearest field.
      const own = Object.keys(left).filter((place) => place === field.name || place.startsWith(field.name + "."));
      const element = form.elements[field.name];
      document.getElementById(`experiment-${field.name}-problem`).textContent = own.map((place) => (place === field.name ? "" : place.slice(field.name.length + 1) + ": ") + left[place]).join(" ");
      element.setAttribute("aria-invalid", String(own.length > 0));
      for (const place of own) delete left[place];
      if (own.length && !first) first = element;
    }
    form.querySelector(".form-problem").textContent = Object.entries(left).map(([place, text]) => (place ? `${place}: ${text}` : text)).join(" ");
    if (first && move) { first.closest("details")?.setAttribute("open", ""); first.focus(); }
  }

  ps.newExperiment = async function () {
    if (!(await ps.mayChange())) return;
    try {
      if (!recipes) ({ recipes } = await (await fetch("/api/experiments/form")).json());
    } catch { ps.toast("The list of recipes could not be loaded. Reload the page."); return; }
    const groups = [...new Set(recipes.map((recipe) => recipe.group))];
    const pick = el("select", { id: "experiment-recipe", onchange: () => fill() }, ...groups.map((group) => el("optgroup", { label: group },
      ...recipes.flatMap((recipe, i) => (recipe.group === group ? [el("option", { value: i }, recipe.title || recipe.recipe)] : [])))));
    pick.value = Math.max(0, recipes.findIndex((recipe) => recipe.page === ps.view().page));
    const about = el("div", { class: "recipe-about" });
    const first = el("div", { class: "fields" });
    const more = el("div", { class: "fields" });
    const details = el("details", { class: "more-settings" }, el("summary", {}, "More settings"), more);
    const size = el("span", { class: "form-size", role: "status" });
    const submit = el("button", { type: "submit", class: "primary" }, "Start experiment");
    const form = el("form", { novalidate: true }, el("div", { class: "field" }, el("label", { for: "experiment-recipe" }, "Recipe"), pick), about, first, details, el("p", { class: "form-problem", role: "alert" }), el("div", { class: "form-actions" }, size, submit));
    const recipe = () => recipes[Number(pick.value)];
    const tell = (runs) => set(size, runs ? `${runs} runs, one after the other` : "");
    function fill() {
      const now = recipe();
      about.replaceChildren(el("p", { class: "card-text" }, now.paper), el("p", { class: "card-text" }, [now.note, now.scale === "this machine" ? "" : `at the scale of the paper`].filter(Boolean).join(" · ")));
      first.replaceChildren(...now.fields.filter((field) => field.basic).map(control));
      const rest = now.fields.filter((field) => !field.basic);
      more.replaceChildren(...rest.map(control));
      details.hidden = !rest.length;
      form.querySelector(".form-problem").textContent = "";
      tell(now.runs);
    }
    fill();
    let asked = 0;
    form.addEventListener("change", async (event) => {
      const mine = ++asked;
      if (event.target === pick) return;
      try {
        const told = await ps.post("/api/experiments/validate", { recipe: recipe().recipe, changes: changes(form, recipe()) });
        // An answer about what stood here before says nothing about what stands here now.
        if (mine !== asked) return;
        showProblems(form, recipe(), told.problems, false);
        tell(told.runs);
      } catch (problem) { form.querySelector(".form-problem").textContent = problem.message; }
    });
    const box = ps.dialog("New experiment", form);
    box.classList.add("wide");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      submit.disabled = true;
      try {
        const told = await ps.post("/api/experiments", { recipe: recipe().recipe, changes: changes(form, recipe()) });
        box.close();
        ps.set({ page: recipe().page, exp: told.experiment, level: "", quantity: "accuracy", setting: "", split: "" }, { push: true });
        soon();
      } catch (problem) {
        showProblems(form, recipe(), (problem.told && problem.told.problems) || { "": problem.message }, true);
      } finally { submit.disabled = false; }
    });
  };

  ps.startLab = function () {
    const place = () => document.getElementById("app").classList.toggle("on-lab", Boolean(wholePage()) && ps.view().page !== "compare");
    place();
    ps.onRuns((ids) => { if (concerns(ids)) soon(); });
    ps.onView((changed) => {
      if (changed.includes("page")) place();
      if (changed.includes("page") || changed.includes("exp")) drawQueue();
    });
    drawQueue();
  };
})(window.prunescope);
