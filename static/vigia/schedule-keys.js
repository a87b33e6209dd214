"use strict";
// The timeline by keyboard: arrows walk, Alt and an arrow moves, P pins, Ctrl+Z takes back.
(() => {
  const { settings, wallClock } = vigia.schedule;
  const { changes, timeline } = vigia.schedule;
  const STEP_MINUTES = 30;
  const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  const rowIndex = (bar) => timeline.rows().findIndex((row) => row.id === bar.dataset.row);
  const startOf = (bar) => timeline.event(bar.dataset.bar).start;

  // Along the row to the next bar in time; across rows to the bar nearest in time.
  function neighbour(bar, [along, across]) {
    const others = timeline.bars().filter((other) => other !== bar);
    if (along) {
      const ahead = others.filter((other) => rowIndex(other) === rowIndex(bar) && (startOf(other) - startOf(bar)) * along > 0);
      return ahead.sort((one, other) => (startOf(one) - startOf(other)) * along)[0];
    }
    const beyond = others.filter((other) => (rowIndex(other) - rowIndex(bar)) * across > 0);
    const distance = (other) => Math.abs(startOf(other) - startOf(bar));
    return beyond.sort((one, other) => (rowIndex(one) - rowIndex(other)) * across || distance(one) - distance(other))[0];
  }

  // Past the last hour that is shown the next day begins, and the other way round.
  function shifted(event, minutes) {
    const start = new Date(event.start.getTime() + minutes * 60000);
    const end = new Date(event.end.getTime() + minutes * 60000);
    const tooLate = end.getHours() * 60 + end.getMinutes() > settings.lastHour * 60 || end.getDate() !== start.getDate();
    if (minutes > 0 && tooLate && settings.lastHour - settings.firstHour < 24) {
      start.setDate(start.getDate() + 1);
      start.setHours(settings.firstHour, 0);
    } else if (minutes < 0 && start.getHours() < settings.firstHour) {
      start.setDate(start.getDate() - 1);
      start.setHours(settings.lastHour, 0);
      start.setTime(start.getTime() - (event.end - event.start));
    }
    return start;
  }

  function crewAfter(bar, event, across) {
    const { crew } = event.extendedProps;
    if (!across || timeline.by() !== "technician") return crew;
    const next = timeline.rows()[rowIndex(bar) + across];
    return next ? crew.map((id) => (id === bar.dataset.row ? next.id : id)) : null;
  }

  function move(bar, [along, across]) {
    const event = timeline.event(bar.dataset.bar);
    const crew = crewAfter(bar, event, across);
    if (!crew || (across && timeline.by() !== "technician")) return;
    changes.move({
      work_order: Number(event.id),
      start: wallClock(along ? shifted(event, along * STEP_MINUTES) : event.start),
      technicians: crew.map(Number),
    });
  }

  document.getElementById("timeline").addEventListener("keydown", (event) => {
    const bar = event.target.closest(".bar-button");
    if (!bar || event.ctrlKey || event.metaKey) return;
    const way = WAYS[event.key];
    if (way) {
      event.preventDefault();
      if (!event.altKey) {
        const next = neighbour(bar, way);
        if (next) timeline.focus(next);
      } else if (settings.editable) {
        move(bar, way);
      }
    } else if (event.key === "p" && settings.editable) {
      const { pinned } = timeline.event(bar.dataset.bar).extendedProps;
      changes.pin(Number(bar.dataset.bar), !pinned);
    }
  });

  document.addEventListener("keydown", (event) => {
    const writing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (writing || !settings.editable || event.shiftKey) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      changes.undo();
    }
  });
})();
