// Export: the server sets a figure for paper (same template, same rows), the browser draws it, previews it and
// saves it. A figure to export is an item {figure, page, title, about, view, screen}: enough to draw it again.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const el = (...given) => ps.el(...given);
  const STORED = "prunescope.paper";
  const FRAME = ["theme", "sidebar", "full", "present", "hide", "show", "speed", "play"];
  const DRAWN = ["svg", "png"];
  const KINDS = { svg: "image/svg+xml", png: "image/png", pdf: "application/pdf", html: "text/html", csv: "text/csv", json: "application/json", py: "text/x-python", zip: "application/zip" };
  const WORDS = { svg: "SVG", pdf: "PDF", png: "PNG", html: "HTML", csv: "CSV", json: "JSON", py: "Python" };
  ps.FORMATS = Object.keys(WORDS);
  ps.formatWords = WORDS;
  const PAPER = { width: "column", height: "", font: "arial", size: "", line: "", legend: "labels", letter: "", background: "white" };

  ps.paper = function () {
    let kept = {};
    try { kept = JSON.parse(localStorage.getItem(STORED) || "{}"); } catch { /* private mode, or not ours */ }
    const paper = { ...PAPER };
    for (const name of Object.keys(PAPER)) if (typeof kept[name] === "string") paper[name] = kept[name];
    return paper;
  };
  function keep(paper) {
    // A panel letter belongs to one figure: the next one does not inherit it.
    try { localStorage.setItem(STORED, JSON.stringify({ ...paper, letter: "" })); } catch { /* private mode */ }
  }

  // What is on screen, as an item.
  ps.itemOf = function (box) {
    const view = ps.view(), plot = box.querySelector(".plot"), said = {};
    for (const key of ps.spec().keys) {
      const value = view[key.name];
      if (FRAME.includes(key.name) || value === key.default) continue;
      said[key.name] = key.kind === "flag" ? (value ? "1" : "0") : String(value);
    }
    Object.assign(said, { epoch: box.dataset.epoch, follow: "0" });
    const run = ps.runs[view.run] || {};
    return { figure: box.dataset.figure, page: view.page, title: box.querySelector("h2").textContent, view: said, screen: touched(plot),
             about: [run.name || view.run, view.layer, `epoch ${said.epoch}`].filter(Boolean).join(" · ") };
  };

  // What the user has done to the figure: plotly remembers which values it had before a hand changed them. A scene that
  // is let go turns on for a moment: it knows itself where it is.
  function touched(plot) {
    const full = plot._fullLayout || {}, moved = Object.keys(full._preGUI || {});
    const ranges = {}, camera = {};
    for (const name of Object.keys(plot.layout || {})) {
      if (/^[xy]axis\d*$/.test(name) && moved.some((path) => path.startsWith(name + ".range") || path === name + ".autorange") && full[name]) ranges[name] = full[name].range.slice(0, 2);
      if (/^scene\d*$/.test(name) && moved.some((path) => path.startsWith(name + ".camera"))) camera[name] = strip(full[name]._scene.getCamera());
    }
    const hidden = (plot.data || []).flatMap((trace, i) => (trace.visible === false || trace.visible === "legendonly" ? [i] : []));
    return { ranges, camera, hidden };
  }
  function strip(camera) { return JSON.parse(JSON.stringify({ eye: camera.eye, center: camera.center, up: camera.up })); }

  ps.itemLink = (item) => "/" + item.page + "?" + new URLSearchParams({ ...item.view, full: item.figure });

  function queryOf(item, paper, format) {
    const query = new URLSearchParams({ ...item.view, figure: item.figure, format });
    for (const [name, value] of Object.entries(paper)) if (value !== "" && value !== PAPER[name]) query.set("paper_" + name, value);
    const { ranges, camera, hidden } = item.screen || {};
    if (ranges && Object.keys(ranges).length) query.set("paper_ranges", JSON.stringify(ranges));
    if (camera && Object.keys(camera).length) query.set("paper_camera", JSON.stringify(camera));
    if (hidden && hidden.length) query.set("paper_hidden", hidden.join(","));
    if ((item.view.log || "").split(",").includes(item.figure)) query.set("paper_log", "1");
    return query;
  }

  async function ask(url, options) {
    let answer;
    try { answer = await fetch(url, options); }
    catch (problem) { if (problem.name === "AbortError") throw problem; throw new Error("The server cannot be reached. Is prunescope still running?"); }
    if (!answer.ok) {
      const told = await answer.json().catch(() => ({}));
      throw new Error([told.error, told.do].filter(Boolean).join(" ") || `The server answered ${answer.status}.`);
    }
    return answer;
  }

  ps.plotOf = async function (item, paper, signal) {
    return (await ask("/api/export?" + queryOf(item, paper, "plot"), { signal })).json();
  };

  // The bytes of one file. `plot` is drawn once for all formats that need it.
  ps.fileOf = async function (item, paper, format, plot, signal) {
    if (DRAWN.includes(format)) return ps.drawFile(plot, format);
    if (format === "pdf") {
      const svg = new TextDecoder().decode(await ps.drawFile(plot, "svg"));
      const body = JSON.stringify({ svg, title: plot.title, caption: plot.caption, name: plot.name, provenance: plot.provenance });
      const answer = await ask("/api/export/pdf", { method: "POST", headers: { "Content-Type": "application/json" }, body, signal });
      return new Uint8Array(await answer.arrayBuffer());
    }
    return new Uint8Array(await (await ask("/api/export?" + queryOf(item, paper, format), { signal })).arrayBuffer());
  };

  // Name and bytes of all the files of a figure; the sidecar goes with them.
  ps.filesOf = async function (item, paper, formats, signal) {
    const plot = await ps.plotOf(item, paper, signal);
    const files = [];
    const wanted = formats.includes("py") && !formats.includes("csv") ? [...formats, "csv"] : formats;
    for (const format of wanted) files.push([`${plot.name}.${format}`, await ps.fileOf(item, paper, format, plot, signal)]);
    files.push([`${plot.name}.provenance.json`, await ps.fileOf(item, paper, "about", plot, signal)]);
    return { plot, files };
  };

  ps.saveBytes = (bytes, name) => ps.save(new Blob([bytes], { type: KINDS[name.split(".").pop()] || "application/octet-stream" }), name);

  ps.copyText = async function (text, words) {
    try { await navigator.clipboard.writeText(text); ps.toast(words); }
    catch { ps.dialog("Copy this", el("p", { class: "link" }, text)); }
  };

  function select(label, name, choices, paper, changed) {
    const id = `paper-${name}`;
    const input = el("select", { id, onchange: () => changed(name, input.value) }, ...choices.map(([value, words]) => el("option", value === paper[name] ? { value, selected: true } : { value }, words)));
    return el("div", { class: "field" }, el("label", { for: id }, label), input);
  }
  function text(label, name, hint, paper, changed) {
    const id = `paper-${name}`;
    const input = el("input", { id, value: paper[name], placeholder: hint, autocomplete: "off", spellcheck: "false", oninput: () => changed(name, input.value.trim()) });
    return el("div", { class: "field" }, el("label", { for: id }, label), input);
  }

  ps.paperFields = function (paper, changed, { letter = true } = {}) {
    const preset = ["column", "text", "slide"].includes(paper.width) ? paper.width : "own";
    const own = text("Width", "width", "e.g. 120mm, 5in", paper, changed);
    own.hidden = preset !== "own";
    const size = select("Size", "preset", [["column", "Column, 3.5 in"], ["text", "Text, 7 in"], ["slide", "Slide, 16:9"], ["own", "Own width"]], { preset }, (_, value) => {
      own.hidden = value !== "own";
      const width = value === "own" ? "120mm" : value;
      own.querySelector("input").value = width;
      changed("width", width);
    });
    return [size, own, text("Height", "height", "by itself", paper, changed),
      select("Font", "font", [["arial", "Arial"], ["times", "Times"], ["computer-modern", "Computer Modern"], ["dejavu", "DejaVu Sans"]], paper, changed),
      text("Type, pt", "size", "preset", paper, changed), text("Line, pt", "line", "preset", paper, changed),
      select("Legend", "legend", [["labels", "at the curves"], ["right", "right"], ["top", "top"], ["bottom", "bottom"], ["inside", "inside"], ["none", "none"]], paper, changed),
      letter ? text("Panel letter", "letter", "none", paper, changed) : null,
      select("Background", "background", [["white", "white"], ["none", "transparent"]], paper, changed)].filter(Boolean);
  };

  // The dialog: preview at true size, settings, words to paste, files.
  ps.openExport = function (item) {
    const paper = ps.paper();
    const image = el("img", { alt: `Preview of “${item.title}” as it will be exported` });
    const sheet = el("div", { class: "sheet" }, image);
    const status = el("p", { class: "export-status", role: "status" });
    const caption = el("p"), methods = el("p");
    let plot = null, asked = null, waiting = null, url = "";

    async function preview() {
      if (asked) asked.abort();
      const mine = asked = new AbortController();
      status.classList.remove("is-error");
      status.textContent = "Drawing …";
      try {
        const next = await ps.plotOf(item, paper, mine.signal);
        const bytes = await ps.drawFile(next, "svg");
        if (mine !== asked) return;
        plot = next;
        URL.revokeObjectURL(url);
        image.src = url = URL.createObjectURL(new Blob([bytes], { type: KINDS.svg }));
        caption.textContent = plot.caption;
        methods.textContent = plot.methods;
        const millimetres = plot.inches.map((inch) => (25.4 * inch).toFixed(0)).join(" × ");
        status.textContent = `${millimetres} mm · SVG ${(bytes.length / 1000).toFixed(0)} kB` + (plot.provenance.merged ? " · points merged, see the caption" : "")
          + (new TextDecoder().decode(bytes).includes("<image") ? " · SVG and PDF hold a picture here: too many cells for vectors" : "");
        keep(paper);
      } catch (problem) {
        if (problem.name === "AbortError" || mine !== asked) return;
        plot = null;
        status.textContent = problem.message;
        status.classList.add("is-error");
      }
      for (const button of buttons) button.disabled = !plot;
    }
    function changed(name, value) {
      paper[name] = value;
      clearTimeout(waiting);
      waiting = setTimeout(preview, 250);
    }
    async function run(words, work) {
      status.classList.remove("is-error");
      status.textContent = words;
      try { await work(); status.textContent = "Saved."; }
      catch (problem) { status.textContent = problem.message; status.classList.add("is-error"); }
    }
    const one = (format) => run(`Making ${WORDS[format]} …`, async () => {
      // The program needs its points, and points without their origin are only numbers: these go together.
      if (format === "py" || format === "csv") ps.saveBytes(ps.zip((await ps.filesOf(item, paper, [format])).files), `${plot.name}.${format}.zip`);
      else ps.saveBytes(await ps.fileOf(item, paper, format, plot), `${plot.name}.${format}`);
    });
    const usable = ps.FORMATS.filter((format) => format !== "pdf" || ps.spec().pdf);
    const buttons = [
      ...ps.FORMATS.map((format) => el("button", { type: "button", class: "button", "data-format": format, disabled: true, onclick: () => one(format),
        title: { csv: "with its provenance, as ZIP", py: "redraws the figure from its CSV; both as ZIP" }[format] || null }, WORDS[format])),
      el("button", { type: "button", class: "primary", "data-format": "zip", disabled: true, onclick: () => run("Packing …", async () => {
        ps.saveBytes(ps.zip((await ps.filesOf(item, paper, usable)).files), `${plot.name}.zip`);
      }) }, "All as ZIP"),
    ];
    const words = (title, paragraph, id) => el("div", { class: "export-words" }, el("div", { class: "export-words-head" }, el("h3", { id }, title),
      el("button", { type: "button", class: "small", "aria-label": `Copy ${title.toLowerCase()}`, onclick: () => ps.copyText(paragraph.textContent, `${title} copied.`) }, "Copy")), paragraph);
    const content = el("div", { class: "export" },
      el("div", { class: "export-left" }, sheet, status, words("Caption", caption), words("Methods", methods)),
      el("div", { class: "export-right" }, ...ps.paperFields(paper, changed)),
      el("div", { class: "export-files" }, ...buttons, el("button", { type: "button", class: "button", onclick: () => { ps.pin(item); } }, "Pin to the tray")));
    const box = ps.dialog(`Export “${item.title}”`, content);
    box.classList.add("wide");
    box.addEventListener("close", () => { if (asked) asked.abort(); URL.revokeObjectURL(url); });
    preview();
  };
})(window.prunescope);
