// The scrubber: one time line for the whole app. It carries the run's accuracy, so that time has a shape.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const SPEEDS = [2, 5, 10, 20];
  let timer = null;
  let parts = null;

  function feed() { return ps.feed("curve"); }

  ps.drawScrubber = function () {
    if (!parts) return;
    const now = feed();
    const count = now ? now.epochs.length : 0;
    parts.range.disabled = count < 2;
    const ahead = toCome(now, count);
    parts.range.max = Math.max(1, count - 1 + ahead);
    const cursor = count ? ps.cursor(now) : 0;
    if (Number(parts.range.value) !== cursor) parts.range.value = cursor;
    const epoch = count ? now.epochs[cursor] : 0;
    const words = count ? `epoch ${Number.isInteger(epoch) ? epoch : epoch.toFixed(2)}` : "no epoch yet";
    if (parts.epoch.textContent !== words) parts.epoch.textContent = words;
    parts.range.setAttribute("aria-valuetext", words);
    parts.follow.setAttribute("aria-pressed", String(ps.view().follow));
    parts.play.setAttribute("aria-label", timer ? "Pause replay" : "Replay");
    parts.play.classList.toggle("is-playing", Boolean(timer));
    draw(now, count, cursor, ahead);
  };

  // While a run trains the line is as long as the whole training, so that no epoch moves when the next one comes.
  function toCome(now, count) {
    const run = ps.runs[ps.view().run];
    if (!run || count < 2 || !run.total || !["queued", "running", "paused", "not responding"].includes(run.status)) return 0;
    const last = now.epochs[count - 1], step = Math.max(last - now.epochs[count - 2], 1e-6);
    return Math.max(0, Math.min(10000, Math.ceil((run.total - last) / step - 1e-6)));
  }

  function draw(now, count, cursor, ahead) {
    const canvas = parts.canvas;
    const width = canvas.clientWidth, height = canvas.clientHeight, ratio = devicePixelRatio || 1;
    if (!width) return;
    if (canvas.width !== Math.round(width * ratio)) { canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio); }
    const pen = canvas.getContext("2d");
    const css = getComputedStyle(document.documentElement);
    const colour = (name) => css.getPropertyValue(name).trim();
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const inset = 9, span = width - 2 * inset;
    const places = count + ahead;
    const x = (i) => inset + (places > 1 ? (span * i) / (places - 1) : 0);
    pen.fillStyle = colour("--line");
    const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((step) => (span * step) / Math.max(1, places) > 8) || 1000;
    for (let i = 0; i < places; i += every) pen.fillRect(Math.round(x(i)), height - (i % (5 * every) ? 4 : 8), 1, i % (5 * every) ? 4 : 8);
    if (!count) return;
    const column = now.columns.get("value");
    const values = column ? column.values : [];
    const known = values.filter((v) => v !== null);
    const low = Math.min(...known), high = Math.max(...known), range = high - low || 1;
    const y = (v) => height - 10 - ((height - 18) * (v - low)) / range;
    for (const [end, name] of [[count - 1, "--line"], [cursor, "--good"]]) {
      pen.strokeStyle = colour(name);
      pen.lineWidth = name === "--line" ? 1.5 : 2;
      pen.beginPath();
      for (let i = 0, open = false; i <= end; i++) {
        if (values[i] === null || values[i] === undefined) { open = false; continue; }
        if (open) pen.lineTo(x(i), y(values[i])); else pen.moveTo(x(i), y(values[i]));
        open = true;
      }
      pen.stroke();
    }
    pen.fillStyle = colour("--accent");
    pen.fillRect(x(cursor) - 1, 2, 2, height - 4);
    const at = values[cursor] === null || values[cursor] === undefined ? height / 2 : y(values[cursor]);
    pen.beginPath();
    pen.arc(x(cursor), at, 6, 0, 2 * Math.PI);
    pen.fill();
    pen.beginPath();
    pen.arc(x(cursor), at, 3, 0, 2 * Math.PI);
    pen.fillStyle = colour("--panel");
    pen.fill();
  }

  ps.goTo = function (index) {
    const now = feed();
    if (!now || !now.epochs.length) return;
    const last = now.epochs.length - 1;
    const at = Math.max(0, Math.min(last, index));
    ps.set({ epoch: now.epochs[at], follow: false });
  };
  ps.step = function (by) {
    const now = feed();
    if (now && now.epochs.length) ps.goTo(ps.cursor(now) + by);
  };
  ps.followLatest = () => { stop(); ps.set({ follow: !ps.view().follow, epoch: -1 }); };
  function stop() { clearInterval(timer); timer = null; ps.drawScrubber(); }

  ps.play = function () {
    if (timer) { stop(); return; }
    const now = feed();
    if (!now || now.epochs.length < 2) return;
    if (ps.cursor(now) >= now.epochs.length - 1) ps.goTo(0);
    timer = setInterval(() => {
      const current = feed();
      if (!current || ps.cursor(current) >= current.epochs.length - 1) { stop(); ps.replayed(); return; }
      ps.step(1);
    }, 1000 / ps.view().speed);
    ps.drawScrubber();
  };

  ps.startScrubber = function () {
    const place = document.getElementById("scrubber");
    const el = ps.el;
    const play = el("button", { class: "play", type: "button", title: "Replay (space)", onclick: () => ps.play() });
    const range = el("input", { type: "range", min: 0, max: 1, step: 1, value: 0, "aria-label": "Epoch", class: "scrub-range",
      oninput: () => { ps.goTo(Number(range.value)); ps.drawScrubber(); } });
    const canvas = el("canvas", { "aria-hidden": "true" });
    const epoch = el("output", { class: "scrub-epoch", id: "scrub-epoch" });
    const rate = el("select", { "aria-label": "Replay speed", class: "scrub-speed", onchange: () => {
      ps.set({ speed: Number(rate.value) });
      if (timer) { stop(); ps.play(); }
    } }, ...[...new Set([...SPEEDS, ps.view().speed])].sort((a, b) => a - b).map((value) => el("option", value === ps.view().speed ? { value, selected: true } : { value }, `${value}/s`)));
    const follow = el("button", { type: "button", class: "follow", "aria-pressed": "true", title: "Follow the latest epoch (F)", onclick: () => ps.followLatest() }, "Follow latest");
    parts = { play, range, canvas, epoch, follow };
    place.append(play, el("div", { class: "scrub-track" }, canvas, range), epoch, rate, follow);
    new ResizeObserver(() => ps.drawScrubber()).observe(canvas);
    ps.drawScrubber();
  };
})(window.prunescope);
