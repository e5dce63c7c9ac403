// Start: once all scripts have been read, the parts of the page take their places.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";

  function showPage() {
    const page = ps.view().page;
    for (const section of document.querySelectorAll(".page")) section.hidden = section.id !== "page-" + page;
    for (const link of document.querySelectorAll("[data-page]")) {
      if (link.dataset.page === page) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
      // Where pages have no room beside each other, the chosen one is brought into sight.
      const nav = link.parentElement;
      if (link.dataset.page === page) nav.scrollLeft = link.offsetLeft - nav.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2;
    }
    document.getElementById("app").classList.toggle("on-compare", page === "compare");
    document.title = `${ps.spec().titles[page]} · Prunescope`;
  }

  function showTheme() {
    const theme = ps.view().theme;
    if (theme === "auto") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = theme;
    const button = document.getElementById("theme-button");
    if (button) { button.textContent = `Theme: ${theme}`; button.title = "Light, dark, as the system (T)"; }
  }

  const KEYS = {
    " ": () => ps.play(), ArrowLeft: () => ps.step(-1), ArrowRight: () => ps.step(1), Home: () => ps.goTo(0), End: () => ps.goTo(1e9),
    f: () => ps.followLatest(), n: () => ps.newRun(), e: () => ps.newExperiment(), t: () => nextTheme(), "?": () => showKeys(),
    p: () => (ps.view().present ? ps.leavePresent() : ps.present()),
    Escape: () => ps.view().present ? ps.leavePresent() : ps.set(ps.view().unit >= 0 ? { unit: -1 } : ps.view().full ? { full: "" } : { sel: "" }),
  };

  function showKeys() {
    const rows = [["space", "replay or pause"], ["← →", "one epoch back or on"], ["Home, End", "first, latest epoch"], ["F", "follow the latest epoch"],
      ["1 … 9", "pages, in order"], ["N", "new run"], ["E", "new experiment"], ["P", "present: full screen, large type"], ["T", "light, dark, as the system"], ["Esc", "close the drawer, leave full screen, clear the selection"], ["?", "this list"]];
    ps.dialog("Keys", ps.el("dl", { class: "keys" }, ...rows.flatMap(([key, words]) => [ps.el("dt", {}, key), ps.el("dd", {}, words)])));
  }

  function nextTheme() {
    const order = ["auto", "light", "dark"];
    ps.set({ theme: order[(order.indexOf(ps.view().theme) + 1) % 3] });
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const target = event.target;
    const typing = target.closest("input:not([type=range]):not([type=radio]):not([type=checkbox]), select, textarea");
    const own = target.closest("input, button, a, summary") && [" ", "ArrowLeft", "ArrowRight", "Home", "End", "Enter"].includes(event.key);
    if (typing || own) return;
    const pages = ps.spec().pages;
    const number = Number(event.key);
    if (number >= 1 && number <= pages.length) { ps.set({ page: pages[number - 1], full: "" }, { push: true }); return; }
    const act = KEYS[event.key] || KEYS[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }

  function start() {
    const app = document.getElementById("app");
    const spec = JSON.parse(app.dataset.spec);
    ps.startView(spec);
    showTheme();
    showPage();
    ps.startDraw();
    ps.startControls();
    ps.startLayerPick();
    ps.startScrubber();
    ps.startMenus();
    ps.startColours();
    ps.startRuns();
    ps.startTray();
    ps.startPresent();
    ps.startPruning();
    ps.startLab();
    document.addEventListener("click", (event) => {
      const link = event.target.closest("[data-page]");
      if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) { event.preventDefault(); ps.set({ page: link.dataset.page, full: "" }, { push: true }); document.getElementById("main").scrollTop = 0; }
      const act = event.target.closest("[data-do]");
      if (act) ({ link: () => ps.copyLink(), present: () => ps.present(), theme: nextTheme, tray: ps.openTray, new: ps.newRun, experiment: ps.newExperiment, untick: () => ps.set({ runs: "" }), both: () => ps.bothRuns(), keys: showKeys, refit: () => ps.set({ fit: -1 }), lay: () => ps.set({ laid: ps.view().cut }), clear: () => ps.select([]), undo: ps.undoSelection, lasso: () => ps.lasso(act.dataset.of), close: () => ps.set({ unit: -1 }),
        stop: () => ps.stopOrGoOn(),
        again: () => ps.tryAgain(),
        take: () => ps.takeAway(act.dataset.kind), redundant: () => ps.redundancy(act.dataset.kind), select: () => ps.select([...ps.locals().sel, ps.view().unit]),
        runs: () => { if (innerWidth < 900) app.classList.toggle("show-runs"); else ps.set({ sidebar: !ps.view().sidebar }); },
        rail: () => app.classList.toggle("show-rail") })[act.dataset.do]?.();
      else if (event.target.id === "shade") app.classList.remove("show-runs", "show-rail");
    });
    addEventListener("keydown", onKey);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => ps.refresh());
    const sidebar = () => app.classList.toggle("without-sidebar", !ps.view().sidebar);
    sidebar();
    ps.onView((changed) => {
      if (changed.includes("page")) { showPage(); ps.showFull(); ps.refresh(); }
      if (changed.includes("theme")) { showTheme(); ps.refresh(); }
      if (changed.includes("sidebar")) sidebar();
    });
    ps.startLive();
    ps.refresh();
    document.documentElement.dataset.ready = "1";
  }

  // The page is there before the scripts; it starts when all of them have been read.
  addEventListener("DOMContentLoaded", start);
})(window.prunescope);
