// What the server sends as rows (app/wire.py): frame by frame off the line, into columns that grow.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  class Column {
    constructor(dtype, width) {
      this.width = width;
      this.Type = dtype === "<i4" ? Int32Array : Float32Array;
      this.data = new this.Type(64 * Math.max(1, width));
      this.length = 0;
    }
    append(values, rows) {
      const used = this.length * this.width;
      if (used + values.length > this.data.length) {
        const grown = new this.Type(Math.max(2 * this.data.length, used + values.length));
        grown.set(this.data.subarray(0, used));
        this.data = grown;
      }
      this.data.set(values, used);
      this.length += rows;
    }
    row(i) { return this.data.subarray(i * this.width, (i + 1) * this.width); }
  }

  class PlainColumn {
    constructor() { this.values = []; }
    get length() { return this.values.length; }
    append(values) { this.values.push(...values); }
    row(i) { return this.values[i]; }
  }

  ps.frames = async function* (body) {
    const reader = body.getReader();
    let buffer = new Uint8Array(0);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done && buffer.length) throw new TypeError("the last part is missing");
        if (done) return;
        const joined = new Uint8Array(buffer.length + value.length);
        joined.set(buffer);
        joined.set(value, buffer.length);
        buffer = joined;
        for (;;) {
          if (buffer.length < 8) break;
          const sizes = new DataView(buffer.buffer, buffer.byteOffset, 8);
          const head = sizes.getUint32(0, true), load = sizes.getUint32(4, true);
          if (buffer.length < 8 + head + load) break;
          const text = new TextDecoder().decode(buffer.subarray(8, 8 + head));
          // A copy, because typed arrays must begin at a multiple of their size.
          const payload = buffer.slice(8 + head, 8 + head + load).buffer;
          buffer = buffer.slice(8 + head + load);
          yield { head: JSON.parse(text), payload };
        }
      }
    } finally {
      // Whoever stops listening stops the work behind it.
      reader.cancel().catch(() => {});
    }
  };

  ps.appendRows = function (columns, head, payload) {
    let offset = 0;
    const count = head.epochs.length;
    for (const [name, { dtype, shape }] of Object.entries(head.arrays)) {
      const width = shape.slice(1).reduce((a, b) => a * b, 1);
      if (!columns.has(name)) columns.set(name, new Column(dtype, width));
      const column = columns.get(name);
      column.append(new column.Type(payload, offset, width * count), count);
      offset += 4 * width * count;
    }
    for (const [name, values] of Object.entries(head.plain)) {
      if (!columns.has(name)) columns.set(name, new PlainColumn());
      columns.get(name).append(values);
    }
  };
})(window.prunescope);
