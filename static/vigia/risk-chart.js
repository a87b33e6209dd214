"use strict";
// <div data-risk-chart="id of a json_script"> with
//   {curves: [{key, label, likely, low, high}], limit, marks: [{day, label}], words}
// draws one curve with its band, the others thin behind it, the limit and planned work. A
// <select data-risk-select> in the same card chooses the curve, and with it which of the
// elements [data-shown-for=key] of the page is seen.
(() => {
  const HEIGHT = 240;
  const lang = vigia.lang;

  function percent(share) {
    const maximumFractionDigits = share < 0.1 ? 1 : 0;
    return `${(share * 100).toLocaleString(lang, { maximumFractionDigits })} %`;
  }

  function columns(data, chosen) {
    const days = chosen.likely.map((_, day) => day);
    const limit = days.map(() => data.limit);
    const others = data.curves.filter((curve) => curve !== chosen).map((curve) => curve.likely);
    return [days, chosen.high, chosen.low, limit, ...others, chosen.likely];
  }

  function series(data, colours) {
    const unseen = { stroke: "transparent", points: { show: false } };
    const behind = { stroke: colours.muted, width: 1, alpha: 0.6, points: { show: false } };
    return [
      {},
      unseen,
      unseen,
      { stroke: colours.critical, width: 1.25, dash: [4, 4], points: { show: false } },
      ...data.curves.slice(1).map(() => behind),
      { stroke: colours.accent, width: 2.5, points: { show: false } },
    ];
  }

  function ceiling(data, chosen) {
    const highest = Math.max(data.limit * 1.15, ...chosen.high, ...chosen.likely);
    return Math.min(1, Math.ceil(highest * 10.5) / 10);
  }

  function describe(data, chosen, day) {
    const range = `${percent(chosen.low[day])} – ${percent(chosen.high[day])}`;
    return `+${day} ${data.words.day}: ${percent(chosen.likely[day])} (${range})`;
  }

  function draw(box, data, chosen, output) {
    const colours = vigia.charts.palette();
    const { axis, verticalMark } = vigia.charts;
    const dayLabel = (day) => (day === 0 ? data.words.today : `+${day} ${data.words.day}`);
    const plot = new uPlot(
      {
        width: box.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: { x: { time: false }, y: { range: [0, ceiling(data, chosen)] } },
        axes: [
          axis(colours, {
            size: 26,
            incrs: [1, 2, 5, 10, 15, 30],
            values: (_, days) => days.map(dayLabel),
          }),
          axis(colours, { size: 52, values: (_, shares) => shares.map(percent) }),
        ],
        bands: [{ series: [1, 2], fill: colours.band }],
        series: series(data, colours),
        hooks: {
          draw: [
            (drawn) => {
              // A line each, so that labels of neighbouring days can all be read.
              for (const [line, { day, label }] of data.marks.entries()) {
                verticalMark(drawn, { x: day, label, line, colour: colours.accent });
              }
            },
          ],
          setCursor: [
            ({ cursor }) => {
              const at = cursor.idx;
              output.textContent = at === null || at === undefined ? "" : describe(data, chosen, at);
            },
          ],
        },
      },
      columns(data, chosen),
      box,
    );
    return [plot];
  }

  // What is told of one failure mode: of the first when the joint curve is chosen.
  function showFor(key) {
    const panels = [...document.querySelectorAll("[data-shown-for]")];
    const own = panels.find((panel) => panel.dataset.shownFor === key) ?? panels[0];
    for (const panel of panels) panel.hidden = panel !== own;
  }

  for (const box of document.querySelectorAll("[data-risk-chart]")) {
    const data = JSON.parse(document.getElementById(box.dataset.riskChart).textContent);
    const card = box.closest(".card");
    const select = card.querySelector("[data-risk-select]");
    const output = card.querySelector("output");
    const chosen = () => data.curves.find((curve) => curve.key === select?.value) ?? data.curves[0];
    const again = vigia.charts.keepDrawn(() => draw(box, data, chosen(), output));
    select?.addEventListener("change", () => {
      again();
      showFor(select.value);
    });
    box.dataset.drawn = "yes";
  }
})();
