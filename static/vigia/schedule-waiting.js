"use strict";
// The waiting list: its cards are dragged onto the timeline.
(() => {
  const { changes, settings, timeline, wallClock } = vigia.schedule;
  const box = document.getElementById("timeline");
  if (!settings.editable) return;

  document.addEventListener("dragstart", (event) => {
    const card = event.target.closest?.(".waiting-card");
    if (!card) return;
    event.dataTransfer.setData("text/plain", card.dataset.workOrder);
    event.dataTransfer.effectAllowed = "move";
  });

  box.addEventListener("dragover", (event) => event.preventDefault());
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    const workOrder = event.dataTransfer.getData("text/plain");
    const place = timeline.dateFromPoint(event.clientX, event.clientY);
    if (!/^\d+$/.test(workOrder) || !place?.resource) return;
    const technicians = timeline.by() === "technician" ? [Number(place.resource.id)] : [];
    changes.move({ work_order: Number(workOrder), start: wallClock(timeline.withinHours(place.date)), technicians });
  });
})();
