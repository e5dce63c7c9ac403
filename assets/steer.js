// What a page may change on the server, and the line at the bottom that tells how it went.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  // Changes need the launch token, which a page opened by its bare address does not have.
  let session = null;
  ps.forgetSession = () => { session = null; };
  ps.mayChange = async function () {
    if (!session) {
      try { session = await (await fetch("/api/session")).json(); } catch { return true; }
      document.getElementById("app").classList.toggle("may-not-change", !session.may_change);
    }
    if (session.may_change) return true;
    ps.toast(session.read_only ? "This dashboard was started to show only: nothing can be changed."
      : "This page may only look. To change things, open the address with ?token=… that prunescope printed when it started.");
    return false;
  };

  ps.post = async function (path, body) {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw Object.assign(new Error([told.error, told.do].filter(Boolean).join(" ") || `The server answered ${answer.status}.`), { told, status: answer.status });
    return told;
  };

  ps.control = async function (id, action, more = {}) {
    if (!(await ps.mayChange())) return;
    try {
      const told = await ps.post(`/api/runs/${encodeURIComponent(id)}/control`, { action, ...more });
      if (action === "rerun" && told.run) ps.chooseRun(told.run);
      if (action === "delete") {
        ps.toast(`Deleted “${ps.runs[id]?.name || id}”.`, "Undo", () => ps.post(`/api/runs/${encodeURIComponent(id)}/control`, { action: "restore" }).catch((e) => ps.toast(e.message)));
        if (ps.view().run === id) ps.set({ run: "" });
      }
    } catch (problem) { ps.toast(problem.message); }
  };

  let hiding = null;
  ps.toast = function (text, action, act) {
    const box = document.getElementById("toast");
    clearTimeout(hiding);
    const close = () => { box.hidden = true; };
    box.replaceChildren(ps.el("span", {}, text));
    if (action) box.append(ps.el("button", { type: "button", onclick: () => { act(); close(); } }, action));
    box.append(ps.el("button", { type: "button", "aria-label": "Close", onclick: close }, "×"));
    box.hidden = false;
    hiding = setTimeout(close, action ? 15000 : 8000);
  };
})(window.prunescope);
