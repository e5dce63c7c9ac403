// The tray: figures pinned on any page, in the order of the paper. It holds links, not pictures: each figure is
// drawn again from its run when it is exported, with the settings it was pinned with.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const el = (...given) => ps.el(...given);
  const STORED = "prunescope.tray";
  const MOST = 60;

  function read() {
    try {
      const kept = JSON.parse(localStorage.getItem(STORED) || "[]");
      return Array.isArray(kept) ? kept.filter((item) => item && typeof item.figure === "string" && item.view && typeof item.view === "object").slice(0, MOST) : [];
    } catch { return []; }
  }
  function write(items) {
    try { localStorage.setItem(STORED, JSON.stringify(items)); }
    catch { ps.toast("The browser keeps nothing in this window (private mode, or its storage is full), so the tray is lost on reload."); }
    count(items);
  }
  function count(items = read()) {
    const button = document.getElementById("tray-button");
    if (!button) return;
    button.dataset.count = items.length || "";
    button.setAttribute("aria-label", `Figures tray, ${items.length} pinned`);
  }

  ps.pin = function (item) {
    const items = read();
    if (items.some((one) => same(one, item))) { ps.toast("This figure, as it is, is in the tray already."); return; }
    if (items.length >= MOST) { ps.toast(`The tray holds ${MOST} figures. Remove one first.`); return; }
    write([...items, item]);
    ps.toast(`Pinned “${item.title}”.`, "Open the tray", ps.openTray);
  };
  function same(a, b) { return a.figure === b.figure && JSON.stringify([a.view, a.screen]) === JSON.stringify([b.view, b.screen]); }

  ps.openTray = function () {
    const formats = new Set(ps.FORMATS.filter((format) => ["svg", "csv"].includes(format) || (format === "pdf" && ps.spec().pdf)));
    const paper = ps.paper();
    const list = el("ol", { class: "tray" });
    const status = el("p", { class: "export-status", role: "status" });
    let letters = true, working = null;

    function draw(focus) {
      const items = read();
      list.replaceChildren(...items.map((item, i) => row(item, i, items)));
      if (!items.length) list.append(el("li", { class: "tray-empty" }, "Nothing is pinned. “Pin to the tray” is in the menu ⋯ of every figure."));
      pack.disabled = !items.length;
      if (focus) (list.querySelector(`[data-focus="${focus}"]:not([disabled])`) || list.querySelector("button") || pack).focus();
    }
    function row(item, i, items) {
      const move = (by) => { const next = [...items]; next.splice(i + by, 0, ...next.splice(i, 1)); write(next); draw(`${i + by}${by}`); };
      const act = (words, sign, to, off, focus) => el("button", { type: "button", class: "small", "aria-label": `${words} “${item.title}”`, title: words, disabled: off, "data-focus": focus, onclick: to }, sign);
      return el("li", {}, el("span", { class: "tray-letter" }, letters && i < 26 ? String.fromCharCode(97 + i) : String(i + 1)),
        el("a", { href: ps.itemLink(item), onclick: (event) => { event.preventDefault(); box.close(); open(item); } }, item.title),
        el("span", { class: "tray-about" }, item.about || ""),
        el("span", { class: "tray-acts" }, act("Move up", "↑", () => move(-1), i === 0, `${i}-1`), act("Move down", "↓", () => move(1), i === items.length - 1, `${i}1`),
          act("Export", "Export", () => { box.close(); ps.openExport(item); }),
          act("Remove", "×", () => { write(items.filter((_, j) => j !== i)); draw(`${Math.max(0, i - 1)}1`); ps.toast(`Removed “${item.title}”.`, "Undo", () => { write(items); if (box.open) draw(); }); })));
    }
    // A link of the tray leads to the view it was pinned in.
    function open(item) {
      history.pushState(null, "", ps.addressOf(ps.itemLink(item)));
      dispatchEvent(new PopStateEvent("popstate"));
    }

    async function exportAll() {
      const items = read(), files = [], told = [];
      working = new AbortController();
      pack.textContent = "Cancel";
      status.classList.remove("is-error");
      try {
        for (const [i, item] of items.entries()) {
          status.textContent = `${i + 1} of ${items.length}: ${item.title} …`;
          const letter = letters && i < 26 ? String.fromCharCode(97 + i) : "";
          const made = await ps.filesOf(item, { ...paper, letter }, [...formats], working.signal);
          if (working.signal.aborted) throw new DOMException("", "AbortError");
          const number = String(i + 1).padStart(2, "0");
          files.push(...made.files.map(([name, bytes]) => [`${number}_${name}`, bytes]));
          told.push(`${letter || i + 1}  ${made.plot.caption}\n\n${made.plot.methods}\n\n${made.plot.provenance.link}\n`);
        }
        files.push(["captions.txt", ps.utf8(told.join("\n"))], ["tray.json", ps.utf8(JSON.stringify(items, null, 1) + "\n")]);
        ps.saveBytes(ps.zip(files), "figures.zip");
        status.textContent = `Saved ${items.length} figures, ${files.length} files.`;
      } catch (problem) {
        status.textContent = problem.name === "AbortError" ? "Cancelled." : problem.message;
        status.classList.toggle("is-error", problem.name !== "AbortError");
      }
      working = null;
      pack.textContent = "Export all as ZIP";
    }

    const pack = el("button", { type: "button", class: "primary", onclick: () => (working ? working.abort() : exportAll()) }, "Export all as ZIP");
    const tick = (label, on, change, off) => { const input = el("input", { type: "checkbox", checked: on, disabled: off, onchange: () => change(input.checked) }); return el("label", { class: "tick" }, input, label); };
    const ticks = ps.FORMATS.map((format) => tick(ps.formatWords[format], formats.has(format), (on) => (on ? formats.add(format) : formats.delete(format)), format === "pdf" && !ps.spec().pdf));
    const content = el("div", { class: "tray-box" }, list,
      el("fieldset", { class: "ticks" }, el("legend", {}, "Files"), ...ticks, tick("Panel letters", true, (on) => { letters = on; draw(); })),
      el("details", { class: "more" }, el("summary", {}, "Size and type"), el("div", { class: "fields" }, ...ps.paperFields(paper, (name, value) => { paper[name] = value; }, { letter: false }))),
      ps.spec().pdf ? null : el("p", { class: "card-text" }, "PDF needs one more package: pip install typst."),
      status, el("div", { class: "form-actions" }, pack));
    const box = ps.dialog("Figures tray", content);
    box.classList.add("wide");
    box.addEventListener("close", () => { if (working) working.abort(); });
    draw();
  };

  ps.startTray = function () {
    count();
    // Another tab may have pinned.
    addEventListener("storage", (event) => { if (event.key === STORED) count(); });
  };
})(window.prunescope);
