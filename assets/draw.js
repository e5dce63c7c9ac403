// Drawing: fills the templates of what is on screen and hands them to plotly, once a frame at most. What the
// user has done to a figure (zoom, camera, hidden traces) is kept by plotly as long as `uirevision` stays.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const NARROW = 560;
  const WIDE = 1300;
  let asked = false;
  let held = false;
  const config = { displaylogo: false, displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: "reset+autosize" };

  ps.visibleFigures = (page) => [...page.querySelectorAll("[data-figure]")];

  function pageElement() { return document.getElementById("page-" + ps.view().page); }

  // What is on screen: the page, and over it the selection and the drawer of a unit while there is one.
  function sections() {
    const view = ps.view();
    const open = [pageElement()];
    for (const [id, on] of [["selection", view.sel !== ""], ["drawer", view.unit >= 0]]) {
      const element = document.getElementById(id);
      if (element) { element.hidden = !on; if (on) open.push(element); }
    }
    return open.filter(Boolean);
  }

  ps.requestDraw = function () {
    if (asked || document.hidden) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      if (!held) ps.drawNow();
    });
  };

  // A figure that changes under the pointer would take the drag out of the user's hand.
  addEventListener("pointerdown", (event) => { held = Boolean(event.target.closest && event.target.closest(".plot")); }, true);
  for (const name of ["pointerup", "pointercancel", "blur"]) {
    addEventListener(name, () => { if (held) { held = false; ps.requestDraw(); } }, true);
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ps.refresh(); });

  // The view as holes see it: the selected units of the layer as a list.
  ps.locals = function () {
    const view = ps.view();
    const mixed = Object.entries(ps.shares()).map(([layer, share]) => ["mix:" + layer, share]);
    return { ...view, ...Object.fromEntries(mixed), sel: view.sel ? view.sel.split(",").map(Number).filter(Number.isInteger) : [] };
  };

  ps.pageFeeds = (page) => page.dataset.feed.split(" ");

  // So long may one frame be drawn at; the figures that are left have the next ones. The page's main figure comes first.
  const FRAME_MS = 24;
  let began = 0;
  let left = false;
  const mayDraw = () => { const may = !left && performance.now() - began < FRAME_MS; left ||= !may; return may; };

  // All feeds of a page look at the same epoch: that of the first, which follows the scrubber.
  ps.drawNow = function () {
    began = performance.now();
    left = false;
    for (const section of sections()) drawSection(section);
    // What has been drawn is painted first, and the user's hand is heard.
    if (left) setTimeout(ps.requestDraw, 20);
  };

  function drawSection(page) {
    const feeds = ps.pageFeeds(page).map((name) => { const feed = ps.feed(name); return feed && ps.withAhead(ps.standIn(name, feed)); });
    page.classList.toggle("without-run", !feeds[0]);
    if (!feeds[0]) return;
    say(page, feeds);
    const local = ps.locals();
    const boxes = ps.visibleFigures(page);
    for (const feed of feeds) {
      if (!feed.epochs.length) {
        quieten(page, boxes, feed);
        if (feed !== feeds[0]) for (const box of figuresOf(feed, boxes)) tellFailure(box, feed.error || "");
        continue;
      }
      const cursor = ps.cursor(feed);
      // A number that was waited for is painted at once, its figures in the next frame.
      if (fillTexts(feed, cursor, local)) left = true;
      for (const box of boxes) {
        if (!feed.figures[box.dataset.figure]) continue;
        if (!attempt(box, feed, cursor, local)) continue;
        box.dataset.feed = feed.name;
        box.classList.remove("is-stale");
      }
      texted.set(feed.name, [...Object.keys(feed.texts), ...Object.keys(feed.lists)]);
      if (feed === feeds[0]) page.dataset.shows = ps.view().run;
    }
    for (const box of boxes) box.classList.toggle("is-unused", feeds[0].epochs.length > 0 && !feeds.some((feed) => feed.figures[box.dataset.figure]));
    const feed = feeds[0];
    if (!left && feed.epochs.length && page === pageElement()) document.documentElement.dataset.drawn = `${feed.name} ${feed.epochs[ps.cursor(feed)]} ${feed.known ?? feed.epochs.length}`;
  }

  // What answers an older question must not look like the answer to this one: its words go, its figures stand back.
  const texted = new Map();
  function quieten(page, boxes, feed) {
    for (const id of texted.get(feed.name) || []) {
      const element = document.getElementById(id);
      if (element && page.contains(element) && element.tagName !== "UL") element.textContent = "";
    }
    for (const box of boxes) if (box.dataset.feed === feed.name) box.classList.add("is-stale");
  }

  // False if its turn has not come. A figure that cannot be drawn says so in its place, and the others are drawn all the same.
  function attempt(box, feed, cursor, local) {
    let problem = "", done = true;
    try { done = drawFigure(box, feed, cursor, local); }
    catch (error) { problem = `This figure could not be drawn: ${error.message}. Reload the page; if it stays, please report it.`; }
    tellFailure(box, problem);
    return done;
  }
  function tellFailure(box, problem) {
    if ((box.dataset.failed || "") !== problem) { if (problem) box.dataset.failed = problem; else delete box.dataset.failed; }
  }
  const figuresOf = (feed, boxes) => boxes.filter((box) => feed.figures[box.dataset.figure]);

  function say(page, feeds) {
    const note = page.querySelector("[data-notice]");
    if (!note) return;
    // Those asked for, not those that stand in for them.
    const asked = ps.pageFeeds(page).map((name) => ps.feed(name)).filter(Boolean);
    // What fails beside the page's own subject is said in the place of its figures.
    const failed = feeds.find((one, i) => one.error && (i === 0 || one.epochs.length || !figuresOf(one, ps.visibleFigures(page)).length));
    const told = ps.progress(page, asked, feeds[0]);
    // What is only not there yet is said as the finding would be, and what to do below it.
    const todo = failed?.todo && !failed.epochs.length;
    const [missing, first] = todo ? failed.error.split(/(?<=\.) (.*)/s) : [];
    const run = ps.runs[ps.view().run], over = run?.status === "failed" && run.epoch == null;
    // The selection and a unit's drawer have no finding, and nothing to try again.
    const finding = page.querySelector("h1");
    if (finding) finding.dataset.missing = missing ?? (over ? "Nothing was recorded." : "");
    const text = todo ? first ?? "" : failed ? failed.error : told;
    if (note.textContent !== text) note.textContent = text;
    note.classList.toggle("is-error", Boolean(failed) && !todo);
    note.classList.toggle("is-todo", Boolean(todo) || over);
    const again = page.querySelector("[data-do=again]");
    if (again) again.hidden = todo || !asked.some((feed) => feed.error);
    // Controls stay while another question is worked on; of another run there is nothing yet.
    page.classList.toggle("is-empty", !feeds[0].epochs.length && page.dataset.shows !== ps.view().run);
    page.classList.toggle("is-waiting", !feeds[0].epochs.length && !feeds[0].error && !over);
  }

  // A sentence that needs two lines at one epoch and one at the next would move all figures: it keeps the room it has had.
  function holdRoom(line) {
    const { page, run, layer } = ps.view(), kept = [page, run, layer, innerWidth].join("|");
    if (line.dataset.kept !== kept) { line.dataset.kept = kept; line.style.minHeight = ""; }
    if (line.offsetHeight > parseFloat(line.style.minHeight || "0")) line.style.minHeight = `${line.offsetHeight}px`;
  }

  // A number stays on one line with its unit, its uncertainty and the word before it.
  const together = (text) => text.replaceAll(" ± ", "\u00a0±\u00a0").replaceAll(" %", "\u00a0%").replace(/\bepoch (?=\d)/g, "epoch\u00a0");

  // Returns whether words appeared where there were none.
  function fillTexts(feed, cursor, local) {
    let appeared = false;
    for (const [id, hole] of Object.entries(feed.texts)) {
      const element = document.getElementById(id);
      const text = together(String(ps.fill(hole, feed, cursor, local) ?? ""));
      if (!element || element.textContent === text) continue;
      appeared ||= element.textContent === "";
      element.textContent = text;
      if (element.matches(".page-head > *")) holdRoom(element);
    }
    for (const [id, items] of Object.entries(feed.lists)) {
      const list = document.getElementById(id);
      if (!list) continue;
      while (list.children.length > items.length) list.lastChild.remove();
      while (list.children.length < items.length) {
        const line = document.createElement("li");
        line.append(document.createElement("i"), document.createElement("span"));
        list.append(line);
      }
      items.forEach((item, i) => {
        const [swatch, words] = list.children[i].children;
        swatch.style.background = item.colour;
        const text = ps.fill(item.text, feed, cursor, local) ?? "";
        if (words.textContent !== text) words.textContent = text;
      });
    }
    return appeared;
  }

  // Figures as they were last drawn: from which rows, and which of the user's settings their holes had read.
  const drawn = new WeakMap();
  const asText = (value) => (Array.isArray(value) ? value.join() : value);
  function isDrawn(plot, state, local) {
    const last = drawn.get(plot);
    return last && last.state === state && [...last.read].every(([name, value]) => asText(local[name]) === value);
  }

  function drawFigure(box, feed, cursor, local) {
    const id = box.dataset.figure;
    const template = feed.figures[id];
    const plot = box.querySelector(".plot");
    const room = plot.clientWidth < (local.present ? WIDE : NARROW);
    const state = [feed.version, cursor, local.run, local.layer, local.sel, local.log, room, plot.dataset.drag, ps.full3d,
      local.present && [plot.clientWidth, plot.clientHeight]].join("|");
    // A drag redraws only what the slider is about.
    if (isDrawn(plot, state, local)) return true;
    if (!mayDraw()) return false;
    const read = new Map();
    const noted = new Proxy(local, { get: (all, name) => { read.set(name, asText(all[name])); return all[name]; } });
    if (ps.waitsForDepth(template, feed, box)) return true;
    const filled = ps.fill({ data: template.data, layout: template.layout }, feed, cursor, noted);
    // A zoom belongs to what is drawn: one run's layer, or what many runs were asked about.
    filled.layout.uirevision = ps.spec().whole.includes(feed.name) ? feed.asked : [local.run, local.layer, id].join("|");
    filled.layout.selectionrevision = local.sel;
    filled.layout.autosize = true;
    if (local.log.split(",").includes(id)) logAxis(filled.layout);
    // In large type, labels beside the curves would take half of the plot.
    if (room) labelsInside(filled.layout);
    if (plot.dataset.drag) filled.layout.dragmode = plot.dataset.drag;
    if (local.present) Object.assign(filled, ps.enlarge(filled, plot));
    const [still, marks] = ps.takeMarks(filled);
    const last = drawn.get(plot);
    if (!last || !plot.data || !ps.equal(last.still, still)) {
      const kept = ps.remembered(still);
      window.Plotly.react(plot, still.data, still.layout, config);
      drawn.set(plot, { state, read, still: kept });
    } else drawn.set(plot, { state, read, still: last.still });
    ps.drawMarks(plot, marks);
    box.dataset.epoch = String(feed.epochs[cursor]);
    watchSize(plot);
    ps.listenTo(plot);
    ps.keepCamera(plot);
    return true;
  }

  // Where there is no room beside a curve, its labels stand inside, at the lower left.
  function labelsInside(layout) {
    if (!layout.margin || layout.margin.r < 100) return;
    layout.margin = { ...layout.margin, r: 20 };
    const beside = (layout.annotations || []).filter((note) => note.xref === "paper" && note.x > 1);
    beside.forEach((note, i) => { note.x = 0.02; note.y = 0.02 + 0.075 * (beside.length - 1 - i); note.yanchor = "bottom"; });
  }

  function logAxis(layout) {
    if (layout.yaxis) layout.yaxis = { ...layout.yaxis, type: "log", rangemode: "normal", range: undefined, tickformat: undefined };
  }

  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) if (target.data && target.offsetWidth) window.Plotly.Plots.resize(target);
  });
  function watchSize(plot) {
    if (plot.dataset.watched) return;
    plot.dataset.watched = "1";
    sizes.observe(plot);
  }

  // Answers are about the epoch under the scrubber: when that moves, and rests, they are asked for anew.
  const REST_MS = 60;
  let resting = null;
  // The course of training is wanted on every page, by the scrubber.
  ps.wantedFeeds = () => ["curve", ...sections().flatMap(ps.pageFeeds)];
  ps.openFeeds = () => sections().flatMap(ps.pageFeeds).map((name) => ps.feed(name)).filter(Boolean);

  function askAnew() {
    if (!ps.openFeeds().some((feed) => ps.spec().answers.includes(feed.name) || feed.busy)) return;
    clearTimeout(resting);
    resting = setTimeout(ps.refresh, REST_MS);
  }

  let lastShown = "";
  function onCurve(feed) {
    ps.requestDraw();
    ps.drawScrubber();
    const shown = feed.epochs.length ? `${ps.view().run} ${feed.epochs[ps.cursor(feed)]}` : "";
    if (shown !== lastShown) { lastShown = shown; askAnew(); }
  }

  // Ask for whatever the page on screen lacks, and draw what there is.
  ps.refresh = function () {
    if (document.hidden) return;
    const page = pageElement();
    if (!page) { ps.requestDraw(); return; }
    const wanted = ps.wantedFeeds();
    ps.dropOthers(wanted);
    const subjects = new Set(["curve", ...sections().map((section) => ps.pageFeeds(section)[0])]);
    for (const name of wanted) ps.pull(name, { onChange: name === "curve" ? onCurve : ps.requestDraw, waits: !subjects.has(name) });
    ps.requestDraw();
    ps.drawScrubber();
  };

  ps.startDraw = function () {
    ps.onView((changed) => {
      const reach = changed.map((name) => (ps.key(name) || { reach: "rows" }).reach);
      if (reach.some((r) => r !== "local")) ps.refresh();
      else {
        ps.requestDraw();
        ps.drawScrubber();
        if (changed.includes("epoch") || changed.includes("follow")) askAnew();
      }
    });
  };
})(window.prunescope);
