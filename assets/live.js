// Live: the server says only which run moved on; pages then pull what they lack. One tab of a browser holds
// the stream for all of them, because browsers allow six connections to a host and a stream takes one for good.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const SILENT_MS = 25000;   // the server speaks every 10 s; more silence than this is a lost connection
  const POLL_MS = 1000;
  ps.runs = {};
  ps.experiments = {};
  ps.connected = null;
  const onRuns = [];
  ps.onRuns = (listener) => onRuns.push(listener);

  let boot = "";
  let channel = null;
  let source = null;
  let heard = 0;

  function take(kind, message) {
    heard = performance.now();
    setConnected(true);
    if (kind === "hello") {
      const restarted = boot && boot !== message.boot;
      boot = message.boot;
      ps.runs = message.runs;
      ps.experiments = message.experiments || {};
      changed(Object.keys(ps.runs), true);
      if (restarted) { ps.forgetSession(); ps.refresh(); }
      return;
    }
    if (kind === "experiments") { ps.experiments = message.experiments; changed([], false); return; }
    if (kind !== "run") return;
    const { run, ...state } = message;
    const gone = state.status === "gone";
    if (gone) delete ps.runs[run];
    else ps.runs[run] = state;
    changed([run], false, !gone);
  }

  // What a deleted run has drawn stays on screen; asking for more of it would only fail.
  function changed(ids, all, there = true) {
    for (const listener of onRuns) listener(ids, all);
    if (!there) return;
    if (all || ids.includes(ps.view().run)) ps.refresh();
  }

  function setConnected(now) {
    if (ps.connected === now) return;
    ps.connected = now;
    for (const listener of onRuns) listener([], false);
  }

  function share(kind, message) {
    take(kind, message);
    if (channel) channel.postMessage({ kind, message });
  }

  function listen() {
    source = new EventSource("/live");
    source.addEventListener("hello", (event) => share("hello", JSON.parse(event.data)));
    source.addEventListener("experiments", (event) => share("experiments", JSON.parse(event.data)));
    source.onmessage = (event) => share("run", JSON.parse(event.data));
    source.onerror = () => {
      share("lost", null);
      setConnected(false);
      // EventSource retries by itself, except after an answer that is no stream.
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, POLL_MS);
    };
  }

  async function poll() {
    let version = -1;
    for (;;) {
      try {
        const answer = await fetch(`/api/poll?version=${version}&boot=${boot}`);
        if (answer.status === 200) {
          const told = await answer.json();
          version = told.version;
          take("hello", told);
        } else if (answer.status === 204) { heard = performance.now(); setConnected(true); }
      } catch { setConnected(false); }
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
  }

  ps.startLive = function () {
    if (!("EventSource" in window)) { poll(); return; }
    if (!navigator.locks || !("BroadcastChannel" in window)) { listen(); return; }
    channel = new BroadcastChannel("prunescope-live");
    channel.onmessage = ({ data }) => {
      if (data.kind === "who") { if (source) channel.postMessage({ kind: "hello", message: { boot, runs: ps.runs, experiments: ps.experiments } }); return; }
      if (data.kind === "lost") { setConnected(false); return; }
      take(data.kind, data.message);
    };
    channel.postMessage({ kind: "who" });
    // Held for as long as this tab lives; when it closes, the next tab in the queue becomes the listener.
    navigator.locks.request("prunescope-live", () => new Promise(() => listen()));
  };

  setInterval(() => { if (source && heard && performance.now() - heard > SILENT_MS) setConnected(false); }, 5000);

  // The server's keep-alive comments do not reach the page, so an idle stream counts as heard while it is open.
  setInterval(() => { if (source && source.readyState === EventSource.OPEN) heard = performance.now(); }, 5000);
})(window.prunescope);
