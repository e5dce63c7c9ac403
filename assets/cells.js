// Heatmaps as vectors: plotly puts a picture with one pixel a cell into an SVG, and here each cell becomes an area of
// its own, so that no viewer blurs it and a drawing program can take hold of it.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  // More cells than that make a file of megabytes: they stay a picture, and the export dialog says so.
  const MOST = 20000;
  const HEATMAP = /<g class="hm">\s*(<image\b[^>]*\/?>)(?:<\/image>)?\s*<\/g>/g;

  async function pixels(url) {
    const picture = new Image();
    picture.src = url;
    await picture.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(picture, 0, 0);
    return pen.getImageData(0, 0, canvas.width, canvas.height);
  }

  // Neighbours of one colour in a row are one area: {colour: path}; null where they are too many.
  function areas({ width, height, data }, box) {
    const at = (i, count, from, length) => +(from + (length * i) / count).toFixed(3);
    const paths = new Map();
    let count = 0;
    for (let row = 0; row < height; row++) {
      for (let from = 0, to; from < width; from = to) {
        const colour = data.slice(4 * (row * width + from), 4 * (row * width + from) + 4).join();
        to = from + 1;
        while (to < width && data.slice(4 * (row * width + to), 4 * (row * width + to) + 4).join() === colour) to++;
        if (colour.endsWith(",0")) continue;
        if (++count > MOST) return null;
        const [left, right] = [at(from, width, box.x, box.width), at(to, width, box.x, box.width)];
        const [top, bottom] = [at(row, height, box.y, box.height), at(row + 1, height, box.y, box.height)];
        paths.set(colour, (paths.get(colour) || "") + `M${left},${top}H${right}V${bottom}H${left}Z`);
      }
    }
    return paths;
  }

  async function drawn(whole, image) {
    const box = Object.fromEntries(["x", "y", "width", "height"].map((name) => [name, Number(new RegExp(`\\s${name}="([^"]*)"`).exec(image)[1])]));
    const found = areas(await pixels(/href="([^"]*)"/.exec(image)[1]), box);
    if (!found) return whole;
    // A hairline of the cell's own colour closes the seam that viewers show between areas that touch.
    const parts = [...found].map(([colour, path]) => {
      const [r, g, b, a] = colour.split(",");
      const fill = `rgb(${r},${g},${b})`;
      return `<path d="${path}" style="fill:${fill};stroke:${fill};stroke-width:0.3px;opacity:${+(a / 255).toFixed(3)}"/>`;
    });
    return `<g class="hm">${parts.join("")}</g>`;
  }

  ps.withCells = async function (svg) {
    const parts = [];
    let end = 0;
    for (const match of svg.matchAll(HEATMAP)) {
      parts.push(svg.slice(end, match.index), await drawn(match[0], match[1]));
      end = match.index + match[0].length;
    }
    return parts.join("") + svg.slice(end);
  };
})(window.prunescope);
