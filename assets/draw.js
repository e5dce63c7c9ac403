// Drawing: fills the templates of what is on screen and hands them to plotly, once a frame at most. What the
// user has done to a figure (zoom, camera, hidden traces) is kept by plotly as long as `uirevision` stays.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  let asked = false;
  let held = false;
  const config = { displaylogo: false, displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: "reset+autosize" };

  ps.visibleFigures = (page) => [...page.querySelectorAll("[data-figure]")];

  function pageElement() { return document.getElementById("page-" + ps.view().page); }

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

  ps.drawNow = function () {
    const page = pageElement();
    if (!page) return;
    const feed = ps.feed(page.dataset.feed);
    page.classList.toggle("without-run", !feed);
    if (!feed) return;
    say(page, feed);
    if (!feed.epochs.length) return;
    const cursor = ps.cursor(feed);
    const tail = ps.view().tail;
    fillTexts(feed, cursor, tail);
    for (const box of ps.visibleFigures(page)) drawFigure(box, feed, cursor, tail);
    document.documentElement.dataset.drawn = `${feed.name} ${feed.epochs[cursor]} ${feed.epochs.length}`;
  };

  function say(page, feed) {
    const note = page.querySelector("[data-notice]");
    if (!note) return;
    let text = "";
    if (feed.error) text = feed.error;
    else if (!feed.epochs.length) text = feed.busy ? "Computing the first epoch …" : "Waiting for the first snapshot …";
    else if (feed.busy && feed.total - feed.epochs.length > 1) text = `Computed ${feed.epochs.length} of ${feed.total} epochs …`;
    note.textContent = text;
    note.classList.toggle("is-error", Boolean(feed.error));
    page.classList.toggle("is-empty", !feed.epochs.length);
  }

  function fillTexts(feed, cursor, tail) {
    for (const [id, hole] of Object.entries(feed.texts)) {
      const element = document.getElementById(id);
      const text = ps.fill(hole, feed, cursor, tail) ?? "";
      if (element && element.textContent !== String(text)) element.textContent = text;
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
        const text = ps.fill(item.text, feed, cursor, tail) ?? "";
        if (words.textContent !== text) words.textContent = text;
      });
    }
  }

  function needsFull(template) {
    return template.data.some((trace) => trace.type === "scatter3d" || trace.type === "surface");
  }

  let loading = null;
  function loadFull() {
    loading ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = "/api/plotly-full.js";
      script.onload = () => { ps.full3d = true; done(); };
      script.onerror = failed;
      document.head.append(script);
    });
    return loading;
  }

  function drawFigure(box, feed, cursor, tail) {
    const id = box.dataset.figure;
    const template = feed.figures[id];
    const plot = box.querySelector(".plot");
    box.classList.toggle("is-unused", !template);
    if (!template || !plot) return;
    if (needsFull(template) && !ps.full3d) {
      loadFull().then(ps.requestDraw, () => { feed.error = "3-D drawing could not be loaded from the server. Reload the page."; ps.requestDraw(); });
      return;
    }
    const filled = ps.fill({ data: template.data, layout: template.layout }, feed, cursor, tail);
    filled.layout.uirevision = [ps.view().run, ps.view().layer, id].join("|");
    filled.layout.autosize = true;
    if (ps.view().log.split(",").includes(id)) logAxis(filled.layout);
    const picked = ps.decorate ? ps.decorate(id, filled, feed, cursor) : filled;
    window.Plotly.react(plot, picked.data, picked.layout, config);
    box.dataset.epoch = String(feed.epochs[cursor]);
    watchSize(plot);
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

  // Ask for whatever the page on screen lacks, and draw what there is.
  ps.refresh = function () {
    if (document.hidden) return;
    const page = pageElement();
    if (!page || !ps.view().run) { ps.requestDraw(); return; }
    const wanted = ["curve", page.dataset.feed];
    ps.dropOthers(wanted);
    for (const name of wanted) {
      ps.pull(name, { onChange: () => { ps.requestDraw(); if (name === "curve") ps.drawScrubber(); } });
    }
    ps.requestDraw();
    ps.drawScrubber();
  };

  ps.onView((changed) => {
    const reach = changed.map((name) => (ps.key(name) || { reach: "rows" }).reach);
    if (reach.some((r) => r !== "local")) ps.refresh();
    else { ps.requestDraw(); ps.drawScrubber(); }
  });
})(window.prunescope);
