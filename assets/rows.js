// Rows: what each page shows, one set of named values an epoch. The page keeps what it has and asks for what it lacks.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const KEPT_FEEDS = 48;
  const BROKEN = 3;
  const CATCHING_UP_MS = 700;
  // Who follows a training sees an answer refined for so long before the newest epoch is asked about instead.
  const REFINED_MS = 1200;
  // … and is shown a newer one no oftener than this: pictures beside it need the evaluator, too.
  const PACE_MS = 2000;
  const feeds = new Map();
  // Every change of a feed's rows or figures has a number of its own: what was drawn at that number is still right.
  let changes = 0;

  // A browser opens six connections to a host, and an answer that takes long holds one: what fills in beside a page's
  // own subject shares two, so that a question of the user never waits for one. Of the two, networks measured at every
  // epoch hold one at most: that never ends while a training goes on, and what the epoch on screen is asked would wait.
  const BESIDE = 2;
  const held = { all: 0, endless: 0 };
  const queued = [];
  const endless = (feedName) => ps.spec().measured.includes(feedName);
  // What the user has asked has the server to itself for so long, until its first answer.
  const HEAD_START_MS = 150;
  async function turn(feedName, signal) {
    const subject = ps.feed(ps.pageFeeds(document.getElementById("page-" + ps.view().page))[0]);
    if (subject && subject.busy && answers(subject.name) && !subject.epochs.length) await new Promise((done) => setTimeout(done, HEAD_START_MS));
    while ((held.all >= BESIDE || (endless(feedName) && held.endless)) && !signal.aborted) {
      await new Promise((done) => { queued.push(done); signal.addEventListener("abort", done, { once: true }); });
    }
    if (signal.aborted) throw new DOMException("no longer wanted", "AbortError");
    held.all++;
    held.endless += endless(feedName);
  }
  function leave(feedName) {
    held.all--;
    held.endless -= endless(feedName);
    for (const done of queued.splice(0)) done();
  }

  function keysOf(feedName) { return ps.spec().feeds[feedName] || []; }

  // An answer is about one epoch; all other feeds hold every epoch.
  const answers = (feedName) => ps.spec().answers.includes(feedName);

  // What many runs together show hangs on no single one of them, nor on its epoch.
  const whole = (feedName) => ps.spec().whole.includes(feedName);

  function identity(feedName, view) {
    if (whole(feedName)) return settings(feedName, view);
    const at = answers(feedName) ? shownEpoch() : "";
    return [feedName, view.run, ...keysOf(feedName).map((name) => view[name]), at].join("\u0001");
  }

  function shownEpoch() {
    const curve = ps.feed("curve");
    return curve && curve.epochs.length ? curve.epochs[ps.cursor(curve)] : "";
  }

  function blank(feedName) {
    return { name: feedName, epochs: [], columns: new Map(), figures: {}, texts: {}, lists: {}, total: 0,
             boot: "", error: "", templateKey: "", busy: null, again: false, used: 0, told: 0, version: 0 };
  }

  ps.feed = function (feedName) {
    const view = ps.view();
    if (!view.run && !whole(feedName)) return null;
    const id = identity(feedName, view);
    let feed = feeds.get(id);
    if (!feed) {
      feed = blank(feedName);
      feed.used = performance.now();
      feeds.set(id, feed);
      if (feeds.size > KEPT_FEEDS) {
        const oldest = [...feeds.entries()].filter(([, f]) => !f.busy && f !== feed).sort((a, b) => a[1].used - b[1].used)[0];
        if (oldest) feeds.delete(oldest[0]);
      }
    }
    feed.used = performance.now();
    return feed;
  };

  function settings(feedName, view) { return [whole(feedName) ? feedName : view.run, ...keysOf(feedName).map((name) => view[name])].join("\u0001"); }

  // An answer is a whole picture once no line of it is missing, though it may still be refined.
  function isWhole(feed) {
    const partial = feed.columns.get("partial");
    return feed.epochs.length > 0 && !(partial && partial.row(0));
  }
  const mayYield = (feed) => isWhole(feed) && performance.now() - feed.since > REFINED_MS;

  // What to draw while an answer is on its way: the last one to the same question about another epoch, which says so.
  // Who follows a training keeps a whole picture until the next one is whole; who asks by hand sees the first answer.
  ps.standIn = function (feedName, feed) {
    if (!answers(feedName) || feed.error) return feed;
    if (isWhole(feed) || (feed.epochs.length && !ps.view().follow)) return feed;
    const wanted = settings(feedName, ps.view());
    const older = [...feeds.values()].filter((one) => one !== feed && one.name === feedName && one.asked === wanted && one.epochs.length);
    older.sort((a, b) => b.used - a.used);
    // Before any answer has become whole, a part of one is better than nothing.
    return older.find(isWhole) || (feed.epochs.length ? feed : older[0]) || feed;
  };

  function clear(feed) {
    feed.ahead = null;
    feed.epochs = [];
    feed.columns = new Map();
  }

  function templateKey(feedName, view) {
    const drawn = ps.spec().keys.filter((key) => key.reach === "template" && key.pages.includes(feedName)).map((key) => key.name);
    return [ps.themeNow(), ...[...drawn, ...(ps.spec().redrawn[feedName] || [])].map((name) => view[name])].join("\u0001");
  }

  // Later, unless the page has been left by then.
  const paced = new Set();
  function pullLater(feedName, options, wait = 0) {
    if (paced.has(feedName)) return;
    paced.add(feedName);
    setTimeout(() => { paced.delete(feedName); if (ps.wantedFeeds().includes(feedName)) ps.pull(feedName, options); }, wait);
  }

  // Ask for what this feed lacks. Calls while one is under way are remembered and joined into one more. `waits`: behind
  // others of its kind, because it is not what the user has asked for.
  ps.pull = async function (feedName, { onChange, waits = false }) {
    const feed = ps.feed(feedName);
    // A tab that nobody sees asks for nothing; it is refreshed when it is shown.
    if (!feed || feed.stopped || document.hidden) return;
    const view = { ...ps.view() };
    const shown = view.follow ? -1 : view.epoch;
    // The scrubber has moved on while rows are computed: ask anew, so that the one on screen comes first.
    if (feed.busy && ps.lacks(feed, shown) && feed.askedShown !== shown) { feed.busy.abort(); feed.busy = null; }
    // What many runs show may be measured for minutes: another theme does not wait for that.
    if (feed.busy && whole(feedName) && feed.askedTemplate !== templateKey(feedName, view)) { feed.busy.abort(); feed.busy = null; }
    if (feed.busy) { feed.again = true; return; }
    const at = answers(feedName) ? shownEpoch() : null;
    if (at === "" || (at !== null && feed.done && feed.templateKey === templateKey(feedName, view))) return;
    // Training moves on while an answer is worked out: let it become a whole picture, then ask about the newest epoch.
    if (at !== null && view.follow) {
      const others = [...feeds.values()].filter((one) => one.name === feedName && one !== feed && one.asked === settings(feedName, view));
      const other = others.find((one) => one.busy);
      if (other) {
        other.after = () => pullLater(feedName, { onChange, waits });
        if (mayYield(other)) other.busy.abort();
        return;
      }
      const rest = Math.max(0, ...others.filter(isWhole).map((one) => one.since + PACE_MS - performance.now()));
      if (rest) { pullLater(feedName, { onChange, waits }, rest); return; }
    }
    feed.asked = settings(feedName, view);
    const wanted = templateKey(feedName, view);
    const query = new URLSearchParams({ feed: feedName, run: view.run, have: feed.epochs.length, boot: feed.boot });
    for (const key of ps.spec().keys) {
      if (key.reach !== "local" && key.name !== "run" && key.name !== "theme" && view[key.name] !== key.default) {
        query.set(key.name, view[key.name]);
      }
    }
    if (feed.templateKey !== wanted || !feed.epochs.length || whole(feedName)) query.set("theme_now", ps.themeNow());
    if (at !== null) query.set("at", at);
    else if (shown >= 0) query.set("shown", shown);
    feed.askedShown = shown;
    feed.askedTemplate = wanted;
    const controller = new AbortController();
    feed.busy = controller;
    ps.begun(feed);
    let isBeside = false;
    try {
      if (waits) { await turn(feedName, controller.signal); isBeside = true; feed.since = performance.now(); }
      const answer = await fetch("/api/rows?" + query, { signal: controller.signal });
      if (!answer.ok) {
        const told = await answer.json().catch(() => ({}));
        throw new Error([told.error, told.do].filter(Boolean).join(" ") || `The server answered ${answer.status}.`);
      }
      feed.error = "";
      for await (const frame of ps.frames(answer.body)) {
        // Given up: what is at hand of it already would come twice, for another answer begins with the same rows.
        if (controller.signal.aborted) return;
        take(feed, frame, view, wanted);
        if (feed.after && mayYield(feed)) { onChange(feed); controller.abort(); }
        // With the epoch on screen there already, the rest is drawn now and then: a page busy drawing hears no click.
        if (feed.ahead && performance.now() - feed.told < CATCHING_UP_MS) continue;
        feed.told = performance.now();
        onChange(feed);
      }
      onChange(feed);
      feed.broken = 0;
      feed.done = !feed.error;
    } catch (problem) {
      if (problem.name === "AbortError") return;
      // A lost connection is told by the live badge and mends itself; what is on screen stays. An answer that breaks off
      // while the server is there is asked for again, and a third time said.
      if (!(problem instanceof TypeError)) feed.error = problem.message;
      else if (ps.connected !== false) {
        feed.broken = (feed.broken || 0) + 1;
        if (feed.broken < BROKEN) pullLater(feedName, { onChange, waits }, 500 * feed.broken);
        else feed.error = `The server's answer broke off ${BROKEN} times (${problem.message}); its terminal may say why.`;
      }
      onChange(feed);
    } finally {
      if (isBeside) leave(feedName);
      // An aborted request may have been followed by another one for the same rows.
      if (feed.busy === controller) feed.busy = null;
      if (feed.after) { const next = feed.after; feed.after = null; next(); }
      if (feed.again) {
        feed.again = false;
        pullLater(feedName, { onChange, waits });
      }
    }
  };

  // Stop computing what nobody looks at any more; what has arrived is kept.
  ps.dropOthers = function (wanted) {
    const view = ps.view();
    const keep = new Set(wanted.map((name) => feeds.get(identity(name, view))));
    const following = (feed) => view.follow && answers(feed.name) && wanted.includes(feed.name) && feed.asked === settings(feed.name, view);
    for (const feed of feeds.values()) if (feed.busy && !keep.has(feed) && !following(feed)) { feed.busy.abort(); feed.busy = null; feed.again = false; }
  };

  function take(feed, { head, payload }, view, wanted) {
    feed.version = ++changes;
    if (head.error) { feed.error = head.error; feed.todo = Boolean(head.todo); return; }
    if (head.boot) {
      if (head.boot !== feed.boot) clear(feed);
      feed.boot = head.boot;
      feed.total = head.total;
      if (head.figures) {
        feed.figures = head.figures;
        feed.texts = head.texts;
        feed.lists = head.lists || {};
        feed.templateKey = wanted;
      }
      if (head.options) ps.offer(head.options);
      if (head.tables) ps.fillTables(head.tables);
      feed.networks = head.measured || null;
      if (head.controls) ps.showAsked(document.getElementById("page-" + feed.name), head.controls);
      settle(feed, head.settled || {}, view);
    }
    if (!head.epochs) return;
    // A refined answer takes the place of the coarse one.
    if (head.replace) clear(feed);
    if (head.ahead) { feed.ahead = { epoch: head.epochs[0], columns: new Map() }; ps.appendRows(feed.ahead.columns, head, payload); return; }
    ps.appendRows(feed.columns, head, payload);
    feed.epochs.push(...head.epochs);
    if (answers(feed.name)) ps.measured = true;
    if (feed.ahead && feed.epochs[feed.epochs.length - 1] >= feed.ahead.epoch) feed.ahead = null;
  }

  // The server chose what the link had left open (the first layer, the epoch of a fit): the view says so now,
  // and these rows are filed under it.
  function settle(feed, settled, view) {
    const now = ps.view();
    const changes = {};
    const open = (name) => now.run === view.run && now[name] === view[name] && now[name] === ps.key(name).default;
    const entries = Object.entries(settled).filter(([name, value]) => now[name] !== value && open(name));
    for (const [name, value] of entries) if (ps.key(name).reach === "rows") changes[name] = value;
    // A slider that needs no server is set along with what it belongs to, and never after that.
    if (Object.keys(changes).length) for (const [name, value] of entries) changes[name] = value;
    if (!Object.keys(changes).length) return;
    const next = { ...now, ...changes };
    feeds.set(identity(feed.name, next), feed);
    feed.asked = settings(feed.name, next);
    ps.set(changes);
  }

  // Index of the row under the scrubber: the last one that is not later than the epoch asked for.
  ps.cursor = function (feed) {
    const view = ps.view();
    const last = feed.epochs.length - 1;
    if (view.follow || view.epoch < 0) return last;
    let i = last;
    while (i > 0 && feed.epochs[i] > view.epoch + 1e-9) i--;
    return i;
  };
})(window.prunescope);
