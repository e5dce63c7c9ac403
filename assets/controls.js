// Controls: built from the table of view keys (app/state.py), as the browser's own elements, so that keyboard,
// touch and screen readers work by themselves. They write to the view and follow it.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  let counter = 0;

  ps.el = function el(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name === "class") element.className = value;
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };

  function range(key, el) {
    const id = `control-${key.name}-${counter++}`;
    const shown = el("output", { for: id });
    const input = el("input", { type: "range", id, min: key.minimum, max: key.maximum, step: key.step || 1, title: key.help || null,
      oninput: () => ps.set({ [key.name]: Number(input.value) }) });
    const follow = (value) => {
      if (Number(input.value) !== value) input.value = value;
      const words = value === 0 && key.zero ? key.zero : key.unit ? `${value} ${key.unit}` : String(value);
      shown.textContent = words;
      input.setAttribute("aria-valuetext", words);
      input.style.setProperty("--share", `${(100 * (value - key.minimum)) / (key.maximum - key.minimum)}%`);
    };
    return [el("div", { class: "control" }, el("div", { class: "control-head" }, el("label", { for: id }, key.label), shown), input), follow];
  }

  function segments(key, el) {
    const name = `control-${key.name}-${counter++}`;
    const inputs = key.choices.map(([value]) => el("input", { type: "radio", name, value, id: `${name}-${value}`,
      onchange: (event) => event.target.checked && ps.set({ [key.name]: value }) }));
    const items = key.choices.map(([value, words], i) => el("span", {}, inputs[i], el("label", { for: `${name}-${value}` }, words)));
    const box = el("fieldset", { class: "control segments" }, el("legend", {}, key.label), el("div", {}, ...items));
    return [box, (value) => inputs.forEach((input) => { input.checked = input.value === value; })];
  }

  function choice(key, el) {
    const id = `control-${key.name}-${counter++}`;
    const select = el("select", { id, onchange: () => ps.set({ [key.name]: select.value }) },
      ...key.choices.map(([value, words]) => el("option", { value }, words)));
    return [el("div", { class: "control" }, el("div", { class: "control-head" }, el("label", { for: id }, key.label)), select),
      (value) => { select.value = value; }];
  }

  // A run to look at beside the chosen one; the list follows the runs as they come and go.
  function runPick(key, el) {
    const id = `control-${key.name}-${counter++}`;
    const select = el("select", { id, title: key.help || null, onchange: () => ps.set({ [key.name]: select.value }) });
    const follow = (value) => {
      const runs = Object.entries(ps.runs || {}).filter(([name]) => name !== ps.view().run || name === value);
      const wanted = [["", "no other run"], ...runs.map(([name, run]) => [name, run.name || name])];
      if (value && !wanted.some(([name]) => name === value)) wanted.push([value, value]);
      const text = JSON.stringify(wanted);
      if (select.dataset.runs !== text) {
        select.dataset.runs = text;
        select.replaceChildren(...wanted.map(([name, words]) => el("option", { value: name }, words)));
      }
      select.value = value;
    };
    runPicks.push(() => follow(ps.view()[key.name]));
    return [el("div", { class: "control" }, el("div", { class: "control-head" }, el("label", { for: id }, key.label)), select), follow];
  }
  const runPicks = [];
  ps.fillRunPicks = () => { for (const follow of runPicks) follow(); };

  // A choice among what the page's feed offers: it comes with the figures, and may change while a page is open.
  const offered = new Map();
  ps.offer = function (options) {
    for (const [name, choices] of Object.entries(options)) {
      const text = JSON.stringify(choices);
      if (offered.get(name) === text) continue;
      offered.set(name, text);
      for (const fill of optionFills.get(name) || []) fill(choices);
    }
  };
  const optionFills = new Map();
  // Choices that come with a heading stand below it, in the order in which they come.
  function grouped(choices) {
    const boxes = new Map(), found = [];
    for (const [value, words, heading] of choices) {
      const option = ps.el("option", { value }, words);
      if (!heading) { found.push(option); continue; }
      if (!boxes.has(heading)) { boxes.set(heading, ps.el("optgroup", { label: heading })); found.push(boxes.get(heading)); }
      boxes.get(heading).append(option);
    }
    return found;
  }
  // Controls that only some answers of a page hang on.
  ps.showAsked = function (page, names) {
    for (const place of page.querySelectorAll("[data-asked]")) place.hidden = !names.includes(place.dataset.control);
  };
  function optionPick(key, el) {
    const id = `control-${key.name}-${counter++}`;
    const select = el("select", { id, title: key.help || null, onchange: () => ps.set({ [key.name]: select.value }) });
    const follow = (value) => {
      if (value && ![...select.options].some((option) => option.value === value)) select.append(el("option", { value }, value));
      select.value = value;
    };
    if (!optionFills.has(key.name)) optionFills.set(key.name, []);
    optionFills.get(key.name).push((choices) => { select.replaceChildren(...grouped(choices)); follow(ps.view()[key.name]); });
    return [el("div", { class: "control" }, el("div", { class: "control-head" }, el("label", { for: id }, key.label)), select), follow];
  }

  // Some of many: what is chosen stands as buttons that take it out again, the rest is offered below.
  function several(key, el) {
    const id = `control-${key.name}-${counter++}`;
    const names = Object.fromEntries(key.choices);
    const now = () => ps.view()[key.name].split(",").filter(Boolean);
    const chosen = el("div", { class: "chosen" });
    const select = el("select", { id, onchange: () => { ps.set({ [key.name]: [...now(), select.value].join(",") }); } });
    const follow = (value) => {
      const have = value.split(",").filter(Boolean);
      chosen.replaceChildren(...have.map((one) => el("button", { type: "button", class: "small", "aria-label": `Take out ${names[one]}`,
        onclick: () => ps.set({ [key.name]: now().filter((other) => other !== one).join(",") }) }, `${names[one]} ×`)));
      const left = key.choices.filter(([one]) => !have.includes(one));
      select.replaceChildren(el("option", { value: "" }, have.length >= key.maximum ? `${key.maximum} are enough` : "add one …"), ...left.map(([one, words]) => el("option", { value: one }, words)));
      select.disabled = have.length >= key.maximum;
      select.value = "";
    };
    return [el("div", { class: "control" }, el("div", { class: "control-head" }, el("label", { for: id }, key.label)), chosen, select), follow];
  }

  function flag(key, el) {
    const input = el("input", { type: "checkbox", role: "switch", onchange: () => ps.set({ [key.name]: input.checked }) });
    return [el("label", { class: "control switch" }, input, key.label), (value) => { input.checked = value; }];
  }

  function build(key) {
    if (key.kind === "number") return range(key, ps.el);
    if (key.kind === "flag") return flag(key, ps.el);
    if (key.kind === "run") return runPick(key, ps.el);
    if (key.kind === "option") return optionPick(key, ps.el);
    if (key.kind === "several") return several(key, ps.el);
    return (key.choices.length > 3 ? choice : segments)(key, ps.el);
  }

  ps.startControls = function () {
    for (const place of document.querySelectorAll("[data-control]")) {
      const key = ps.key(place.dataset.control);
      if (!key) continue;
      const [element, follow] = build(key);
      place.append(element);
      follow(ps.view()[key.name]);
      ps.onView((changed, view) => { if (changed.includes(key.name)) follow(view[key.name]); });
    }
  };
})(window.prunescope);
