"use strict";
// <section data-sensor-charts="URL" data-time-zone="Europe/Madrid"> holding one
// <figure data-point="7" data-unit="mm/s"> a measurement point. The URL answers
//   {points: {"7": {at: [seconds], values: [number|null], last, least, mean, most}},
//    marks: [{at, kind, label}], doubts: [{point, from, until, words}], start, end}
// for ?days=N or ?start=…&end=… (seconds) and &width=pixels. Cursors move together.
(() => {
  const HEIGHT = 120;
  const LEAST_ZOOM_PIXELS = 8;
  const HOUR = 3600;
  const lang = vigia.lang;

  function number(value) {
    return value === null ? "—" : Number(value.toPrecision(4)).toLocaleString(lang);
  }

  function clocks(timeZone) {
    const of = (options) => new Intl.DateTimeFormat(lang, { timeZone, hourCycle: "h23", ...options });
    return {
      day: of({ day: "numeric", month: "short" }),
      hour: of({ hour: "2-digit", minute: "2-digit" }),
      full: of({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }),
    };
  }

  class SensorCharts {
    constructor(section) {
      this.section = section;
      this.figures = [...section.querySelectorAll("[data-point]")];
      this.timeZone = section.dataset.timeZone;
      this.clocks = clocks(this.timeZone);
      this.answer = null;
      this.redraw = vigia.charts.keepDrawn(() => this.draw());
      this.buttons = [...section.querySelectorAll("[data-days]")];
      for (const button of this.buttons) button.addEventListener("click", () => this.choose(button));
      section.querySelector("[data-zoom-out]")?.addEventListener("click", () => this.zoomOut());
      this.zoomOut();
    }

    choose(chosen) {
      for (const button of this.buttons) {
        button.classList.toggle("active", button === chosen);
        button.setAttribute("aria-pressed", String(button === chosen));
      }
      this.load({ days: chosen.dataset.days });
    }

    zoomOut() {
      this.choose(this.buttons.find((button) => button.classList.contains("active")) ?? this.buttons[0]);
    }

    async load(range) {
      const width = Math.round(this.figures[0]?.querySelector(".chart").clientWidth ?? 0);
      const query = new URLSearchParams({ ...range, width });
      this.section.setAttribute("aria-busy", "true");
      try {
        const answer = await fetch(`${this.section.dataset.sensorCharts}?${query}`, {
          headers: { Accept: "application/json" },
        });
        if (!answer.ok) throw new Error(answer.statusText);
        this.answer = await answer.json();
        this.redraw();
        this.tell("start" in range);
      } catch {
        vigia.toast(document.body.dataset.unreachable, { tone: "critical" });
      } finally {
        this.section.removeAttribute("aria-busy");
      }
    }

    tell(zoomed) {
      const out = this.section.querySelector("[data-zoom-out]");
      if (out) out.hidden = !zoomed;
      for (const row of this.section.querySelectorAll("[data-summary]")) {
        const point = this.answer.points[row.dataset.summary];
        for (const cell of row.querySelectorAll("[data-of]")) {
          cell.textContent = point ? number(point[cell.dataset.of]) : "—";
        }
      }
      this.section.dataset.drawn = "yes";
    }

    draw() {
      if (!this.answer) return [];
      const colours = vigia.charts.palette();
      return this.figures.map((figure, place) => this.plot(figure, colours, place));
    }

    plot(figure, colours, place) {
      const point = this.answer.points[figure.dataset.point] ?? { at: [], values: [] };
      const box = figure.querySelector(".chart");
      figure.classList.toggle("sensor-silent", point.at.length === 0);
      const options = {
        width: box.clientWidth,
        height: HEIGHT,
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), this.timeZone),
        legend: { show: false },
        cursor: { sync: { key: "sensors" }, y: false, drag: { x: true, y: false, setScale: false } },
        scales: { x: { time: true, range: [this.answer.start, this.answer.end] } },
        axes: this.axes(colours),
        series: [
          {},
          { stroke: colours.series[place % colours.series.length], width: 1.2, points: { show: false } },
        ],
        hooks: {
          drawClear: [(plot) => this.shade(plot, figure, colours)],
          draw: [(plot) => this.mark(plot, colours)],
          setCursor: [(plot) => this.read(plot, figure)],
          setSelect: [(plot) => this.zoom(plot)],
        },
      };
      const plot = new uPlot(options, [point.at, point.values], box);
      plot.over.addEventListener("dblclick", () => this.zoomOut());
      return plot;
    }

    axes(colours) {
      const { axis } = vigia.charts;
      const threeSplits = (_, __, least, most) => [least, (least + most) / 2, most];
      const short = (_, values) => values.map((value) => number(Number(value.toPrecision(3))));
      const times = (_, seconds, __, ___, step) => {
        const clock = step < 12 * HOUR ? this.clocks.hour : this.clocks.day;
        return seconds.map((at) => clock.format(at * 1000));
      };
      return [
        axis(colours, { size: 26, values: times }),
        axis(colours, { size: 52, splits: threeSplits, values: short }),
      ];
    }

    doubts(figure) {
      return (this.answer.doubts ?? []).filter(({ point }) => String(point) === figure.dataset.point);
    }

    // Readings that should not be believed, behind the line; a moment is as wide as it can be seen.
    shade(plot, figure, colours) {
      const { left, top, width, height } = plot.bbox;
      const pen = plot.ctx;
      pen.save();
      pen.fillStyle = colours.doubt;
      for (const { from, until } of this.doubts(figure)) {
        const start = Math.max(left, plot.valToPos(from, "x", true) - 1);
        const end = Math.min(left + width, plot.valToPos(until, "x", true) + 1);
        if (end > start) pen.fillRect(start, top, end - start, height);
      }
      pen.restore();
    }

    mark(plot, colours) {
      const tone = { critical: colours.critical, low: colours.good };
      for (const { at, kind, label } of this.answer.marks) {
        vigia.charts.verticalMark(plot, { x: at, label, colour: tone[kind] ?? colours.muted });
      }
    }

    read(plot, figure) {
      const at = plot.cursor.idx;
      const value = at === null || at === undefined ? null : plot.data[1][at];
      const moment = plot.posToVal(plot.cursor.left, "x");
      const width = plot.posToVal(4, "x") - plot.posToVal(0, "x");
      const doubt = this.doubts(figure).find(({ from, until }) => from - width <= moment && moment <= until + width);
      const said =
        value === null || value === undefined
          ? []
          : [`${number(value)} ${figure.dataset.unit}`, this.clocks.full.format(plot.data[0][at] * 1000)];
      figure.querySelector("output").textContent = [...said, ...(doubt ? [doubt.words] : [])].join(" · ");
    }

    zoom(plot) {
      const { left, width } = plot.select;
      if (width < LEAST_ZOOM_PIXELS) return;
      const start = Math.floor(plot.posToVal(left, "x"));
      const end = Math.ceil(plot.posToVal(left + width, "x"));
      this.load({ start, end });
    }
  }

  for (const section of document.querySelectorAll("[data-sensor-charts]")) new SensorCharts(section);
})();
