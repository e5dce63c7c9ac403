// Fill: a figure's template has holes, which say in what row and how its values are read; here they are filled from
// the rows that the page holds. The rules are those of app/figures/template.py.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  ps.fill = function fill(node, feed, cursor, local) {
    if (Array.isArray(node)) return node.map((item) => fill(item, feed, cursor, local));
    if (node === null || typeof node !== "object") return node;
    if ("$" in node) return lookUp(node, feed, cursor, local);
    const out = {};
    for (const key in node) out[key] = fill(node[key], feed, cursor, local);
    return out;
  };

  ps.spacedIndex = function (i, of, last) {
    if (last + 1 <= of) return i <= last ? i : null;
    return Math.floor((i * last) / (of - 1) + 0.5);
  };

  ps.pickedIndex = (share, length) => Math.max(0, Math.min(length - 1, Math.floor(share * (length - 1) + 0.5)));

  function lookUp(hole, feed, cursor, local) {
    const name = hole.$;
    if (name === "@local") return (local[hole.key] ?? 0) * (hole.times ?? 1) + (hole.plus ?? 0);
    if (name === "@text") return sentence(hole, feed, cursor, local);
    const keep = kept(hole, feed, cursor);
    if (name === "@unit") {
      const like = feed.columns.get(hole.like);
      const all = like && like.length ? Array.from(like.row(Math.min(cursor, like.length - 1)), (_, i) => i) : [];
      return part(keep ? keep : all, hole, local);
    }
    const column = name === "@epoch" ? { length: feed.epochs.length, row: (i) => feed.epochs[i] } : feed.columns.get(name);
    if (!column || !column.length) return null;
    const last = Math.min(cursor, column.length - 1);
    let value;
    switch (hole.at) {
      case "epoch": value = pick(column.row(last), hole, keep); break;
      case "first": value = pick(column.row(0), hole, keep); break;
      case "until": value = series(column, last + 1, hole); break;
      case "all": value = series(column, column.length, hole); break;
      case "matrix": value = matrix(column, last + 1); break;
      case "spaced": {
        const index = ps.spacedIndex(hole.i, hole.of, last);
        value = index === null ? [] : pick(column.row(index), hole, keep);
        break;
      }
      case "links": return links(hole, feed, last, local);
      case "paths": value = paths(column, local.tail ? Math.max(0, last - local.tail) : 0, last, keep); break;
      default: throw new Error(`template: at=${hole.at} is unknown`);
    }
    value = part(value, hole, local);
    if (value === null || value === undefined || typeof value === "string" || !("times" in hole || "plus" in hole)) return value;
    const times = hole.times ?? 1, plus = hole.plus ?? 0;
    return typeof value === "number" ? value * times + plus : Float32Array.from(value, (v) => v * times + plus);
  }

  function part(value, hole, local) {
    if (value === null || value === undefined) return value;
    const scale = hole.scale ?? 1;
    if ("pick" in hole) return value.length ? value[ps.pickedIndex((local[hole.pick] ?? 0) / scale, value.length)] : null;
    if ("among" in hole) return (local[hole.among] ?? []).filter((i) => i >= 0 && i < value.length).map((i) => value[i]);
    if ("slice" in hole) {
      const width = Math.floor(value.length / hole.of), place = ps.pickedIndex((local[hole.slice] ?? 0) / scale, hole.of);
      return value.slice(place * width, (place + 1) * width);
    }
    if ("shape" in hole) {
      const [height, width] = hole.shape;
      return Array.from({ length: height }, (_, i) => value.slice(i * width, (i + 1) * width));
    }
    return value;
  }

  function kept(hole, feed, cursor) {
    if (!("where" in hole)) return null;
    const labels = feed.columns.get(hole.where);
    if (!labels || !labels.length) return [];
    const row = labels.row(Math.min(cursor, labels.length - 1));
    const out = [];
    for (let i = 0; i < row.length; i++) if (row[i] === hole.equals) out.push(i);
    return out;
  }

  function pick(row, hole, keep) {
    if ("col" in hole) return row[hole.col];
    return keep ? Array.from(keep, (i) => row[i]) : row;
  }

  function series(column, count, hole) {
    const out = new Array(count);
    for (let i = 0; i < count; i++) out[i] = pick(column.row(i), hole, null);
    return out;
  }

  function sentence(hole, feed, cursor, local) {
    const instead = hole.unless ? ps.fill({ $: hole.unless, at: "epoch" }, feed, cursor, local) : "";
    return instead ? instead : hole.parts.map((one) => ps.fill(one, feed, cursor, local) ?? "").join("");
  }

  // Lines between points as one SVG path: thousands of lines cost one element.
  function links(hole, feed, last, local) {
    const [x, y, ends, weights] = [hole.$, hole.y, hole.ends, hole.weights].map((name) => feed.columns.get(name).row(last));
    const least = (local[hole.least] ?? 0) - 1e-6;
    const at = (i) => `${x[i].toFixed(3)},${y[i].toFixed(3)}`;
    let path = "";
    for (let i = 0; i < weights.length && weights[i] >= least; i++) path += `M${at(ends[2 * i])}L${at(ends[2 * i + 1])}`;
    return path;
  }

  function matrix(column, count) {
    const out = Array.from({ length: column.width }, () => new Float32Array(count));
    for (let j = 0; j < count; j++) {
      const row = column.row(j);
      for (let i = 0; i < column.width; i++) out[i][j] = row[i];
    }
    return out;
  }

  function paths(column, first, last, keep) {
    const units = keep || Array.from({ length: column.width }, (_, i) => i);
    const span = last - first + 2;
    const rows = Array.from({ length: last - first + 1 }, (_, i) => column.row(first + i));
    const out = new Float32Array(units.length * span);
    let at = 0;
    for (const unit of units) {
      for (let i = first; i <= last; i++) out[at++] = rows[i - first][unit];
      out[at++] = NaN;
    }
    return out;
  }
})(window.prunescope);
