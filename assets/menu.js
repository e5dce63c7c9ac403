// What every figure offers, the same everywhere: full screen, log axis, its data, a link, files, and how it is computed.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const el = (...given) => ps.el(...given);
  const TABLE_ROWS = 500;
  let open = null;

  function fileName(box, ending) {
    const view = ps.view();
    const parts = [view.run, view.layer, box.dataset.figure, `epoch-${box.dataset.epoch}`];
    return parts.filter(Boolean).join("_").replace(/[^\w.-]+/g, "-") + "." + ending;
  }

  ps.save = save;
  function save(blob, name) {
    const link = el("a", { href: URL.createObjectURL(blob), download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // Without a server (a run in one file) there is no setting for paper: what is on screen is saved, on white.
  async function screenImage(box, format) {
    const plot = box.querySelector(".plot");
    const layout = { ...plot.layout, paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff" };
    const [width, height] = [plot.clientWidth, plot.clientHeight];
    const title = box.querySelector("h2").textContent;
    const told = { figure: box.dataset.figure, title, epoch: Number(box.dataset.epoch), view: ps.view(), link: ps.address() };
    const bytes = await ps.drawFile({ data: plot.data, layout, width, height, inches: [width / 96, height / 96], title, caption: `${title}.`, provenance: told }, format);
    ps.saveBytes(bytes, fileName(box, format));
  }

  // Exactly the plotted points: one row a point, the trace's name beside it.
  function pointsOf(plot) {
    const names = ["trace"];
    for (const trace of plot.data) for (const key of ["x", "y", "z", "text"]) if (filledIn(trace[key]) && !names.includes(key)) names.push(key);
    const rows = [];
    plot.data.forEach((trace, t) => {
      const name = trace.name || String(t);
      if (trace.type === "heatmap") {
        const full = plot._fullData[t];
        trace.z.forEach((line, i) => line.forEach((value, j) => {
          const point = { trace: name, x: full.x[j], y: full.y[i], z: value };
          rows.push(names.map((key) => point[key]));
        }));
        return;
      }
      // One text for all points of a trace stands beside each of them.
      const columns = names.slice(1).map((key) => (typeof trace[key] === "string" ? { all: trace[key] } : list(trace[key])));
      const count = Math.max(list(trace.x).length, list(trace.y).length);
      for (let i = 0; i < count; i++) rows.push([name, ...columns.map((column) => column.all ?? column[i])]);
    });
    return { names, rows };
  }
  const filledIn = (values) => values !== undefined && values !== null && values !== "";
  const words = (value) => (value === undefined || value === null || Number.isNaN(value) ? "" : String(value));
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  ps.csvOf = function (plot) {
    const { names, rows } = pointsOf(plot);
    return [names, ...rows].map((row) => row.map((value) => quoted(words(value))).join(",")).join("\n") + "\n";
  };
  function list(values) {
    if (values === undefined || values === null) return [];
    return values.bdata ? decode(values) : values;
  }
  function decode({ dtype, bdata }) {
    const bytes = Uint8Array.from(atob(bdata), (c) => c.charCodeAt(0));
    return new { f4: Float32Array, f8: Float64Array, i4: Int32Array, i1: Int8Array, i2: Int16Array, u1: Uint8Array, u2: Uint16Array, u4: Uint32Array }[dtype](bytes.buffer);
  }

  function close() { if (open) { open.remove(); open = null; } }

  function table(box) {
    const { names, rows } = pointsOf(box.querySelector(".plot"));
    const shown = rows.slice(0, TABLE_ROWS).map((row) => el("tr", {}, ...row.map((value) => el("td", {}, words(value)))));
    const content = el("table", { class: "data" }, el("thead", {}, el("tr", {}, ...names.map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, ...shown));
    ps.dialog("Data of this figure", el("div", {}, el("p", {}, rows.length > TABLE_ROWS ? `The first ${TABLE_ROWS} of ${rows.length} points. The CSV has them all.` : ""), content));
  }

  ps.dialog = function (title, content) {
    const box = el("dialog", { "aria-label": title }, el("div", { class: "dialog-head" }, el("h2", {}, title), el("button", { type: "button", "aria-label": "Close", class: "close", onclick: () => box.close() }, "×")), content);
    box.addEventListener("close", () => box.remove());
    box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
    document.body.append(box);
    box.showModal();
    return box;
  };

  function how(box) {
    const text = box.querySelector(".how");
    const copy = text.cloneNode(true);
    copy.hidden = false;
    ps.dialog("How is this computed?", copy);
  }

  function toggleLog(id) {
    const now = ps.view().log.split(",").filter(Boolean);
    ps.set({ log: (now.includes(id) ? now.filter((other) => other !== id) : [...now, id]).join(",") });
  }

  async function copyLink(id) {
    const link = new URL(ps.address(), location.href);
    if (id) link.searchParams.set("full", id);
    if (ps.view().follow) link.searchParams.delete("epoch");
    try { await navigator.clipboard.writeText(link.href); ps.toast("Link copied: it opens exactly this view."); }
    catch { ps.dialog("Copy this link", el("p", { class: "link" }, link.href)); }
  }
  ps.copyLink = copyLink;

  function items(box) {
    const id = box.dataset.figure;
    const fail = (work) => () => Promise.resolve(work()).catch((problem) => ps.toast(`Export failed: ${problem.message}`));
    const drawn = Boolean(box.querySelector(".plot").data);
    const list = [
      [ps.view().full === id ? "Leave full screen" : "Full screen", () => ps.set({ full: ps.view().full === id ? "" : id })],
      ["Log axis", () => toggleLog(id), ps.view().log.split(",").includes(id)],
    ];
    const plot = box.querySelector(".plot");
    if (drawn && plot.data.some((trace) => trace.meta && trace.meta.select && trace.type !== "scatter3d")) {
      const on = plot.dataset.drag === "lasso";
      list.push(["Select units (lasso)", () => ps.lasso(id), on]);
    }
    if (drawn) list.push(["Data", () => table(box)]);
    if (drawn && ps.offline) list.push(...["svg", "png"].map((format) => [`Save ${format.toUpperCase()}`, fail(() => screenImage(box, format))]),
      ["Save CSV", fail(() => save(new Blob([ps.csvOf(plot)], { type: "text/csv" }), fileName(box, "csv")))]);
    else if (drawn) list.push(["Export …", () => ps.openExport(ps.itemOf(box))], ["Pin to the tray", () => ps.pin(ps.itemOf(box))]);
    if (box.closest(".page")) list.push([ps.view().present ? "Leave the presentation" : "Present", () => (ps.view().present ? ps.leavePresent() : ps.present(id))]);
    list.push(["Copy link", () => copyLink(id)], ["How is this computed?", () => how(box)]);
    return list;
  }

  // Entries are [words, what to do, whether it is on, if it is a switch]; the menu opens below `button`, inside `place`.
  ps.openMenu = function (button, place, label, entries) {
    const again = open && open.parentElement === place;
    close();
    if (again) return;
    const menu = el("div", { class: "menu", role: "menu", "aria-label": label }, ...entries.map(([words, act, on]) =>
      el("button", { type: "button", role: on === undefined ? "menuitem" : "menuitemcheckbox", "aria-checked": on === undefined ? null : String(on), onclick: () => { close(); button.focus(); act(); } }, words)));
    menu.addEventListener("keydown", (event) => {
      const all = [...menu.children], at = all.indexOf(document.activeElement);
      if (event.key === "ArrowDown") all[(at + 1) % all.length].focus();
      else if (event.key === "ArrowUp") all[(at - 1 + all.length) % all.length].focus();
      else if (event.key === "Escape" || event.key === "Tab") { close(); button.focus(); }
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    place.append(menu);
    open = menu;
    // At the end of the list of runs there is room above only.
    const list = place.closest(".runs");
    menu.classList.toggle("is-up", Boolean(list) && menu.getBoundingClientRect().bottom > list.getBoundingClientRect().bottom);
    menu.firstChild.focus();
  };

  function showFull() {
    const ids = ps.view().full.split(",").slice(0, ps.view().present ? 2 : 1);
    let any = false;
    for (const box of document.querySelectorAll("[data-figure]")) {
      const now = ids.includes(box.dataset.figure) && Boolean(box.closest(".page:not([hidden])"));
      any = any || now;
      box.classList.toggle("is-full", now);
    }
    document.getElementById("app").classList.toggle("has-full", any);
    ps.requestDraw();
  }
  ps.showFull = showFull;

  ps.startMenus = function () {
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-menu]");
      const box = event.target.closest("[data-figure]");
      const asks = event.target.closest("[data-how]");
      if (button && box) ps.openMenu(button, box, "Figure", items(box));
      else if (button) return;
      else if (asks) how(asks.closest("[data-figure]"));
      else if (open && !open.contains(event.target)) close();
    });
    ps.onView((changed) => { if (changed.includes("full") || changed.includes("page")) showFull(); });
    showFull();
  };
})(window.prunescope);
