"use strict";
// What all uPlot charts share: colours from the style sheet, axes, redrawing.
vigia.charts = (() => {
  const FONT = "12px system-ui, sans-serif";
  const RESIZE_SETTLES_MILLISECONDS = 150;
  const drawings = new Set();

  function palette() {
    const named = (name) => vigia.colour(`--vg-${name}`);
    return {
      grid: named("grid"),
      ink: named("ink"),
      muted: named("muted"),
      accent: named("accent"),
      band: named("band"),
      critical: named("critical"),
      good: named("low"),
      doubt: named("watch-soft"),
      series: [1, 2, 3, 4, 5, 6].map((place) => named(`series-${place}`)),
    };
  }

  function axis(colours, extra) {
    return {
      stroke: colours.muted,
      font: FONT,
      grid: { stroke: colours.grid, width: 1 },
      ticks: { show: false },
      ...extra,
    };
  }

  // A dashed vertical line at x with an optional word at its top; for use in a draw hook.
  function verticalMark(plot, { x, colour, label, line = 0 }) {
    const { left, top, width, height } = plot.bbox;
    const place = Math.round(plot.valToPos(x, "x", true));
    if (place < left || place > left + width) return;
    const ratio = devicePixelRatio;
    const pen = plot.ctx;
    pen.save();
    pen.strokeStyle = colour;
    pen.lineWidth = 2 * ratio;
    pen.setLineDash([5 * ratio, 4 * ratio]);
    pen.beginPath();
    pen.moveTo(place, top);
    pen.lineTo(place, top + height);
    pen.stroke();
    if (label) {
      pen.fillStyle = colour;
      pen.font = `600 ${12 * ratio}px system-ui, sans-serif`;
      const fits = place + pen.measureText(label).width + 8 * ratio < left + width;
      pen.textAlign = fits ? "left" : "right";
      pen.fillText(label, place + (fits ? 6 : -6) * ratio, top + (13 + 15 * line) * ratio);
    }
    pen.restore();
  }

  // Keeps a chart drawn: `draw` returns its plots, and is called again when the theme or
  // the width changes. The function handed back draws again on demand.
  function keepDrawn(draw) {
    let plots = [];
    const again = () => {
      for (const plot of plots) plot.destroy();
      plots = draw();
    };
    drawings.add(again);
    again();
    return again;
  }

  const drawAll = () => drawings.forEach((again) => again());
  document.addEventListener("vigia:theme", drawAll);
  let settling;
  addEventListener("resize", () => {
    clearTimeout(settling);
    settling = setTimeout(drawAll, RESIZE_SETTLES_MILLISECONDS);
  });

  return { axis, keepDrawn, palette, verticalMark };
})();
