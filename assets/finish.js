// Finishing: what plotly has drawn becomes a file that says where it comes from. The same code runs in the page
// and, for the shell, in a browser without a window (app/exporting/browser.py), so both give the same bytes.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const DPI = 300;

  const escape = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "");

  // Inches instead of pixels, fixed ids instead of random ones, and the provenance inside.
  function finishSvg(text, plot) {
    const uid = /id="defs-([0-9a-f]+)"/.exec(text);
    if (uid) text = text.replaceAll(uid[1], "ps");
    // plotly writes the attributes of a legend's boxes in another order the second time.
    text = text.replace(/<rect\b([^>]*?)(\/?)>/g, (_, inner, end) => `<rect ${inner.match(/[\w:-]+="[^"]*"/g).sort().join(" ")}${end}>`);
    const open = /<svg\b[^>]*>/.exec(text)[0];
    const head = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${plot.inches[0]}in" height="${plot.inches[1]}in" viewBox="0 0 ${plot.width} ${plot.height}">`;
    const about = `<title>${escape(plot.title)}</title><desc>${escape(plot.caption)}</desc><metadata>${escape(JSON.stringify(plot.provenance))}</metadata>`;
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + head + about + text.slice(text.indexOf(open) + open.length);
  }

  const CRC = new Uint32Array(256).map((_, n) => { let c = n; for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1; return c >>> 0; });
  function crc(bytes) {
    let c = 0xffffffff;
    for (const byte of bytes) c = CRC[(c ^ byte) & 255] ^ (c >>> 8);
    return (c ^ 0xffffffff) >>> 0;
  }
  const utf8 = (text) => new TextEncoder().encode(text);
  function join(...parts) {
    const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
    let at = 0;
    for (const part of parts) { out.set(part, at); at += part.length; }
    return out;
  }
  function big(...numbers) { return Uint8Array.from(numbers.flatMap((n) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255])); }
  function chunk(type, body) {
    const named = join(utf8(type), body);
    return join(big(body.length), named, big(crc(named)));
  }

  // After the header: the size on paper, and the same words as in the SVG.
  function finishPng(bytes, plot) {
    const header = 8 + 25;
    const perMetre = Math.round(DPI / 0.0254);
    const words = [["Title", plot.title], ["Description", plot.caption], ["Software", "Prunescope"], ["prunescope", JSON.stringify(plot.provenance)]];
    const texts = words.map(([key, text]) => chunk("iTXt", join(utf8(key), Uint8Array.of(0, 0, 0, 0, 0), utf8(text))));
    return join(bytes.subarray(0, header), chunk("pHYs", join(big(perMetre, perMetre), Uint8Array.of(1))), ...texts, bytes.subarray(header));
  }

  function bytesOf(url) {
    const comma = url.indexOf(",");
    if (!/;base64$/.test(url.slice(0, comma))) return utf8(decodeURIComponent(url.slice(comma + 1)));
    return Uint8Array.from(atob(url.slice(comma + 1)), (letter) => letter.charCodeAt(0));
  }

  // `plot` is what /api/export?format=plot sends. Bytes come back.
  ps.drawFile = async function (plot, format) {
    // plotly names each trace at random unless it has a name already.
    const figure = { data: structuredClone(plot.data).map((trace, i) => ({ ...trace, uid: `t${i}` })), layout: structuredClone(plot.layout) };
    const size = { width: plot.width, height: plot.height };
    if (format === "png") return finishPng(bytesOf(await window.Plotly.toImage(figure, { format, ...size, scale: DPI / 96 })), plot);
    const svg = new TextDecoder().decode(bytesOf(await window.Plotly.toImage(figure, { format: "svg", ...size })));
    return utf8(await ps.withCells(finishSvg(svg, plot)));
  };

  // A ZIP without compression and without a clock: equal files give equal bytes.
  ps.zip = function (files) {
    const little = (size, n) => Uint8Array.from({ length: size }, (_, i) => (n >>> (8 * i)) & 255);
    const bodies = [], entries = [];
    let at = 0;
    for (const [name, bytes] of files) {
      const path = utf8(name);
      // Version 2.0, names in UTF-8, stored, 1 January 1980.
      const shared = join(little(2, 20), little(2, 0x800), little(2, 0), little(2, 0), little(2, 33), little(4, crc(bytes)), little(4, bytes.length), little(4, bytes.length), little(2, path.length), little(2, 0));
      bodies.push(little(4, 0x04034b50), shared, path, bytes);
      entries.push(join(little(4, 0x02014b50), little(2, 20), shared, little(2, 0), little(2, 0), little(2, 0), little(4, 0), little(4, at), path));
      at += 30 + path.length + bytes.length;
    }
    const list = join(...entries);
    return join(...bodies, list, little(4, 0x06054b50), little(2, 0), little(2, 0), little(2, files.length), little(2, files.length), little(4, list.length), little(4, at), little(2, 0));
  };
  ps.utf8 = utf8;
})(window.prunescope);
