// Marks: what moves with a slider or the scrubber is a line, a veil, a dot or a word over curves that stay. On screen
// they lie over the figure as elements of their own, because moving one of plotly's shapes draws the whole figure
// anew (100 ms where this takes one). In an exported figure they are shapes and annotations, as the template has them.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const NAMES = ["mark", "now"];
  const isMark = (one) => NAMES.includes(one.name);
  const isPlain = (value) => value === null || typeof value !== "object";

  ps.equal = function equal(a, b) {
    if (a === b || (a !== a && b !== b)) return true;
    if (isPlain(a) || isPlain(b)) return false;
    if (Array.isArray(a) || ArrayBuffer.isView(a)) {
      if (a.length !== b.length || a.constructor !== b.constructor) return false;
      for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && !equal(a[i], b[i])) return false;
      return true;
    }
    const names = Object.keys(a);
    return names.length === Object.keys(b).length && names.every((name) => name in b && equal(a[name], b[name]));
  };

  // A figure as it was filled. plotly writes into what it is given (ranges, hidden traces), but not into rows of numbers.
  ps.remembered = function remembered(node) {
    if (isPlain(node) || ArrayBuffer.isView(node) || (Array.isArray(node) && isPlain(node[0]))) return node;
    if (Array.isArray(node)) return node.map(remembered);
    return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, remembered(value)]));
  };

  // The figure without its marks, and the marks.
  ps.takeMarks = function (filled) {
    const marks = [], layout = { ...filled.layout };
    for (const part of ["shapes", "annotations"]) {
      if (!layout[part] || !layout[part].some(isMark)) continue;
      marks.push(...layout[part].filter(isMark));
      layout[part] = layout[part].filter((one) => !isMark(one));
    }
    return [{ ...filled, layout }, marks];
  };

  function svg(tag, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }
  const DASHES = { dot: "3 3", dash: "8 5" };
  const stroke = ({ color, width, dash }) => ({ stroke: color, "stroke-width": width, ...(DASHES[dash] ? { "stroke-dasharray": DASHES[dash] } : {}) });

  // Places in pixels, of data or of the paper; none for data outside of what is zoomed into.
  function placesOn(full) {
    const room = full._size, { xaxis, yaxis } = full;
    const within = (axis, value) => { const at = axis.d2p(value); return at >= -1 && at <= axis._length + 1 ? axis._offset + at : NaN; };
    return {
      x: (value, ref) => (ref === "paper" ? room.l + value * room.w : within(xaxis, value)),
      y: (value, ref) => (ref === "paper" ? room.t + (1 - value) * room.h : within(yaxis, value)),
      left: (value) => xaxis._offset + Math.max(0, Math.min(xaxis._length, xaxis.d2p(value))),
    };
  }

  // Points in the figure's own numbers, brought to its place by one transformation.
  const pathOf = (mark, full) => {
    const [across, up] = [full.xaxis, full.yaxis].map((axis) => [axis._offset, axis._length, ...axis.range]);
    const [x0, width, left, right] = across, [y0, height, bottom, top] = up;
    const sx = width / (right - left), sy = -height / (top - bottom);
    const numbers = [sx, 0, 0, sy, x0 - sx * left, y0 - sy * top];
    return numbers.every(Number.isFinite) && svg("path", { d: mark.path, transform: `matrix(${numbers})`, opacity: mark.opacity,
      fill: "none", "vector-effect": "non-scaling-stroke", ...stroke(mark.line) });
  };

  const DRAW = {
    path: (mark, at, full) => pathOf(mark, full),
    line(mark, at) {
      const [x1, x2] = [mark.x0, mark.x1].map((x) => at.x(x, mark.xref)), [y1, y2] = [mark.y0, mark.y1].map((y) => at.y(y, mark.yref));
      return [x1, x2, y1, y2].every(Number.isFinite) && svg("line", { x1, x2, y1, y2, ...stroke(mark.line) });
    },
    rect(mark, at) {
      const left = at.left(mark.x0), right = at.left(mark.x1), top = at.y(mark.y1, mark.yref), bottom = at.y(mark.y0, mark.yref);
      return svg("rect", { x: left, width: Math.max(0, right - left), y: top, height: bottom - top, fill: mark.fillcolor, opacity: mark.opacity });
    },
    circle(mark, at) {
      const cx = at.x(mark.xanchor, mark.xref), cy = at.y(mark.yanchor, mark.yref);
      return Number.isFinite(cx) && Number.isFinite(cy) && svg("circle", { cx, cy, r: mark.x1, fill: mark.fillcolor, ...stroke(mark.line) });
    },
    text(mark, at) {
      const x = at.x(mark.x, mark.xref) + (mark.xshift || 0), y = at.y(mark.y, mark.yref);
      if (!Number.isFinite(x) || mark.text === null) return null;
      const end = mark.xanchor === "right", { size, color, weight } = mark.font;
      const words = svg("text", { x, y: y - 3, "text-anchor": end ? "end" : "start", "font-size": size, fill: color, "font-weight": weight || 400 });
      words.textContent = mark.text;
      return words;
    },
  };

  // Those below the data have a layer of their own under the figure.
  function cover(plot, below) {
    const found = plot.querySelector(`:scope > .marks${below ? ".is-below" : ":not(.is-below)"}`);
    if (found) return found;
    const made = svg("svg", { class: below ? "marks is-below" : "marks", "aria-hidden": "true" });
    if (below) plot.prepend(made); else plot.append(made);
    return made;
  }

  ps.drawMarks = function (plot, marks) {
    if (!plot.marks) {
      if (!marks.length) return;
      // A zoom, another size, a hand that moves the picture: the same marks at other places.
      for (const event of ["plotly_afterplot", "plotly_relayouting"]) plot.on(event, () => { if (plot.marks) ps.drawMarks(plot, plot.marks); });
    }
    plot.marks = marks;
    const full = plot._fullLayout, ready = full && full.xaxis && full.xaxis.d2p;
    const at = ready ? placesOn(full) : null;
    const drawnOn = (below) => (at ? marks.filter((mark) => (mark.layer === "below") === below).map((mark) => DRAW[mark.type || "text"](mark, at, full)).filter(Boolean) : []);
    for (const below of [false, true]) {
      const drawn = drawnOn(below);
      if (drawn.length || plot.querySelector(":scope > .marks")) cover(plot, below).replaceChildren(...drawn);
    }
  };
})(window.prunescope);
