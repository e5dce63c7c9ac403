// Work that takes long: the row on screen comes before its turn, what has been computed is counted, and it can be
// stopped and taken up again.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  // Shorter work is over before a button could be reached.
  const SEEN_MS = 500;
  // Who follows a training has a whole picture on screen, which says its epoch: only a long wait is worth a word.
  const LONG_MS = 3000;

  const answers = (feed) => ps.spec().answers.includes(feed.name);
  const missing = (feed) => feed.total - feed.epochs.length;

  // Rows are missing between those at hand and the epoch asked for (-1: the newest).
  ps.lacks = function (feed, epoch) {
    if (answers(feed) || missing(feed) < 2) return false;
    return epoch < 0 || !feed.epochs.length || feed.epochs[feed.epochs.length - 1] < epoch;
  };

  // A feed as drawing sees it: its rows, and behind a gap the one that came before its turn.
  ps.withAhead = function (feed) {
    if (!feed || !feed.ahead || !feed.epochs.length) return feed;
    const { epoch, columns } = feed.ahead, known = feed.epochs.length;
    const seen = new Map();
    for (const [name, column] of feed.columns) {
      const alone = columns.get(name);
      const row = alone.row(0);
      const gap = ArrayBuffer.isView(row) ? new row.constructor(row.length).fill(NaN) : typeof row === "number" ? NaN : Array.isArray(row) ? row.map(() => "") : "";
      seen.set(name, { width: column.width, length: known + 2, row: (i) => (i < known ? column.row(i) : i === known ? gap : row) });
    }
    return Object.assign(Object.create(feed), { epochs: [...feed.epochs, epoch, epoch], columns: seen, known });
  };

  ps.begun = function (feed) {
    feed.since = performance.now();
    for (const wait of [SEEN_MS, LONG_MS]) setTimeout(ps.requestDraw, wait + 20);
  };

  // Of many networks some are still to be measured.
  const unmeasured = (feed) => Boolean(feed.networks) && feed.networks[0] < feed.networks[1];
  const going = (feed) => feed.busy && (answers(feed) || unmeasured(feed) || !feed.epochs.length || missing(feed) > 1);

  // What the page says while it waits, in words, with the button beside them. ``shown``: what its first feed draws.
  ps.progress = function (page, feeds, shown) {
    const rows = feeds.filter((feed) => !answers(feed) && !ps.spec().whole.includes(feed.name));
    const patience = answers(feeds[0]) && ps.view().follow && shown.epochs.length ? LONG_MS : SEEN_MS;
    const slow = feeds.filter((feed) => going(feed) && performance.now() - feed.since > patience);
    const stopped = feeds.filter((feed) => feed.stopped);
    const button = page.querySelector("[data-do=stop]");
    if (button) {
      button.hidden = !slow.length && !stopped.length;
      const label = slow.length ? "Stop" : "Go on";
      if (button.textContent !== label) button.textContent = label;
    }
    const behind = rows.filter((feed) => (feed.busy || feed.stopped) && feed.total && missing(feed) > 1).sort((a, b) => missing(b) - missing(a))[0];
    const first = feeds[0], measures = answers(first);
    // A page that is about one epoch measures; what fills in for other epochs beside it says so in its own place.
    if (behind && !measures) {
      const count = `${behind.epochs.length} of ${behind.total} epochs`;
      return behind.stopped ? `Stopped at ${count}.` : `Computed ${count} …`;
    }
    const many = feeds.find(unmeasured);
    if (many && (many.busy || many.stopped)) {
      const count = `${many.networks[0]} of ${many.networks[1]} networks`;
      if (many.stopped) return `Stopped at ${count}.`;
      return ps.measured || many.networks[0] ? `Measured ${count} …` : `Measuring ${many.networks[1]} networks … at first, PyTorch takes some seconds.`;
    }
    if (stopped.length) return "Stopped.";
    if (!shown.epochs.length && measures && ps.feed("curve").epochs.length) {
      return ps.measured ? "Measuring …" : "Measuring … at first, PyTorch takes some seconds.";
    }
    if (!shown.epochs.length && ps.runs[ps.view().run]?.epoch == null) {
      const { status, message } = ps.runs[ps.view().run] || {};
      if (status === "failed" || (status === "running" && message)) return message;
    }
    if (!shown.epochs.length) return first.busy ? "Computing …" : "Waiting for the first snapshot …";
    return slow.length ? (measures || slow.some(answers) ? "Measuring …" : "Computing …") : "";
  };

  ps.stopOrGoOn = function () {
    const feeds = ps.openFeeds();
    if (feeds.some(going)) {
      // To stop measuring is to stop following: the next epoch would only ask anew.
      if (ps.view().follow && feeds.some((feed) => answers(feed) && going(feed))) {
        const curve = ps.feed("curve");
        ps.set({ follow: false, epoch: curve.epochs[ps.cursor(curve)] });
      }
      for (const feed of ps.openFeeds().filter(going)) { feed.stopped = true; feed.again = false; feed.busy.abort(); feed.busy = null; }
      ps.requestDraw();
    } else {
      for (const feed of feeds) feed.stopped = false;
      ps.refresh();
    }
  };

  // What has failed is asked anew, by hand: by itself it would fail again and again.
  ps.tryAgain = function () {
    for (const feed of ps.openFeeds().filter((one) => one.error)) { feed.error = ""; feed.broken = 0; feed.done = false; }
    ps.requestDraw();
    ps.refresh();
  };
})(window.prunescope);
