// Scenes in depth: plotly's large bundle, loaded when the first one is drawn, and the camera that a hand has moved.
window.prunescope = window.prunescope || {};
(function (ps) {
  "use strict";
  const loaded = () => ps.full3d === true;
  let loading = null;
  function load() {
    loading ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = "/api/plotly-full.js";
      script.onload = () => { ps.full3d = true; done(); };
      script.onerror = () => { loading = null; script.remove(); failed(new Error("3-D drawing could not be loaded from the server. Reload the page.")); };
      document.head.append(script);
    });
    return loading;
  }

  // Whether a figure has to wait for the bundle; it is drawn once that is here.
  ps.waitsForDepth = function (template, feed, box) {
    const waits = !loaded() && Boolean(template.layout.scene);
    if (waits) box.dataset.waits = "Loading what draws in depth …"; else delete box.dataset.waits;
    if (!waits) return false;
    load().then(ps.requestDraw, (problem) => { feed.error = problem.message; ps.requestDraw(); });
    return true;
  };

  // A scene notes where it is turned to in the layout that it was first drawn with; an update reads the present one.
  ps.keepCamera = function (plot) {
    if (!plot._fullLayout.scene || plot.dataset.turns) return;
    plot.dataset.turns = "1";
    plot.on("plotly_relayout", (moved) => {
      const camera = moved["scene.camera"];
      if (camera) for (const layout of [plot.layout, plot._fullLayout]) layout.scene.camera = structuredClone(camera);
    });
  };
})(window.prunescope);
