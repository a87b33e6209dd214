"use strict";
// What the scripts of the schedule share: settings and words of the page, clocks, the panel.
vigia.schedule = (() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const settings = read("schedule-settings");
  const words = read("schedule-words");
  const lang = vigia.lang;
  const clock = new Intl.DateTimeFormat(lang, {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });

  // The wall clock of the plant, as the server reads it.
  function wallClock(date) {
    const two = (number) => String(number).padStart(2, "0");
    const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
  }

  function say(sentence, values) {
    return sentence.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  }

  function part(name, more = "") {
    return `${settings.urls.part}&part=${name}${more}`;
  }

  const panel = document.getElementById("work-order");
  let opened = null;
  let openedFrom = null;

  async function openPanel(workOrder, from = document.activeElement) {
    opened = workOrder;
    openedFrom = from;
    await htmx.ajax("GET", part("work_order", `&work_order=${workOrder}`), "#work-order-content");
    tabler.Offcanvas.getOrCreateInstance(panel).show();
  }

  function closePanel() {
    tabler.Offcanvas.getOrCreateInstance(panel).hide();
  }

  // What it was opened from may have been drawn again meanwhile.
  panel.addEventListener("hidden.bs.offcanvas", () => {
    const same = () => document.querySelector(`[data-open-work-order="${opened}"]`);
    const back = openedFrom?.isConnected ? openedFrom : (vigia.schedule.timeline.focused() ?? same());
    back?.focus();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-open-work-order]");
    if (button) openPanel(button.dataset.openWorkOrder, button);
  });

  return { clock, closePanel, openPanel, part, say, settings, wallClock, words };
})();
