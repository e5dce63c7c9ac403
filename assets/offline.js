// A run in one file: what a server would answer is in the page. Only that file has the element "travelling"; on
// a served page nothing of this runs.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const place = document.getElementById("travelling");
  if (!place) return;
  const held = JSON.parse(place.textContent);
  place.remove();
  ps.offline = { start: `/?run=${encodeURIComponent(held.run)}` };
  document.documentElement.dataset.offline = "1";

  const unpacked = (async () => {
    const bytes = Uint8Array.from(atob(held.packed), (letter) => letter.charCodeAt(0));
    return JSON.parse(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text()).answers;
  })();

  function frame(head) {
    let text = JSON.stringify(head);
    let bytes = new TextEncoder().encode(text);
    const padded = new Uint8Array(8 + bytes.length + ((4 - (bytes.length % 4)) % 4)).fill(32);
    new DataView(padded.buffer).setUint32(0, padded.length - 8, true);
    new DataView(padded.buffer).setUint32(4, 0, true);
    padded.set(bytes, 8);
    return padded;
  }
  const refuse = (words) => new Response(frame({ error: words }));

  async function rows(query) {
    const name = query.get("feed");
    const keys = ps.spec().feeds[name] || [];
    const other = keys.find((key) => key !== "layer" && key !== "fit" && query.has(key) && query.get(key) !== String(held.defaults[key]));
    if (other) return refuse(`This file holds ${other} = ${held.defaults[other] || "none"} only. Open the run itself in Prunescope for ${other} = ${query.get(other)}.`);
    const layer = keys.includes("layer") ? query.get("layer") || held.details.layers[0].name : "";
    const answer = (await unpacked)[`${name}|${layer}`];
    if (!answer) return refuse("This file does not hold it: measuring units of one's own choice needs the run itself, in Prunescope.");
    if (answer.error) return refuse(answer.error);
    const parts = [];
    const head = { boot: "file", total: answer.total, settled: answer.settled };
    const theme = query.get("theme_now");
    if (theme || query.get("have") === "0") {
      const chosen = {};
      for (const key of ps.spec().keys) if (key.reach === "template" && key.pages.includes(name) && key.name !== "dims") chosen[key.name] = query.get(key.name) ?? key.default;
      Object.assign(head, answer.heads[JSON.stringify([theme || "light", chosen])]);
    }
    parts.push(frame(head));
    if (query.get("have") === "0" || query.has("at")) parts.push(Uint8Array.from(atob(answer.frame), (letter) => letter.charCodeAt(0)));
    return new Response(new Blob(parts));
  }

  let told = false;
  window.fetch = async function (address) {
    const url = new URL(String(address), "http://file/");
    if (url.pathname === "/api/rows") return rows(url.searchParams);
    if (url.pathname === "/api/poll") {
      if (told) return new Response(null, { status: 204 });
      told = true;
      return new Response(JSON.stringify({ version: 1, boot: "file", runs: held.runs }));
    }
    if (url.pathname.startsWith("/api/runs/")) return new Response(JSON.stringify(held.details));
    return new Response(JSON.stringify({ error: "This file has no server behind it.", do: "Open the run in Prunescope." }), { status: 503 });
  };
  // No event stream either: the page asks /api/poll instead, which is answered above.
  delete window.EventSource;

  // What only a server can do is not offered: other settings to compute, 3-D, runs to start, pages about many runs.
  addEventListener("load", () => {
    ps.listenTo = () => {};
    for (const page of ps.spec().whole || []) for (const link of document.querySelectorAll(`[data-page="${page}"]`)) link.hidden = true;
    for (const control of document.querySelectorAll("[data-control]")) {
      const key = ps.spec().keys.find((one) => one.name === control.dataset.control);
      if (key && (key.reach === "rows" || key.name === "dims")) control.hidden = true;
    }
  });
})(window.prunescope);
