// The view: everything that the user has set. It lives in the address bar, so that reload, back and a
// pasted link show the same picture; pages, controls and drawing listen here and keep no copy of their own.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const listeners = [];
  let spec = { pages: ["overview"], keys: [], feeds: {} };
  let byName = {};
  let view = {};

  const REMEMBERED = ["theme", "sidebar"];

  function read(key, raw) {
    if (raw === null || raw === undefined) return key.default;
    if (key.kind === "flag") return raw === "1";
    if (key.kind === "number") {
      const value = Number(raw);
      const low = key.minimum ?? -1e12, high = key.maximum ?? 1e12;
      return raw !== "" && value >= low && value <= high ? value : key.default;
    }
    if (key.kind === "choice") return key.choices.some(([name]) => name === raw) ? raw : key.default;
    if (key.kind === "several") return [...new Set(String(raw).split(","))].filter((part) => key.choices.some(([name]) => name === part)).slice(0, key.maximum).join(",");
    return String(raw).slice(0, 4000);
  }

  // A run in one file has no paths of its own: there the view stands behind the #.
  function here() { return ps.offline ? new URL(location.hash.slice(1) || ps.offline.start, "http://file/") : location; }
  ps.addressOf = (link) => (ps.offline ? "#" : "") + link;

  function fromAddress() {
    const query = new URLSearchParams(here().search);
    const page = here().pathname.replace(/^\/+|\/+$/g, "");
    const next = { page: spec.pages.includes(page) ? page : spec.pages[0] };
    for (const key of spec.keys) {
      let raw = query.get(key.name);
      if (raw === null && REMEMBERED.includes(key.name)) raw = remembered(key.name);
      next[key.name] = read(key, raw);
    }
    return next;
  }

  function remembered(name) {
    try { return localStorage.getItem("prunescope." + name); } catch { return null; }
  }

  function written(key, value) {
    return key.kind === "flag" ? (value ? "1" : "0") : String(value);
  }

  ps.address = function () {
    const query = new URLSearchParams();
    for (const key of spec.keys) {
      if (REMEMBERED.includes(key.name)) continue;
      if (key.name === "epoch" && view.follow) continue;
      if (view[key.name] !== key.default) query.set(key.name, written(key, view[key.name]));
    }
    const text = query.toString();
    return "/" + view.page + (text ? "?" + text : "");
  };

  // The browser forbids more than about a hundred history changes in ten seconds; a drag makes more.
  let writing = null;
  function writeAddress(push) {
    if (push) {
      clearTimeout(writing);
      writing = null;
      history.pushState(null, "", ps.addressOf(ps.address()));
    } else if (writing === null) {
      writing = setTimeout(() => { writing = null; history.replaceState(null, "", ps.addressOf(ps.address())); }, 150);
    }
  }

  function tell(changed) {
    if (!changed.length) return;
    for (const listener of listeners) listener(changed, view);
  }

  ps.view = () => view;
  ps.spec = () => spec;
  ps.key = (name) => byName[name];
  ps.onView = (listener) => listeners.push(listener);

  // Changes: {key: value}. Values out of range are brought into it. `push` makes a step for the back button.
  ps.set = function (changes, { push = false } = {}) {
    const changed = [];
    // What was chosen for one layer's graph is open again for another's.
    if (changes.fit === -1 && ("layer" in changes || "run" in changes)) changes = { laid: -1, cut: byName.cut.default, ...changes };
    for (const [name, asked] of Object.entries(changes)) {
      let value = asked;
      if (name === "page") {
        if (!spec.pages.includes(value)) continue;
      } else {
        const key = byName[name];
        if (!key) continue;
        value = read(key, written(key, value));
        if (REMEMBERED.includes(name)) {
          try { localStorage.setItem("prunescope." + name, written(key, value)); } catch { /* private mode */ }
        }
      }
      if (view[name] !== value) {
        if (push && !changed.length) history.replaceState(null, "", ps.addressOf(ps.address()));
        view[name] = value;
        changed.push(name);
      }
    }
    if (changed.length) writeAddress(push);
    tell(changed);
  };

  ps.startView = function (given) {
    spec = given;
    byName = Object.fromEntries(spec.keys.map((key) => [key.name, key]));
    view = fromAddress();
    addEventListener("popstate", () => {
      const before = view;
      view = fromAddress();
      tell(Object.keys(view).filter((name) => view[name] !== before[name]));
    });
  };

  ps.themeNow = function () {
    if (view.theme !== "auto") return view.theme;
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  };
})(window.prunescope);
