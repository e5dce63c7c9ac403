// New run: the same settings as on the shell, from the same table; problems stand beside the field they are about.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const GROUPS = { run: "Run", data: "Data", model: "Model", training: "Training", recording: "Recording" };
  // What most people change; the rest waits under "More settings".
  const FIRST = ["name", "dataset", "model", "epochs", "init_scale", "lr", "seed"];
  const OTHER = "another";
  let fields = null;
  let presets = {};

  async function load() {
    if (fields) return fields;
    const answer = await fetch("/api/form");
    if (!answer.ok) throw new Error("The list of settings could not be loaded. Reload the page.");
    ({ fields, presets } = await answer.json());
    return fields;
  }

  function input(field) {
    const id = "field-" + field.name;
    const common = { id, name: field.name, "aria-describedby": `${id}-help ${id}-problem` };
    let element;
    // Names with a pattern (wrn-16-4) can be typed as well; what only the shell may name is not offered here.
    const open = field.patterns && !field.patterns.startsWith("module:");
    if (field.choices && field.choices.length) {
      element = ps.el("select", common, ...field.choices.map((value) => ps.el("option", { value, selected: value === field.default }, value)),
        open ? ps.el("option", { value: OTHER }, "another name …") : null);
      element.addEventListener("change", (event) => { if (element.value === OTHER) { event.stopPropagation(); typed(element, common); } });
    } else if (field.kind === "bool") {
      element = ps.el("input", { ...common, type: "checkbox", checked: field.default === true });
    } else if (field.kind === "int" || field.kind === "float") {
      element = ps.el("input", { ...common, type: "text", inputmode: "decimal", value: field.default ?? "", autocomplete: "off" });
    } else {
      const value = Array.isArray(field.default) ? field.default.join(", ") : field.default ?? "";
      element = ps.el("input", { ...common, type: "text", value, autocomplete: "off" });
    }
    return ps.el("div", { class: "field" }, ps.el("label", { for: id }, field.label), element,
      ps.el("p", { class: "field-help", id: id + "-help" }, field.help), ps.el("p", { class: "field-problem", id: id + "-problem", role: "alert" }));
  }

  // The list makes room for a name that it does not have.
  function typed(select, common) {
    const text = ps.el("input", { ...common, type: "text", placeholder: "such as wrn-16-4", autocomplete: "off" });
    select.replaceWith(text);
    text.focus();
  }

  function read(form) {
    const config = {};
    for (const field of fields) {
      const element = form.elements[field.name];
      if (!element) continue;
      const raw = element.type === "checkbox" ? element.checked : element.value.trim();
      if (raw === "" && (field.default === null || field.default === "")) continue;
      if (field.kind === "int" || field.kind === "float") config[field.name] = raw !== "" && Number.isFinite(Number(raw)) ? Number(raw) : raw;
      else if (field.kind === "list") config[field.name] = raw.split(",").map((part) => part.trim()).filter(Boolean);
      else config[field.name] = raw;
    }
    return config;
  }

  function showProblems(form, problems) {
    let first = null;
    for (const field of fields) {
      const element = form.elements[field.name];
      const text = problems[field.name] || "";
      document.getElementById(`field-${field.name}-problem`).textContent = text;
      element.setAttribute("aria-invalid", String(Boolean(text)));
      if (text && !first) first = element;
    }
    const rest = Object.keys(problems).filter((name) => !fields.some((field) => field.name === name));
    form.querySelector(".form-problem").textContent = rest.map((name) => problems[name]).join(" ");
    if (first) { first.closest("details")?.setAttribute("open", ""); first.focus(); }
  }

  function fillIn(form, config) {
    for (const field of fields) {
      const element = form.elements[field.name];
      if (!element) continue;
      const value = config[field.name] ?? field.default ?? "";
      if (element.type === "checkbox") element.checked = Boolean(value);
      else {
        const text = Array.isArray(value) ? value.join(", ") : value;
        if (element.tagName === "SELECT" && ![...element.options].some((option) => option.value === text)) element.prepend(ps.el("option", { value: text }, text));
        element.value = text;
      }
    }
    check(form);
  }

  async function check(form) {
    try {
      const told = await ps.post("/api/validate", { config: read(form) });
      showQuietly(form, told.problems || {});
      if (!Object.keys(told.problems || {}).length) await estimate(form);
    } catch (problem) { if (problem.told && problem.told.problems) showQuietly(form, problem.told.problems); }
  }
  // What will be recorded: asked for when the settings can be used; an answer that comes late is about older ones.
  let asked = 0;
  async function estimate(form) {
    const mine = ++asked, place = form.querySelector(".form-size");
    if (!place.textContent) place.textContent = "counting …";
    const told = await ps.post("/api/estimate", { config: read(form) });
    if (mine !== asked) return;
    place.textContent = told.says;
    place.classList.toggle("is-bad", told.tight);
  }
  function showQuietly(form, problems) {
    const focused = document.activeElement;
    showProblems(form, problems);
    if (focused && form.contains(focused)) focused.focus();
  }

  async function submit(event, form, box) {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    button.textContent = "Starting …";
    try {
      const told = await ps.post("/api/runs", { config: read(form) });
      box.close();
      ps.set({ run: told.run, layer: "", epoch: -1, follow: true, fit: -1, sel: "", unit: -1, mix: "" }, { push: true });
    } catch (problem) {
      showProblems(form, (problem.told && problem.told.problems) || { "": problem.message });
    } finally {
      button.disabled = false;
      button.textContent = "Start training";
    }
  }

  ps.newRun = async function () {
    if (!(await ps.mayChange())) return;
    try { await load(); } catch (problem) { ps.toast(problem.message); return; }
    const first = FIRST.map((name) => fields.find((field) => field.name === name)).filter(Boolean);
    const rest = fields.filter((field) => !FIRST.includes(field.name));
    const more = ps.el("details", { class: "more-settings" }, ps.el("summary", {}, "More settings"));
    for (const [group, title] of Object.entries(GROUPS)) {
      const some = rest.filter((field) => field.group === group);
      if (some.length) more.append(ps.el("h3", {}, title), ps.el("div", { class: "fields" }, ...some.map(input)));
    }
    const form = ps.el("form", { novalidate: true }, ps.el("div", { class: "fields" }, ...first.map(input)), more,
      ps.el("p", { class: "form-problem", role: "alert" }),
      ps.el("div", { class: "form-actions" }, ps.el("span", { class: "form-size", role: "status" }), ps.el("button", { type: "submit", class: "primary" }, "Start training")));
    // A preset fills the form; what it says can then be changed.
    form.prepend(ps.el("div", { class: "presets" }, "Start from", ...Object.entries(presets).map(([name, config]) =>
      ps.el("button", { type: "button", class: "small", onclick: () => fillIn(form, config) }, name))));
    const box = ps.dialog("New run", form);
    box.classList.add("wide");
    form.addEventListener("submit", (event) => submit(event, form, box));
    form.addEventListener("change", () => check(form));
    form.elements[FIRST[0]].focus();
    check(form);
  };
})(window.prunescope);
