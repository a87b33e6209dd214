"use strict";
// The timeline: EventCalendar with bars as buttons, rows with their load, grey spans.
vigia.schedule.timeline = (() => {
  const { openPanel, say, settings, wallClock, words } = vigia.schedule;
  const box = document.getElementById("timeline");
  const lang = vigia.lang;
  const WEEKEND = [0, 6];
  const ROW_HEAD_PIXELS = 236;
  const SLOT_HOURS = { 1: 1, 7: 2, 14: 4 };
  const LEAST_SLOT_PIXELS = { 1: 46, 7: 30, 14: 22 };
  const GRID_ROLES = ["table", "grid", "row", "rowgroup", "rowheader", "columnheader", "cell"];
  const GRID_STATES = ["aria-colindex", "aria-rowindex", "aria-colcount", "aria-rowcount", "aria-colspan"];

  let calendar = null;
  let grouping = "technician";
  let rows = [];
  let current = null;
  let dragged = false;

  const chosen = (name) => document.querySelector(`[name=${name}]:checked`).value;
  const weekends = () => document.getElementById("weekends").checked;
  const twoDigits = (hour) => `${String(hour).padStart(2, "0")}:00`;

  // Zoom

  function zoom() {
    const days = Math.min(Number(chosen("zoom")), settings.days);
    const step = SLOT_HOURS[chosen("zoom")];
    const visible = weekends() || days === 1 ? days : Math.round((days * 5) / 7);
    const slots = (visible * (settings.lastHour - settings.firstHour)) / step;
    const fitting = Math.floor((box.clientWidth - ROW_HEAD_PIXELS) / slots);
    return {
      duration: { days },
      slotDuration: twoDigits(step),
      slotWidth: Math.max(LEAST_SLOT_PIXELS[chosen("zoom")], fitting),
      hiddenDays: weekends() || days === 1 ? [] : WEEKEND,
    };
  }

  function setZoom() {
    for (const [name, value] of Object.entries(zoom())) calendar.setOption(name, value);
  }

  // Drawing

  function rowHead({ resource }) {
    const { note, load } = resource.extendedProps;
    const head = vigia.element("div", "row-head");
    const name = vigia.element("span", "row-name", resource.title);
    name.title = resource.title;
    head.append(name, vigia.element("span", "row-note", note));
    if (load !== undefined) {
      const meter = document.createElement("meter");
      Object.assign(meter, { min: 0, max: 100, low: 85, high: 99, optimum: 50 });
      meter.dataset.load = resource.id;
      head.append(meter);
      tellLoad(meter, load);
    }
    return { domNodes: [head] };
  }

  function tellLoad(meter, percent) {
    meter.value = percent;
    meter.title = say(words.load, { percent });
    meter.setAttribute("aria-label", `${meter.previousSibling.previousSibling.textContent}: ${meter.title}`);
  }

  function mark(name) {
    return document.getElementById(`icon-${name}`).content.firstElementChild.cloneNode(true);
  }

  function barContent({ event }) {
    if (event.display === "background") return event.title;
    const { asset, label, pinned } = event.extendedProps;
    const button = vigia.element("button", "bar-button");
    button.type = "button";
    button.tabIndex = -1;
    button.dataset.bar = event.id;
    button.setAttribute("aria-label", label);
    if (pinned) button.append(mark("pin"));
    const risk = ["critical", "high", "watch"].find((band) => event.classNames.includes(`bar-${band}`));
    if (risk) button.append(mark(risk));
    button.append(vigia.element("span", "bar-asset", asset), vigia.element("span", "bar-title", event.title));
    return { domNodes: [button] };
  }

  // EventCalendar puts the roles of a grid without the parents they need, and no role says what
  // this is to somebody who does not see it: a group of buttons, each with its whole sentence.
  function mend() {
    for (const node of box.querySelectorAll(GRID_ROLES.map((role) => `[role=${role}]`).join())) {
      node.removeAttribute("role");
    }
    for (const state of GRID_STATES) {
      for (const node of box.querySelectorAll(`[${state}]`)) node.removeAttribute(state);
    }
    const all = bars();
    for (const bar of all) bar.dataset.row = rowOf(bar);
    const active = all.find((bar) => key(bar) === current) ?? all[0];
    if (active) current = key(active);
    for (const bar of all) bar.tabIndex = bar === active ? 0 : -1;
  }

  const key = (bar) => `${bar.dataset.bar} ${bar.dataset.row}`;
  const bars = () => [...box.querySelectorAll(".ec-event:not(.ec-ghost, .ec-preview) .bar-button")];
  const rowOf = (bar) => rows[Number(bar.closest(".ec-event").style.gridRowStart) - 1]?.id ?? "";

  function focus(bar) {
    current = key(bar);
    for (const other of bars()) other.tabIndex = other === bar ? 0 : -1;
    bar.focus();
    bar.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  // The tip

  const tip = vigia.element("div", "bar-tip");
  tip.hidden = true;
  tip.setAttribute("role", "tooltip");
  document.body.append(tip);

  function showTip(event, element) {
    if (event.display !== "auto") return;
    const { number, tip: lines } = event.extendedProps;
    const title = vigia.element("b", "", `${number} · ${event.title}`);
    tip.replaceChildren(title, ...lines.map((line) => vigia.element("span", "", line)));
    tip.hidden = false;
    const place = element.getBoundingClientRect();
    const above = place.bottom + tip.offsetHeight + 12 > innerHeight;
    tip.style.left = `${Math.max(8, Math.min(innerWidth - 316, place.left))}px`;
    tip.style.top = `${above ? place.top - tip.offsetHeight - 6 : place.bottom + 6}px`;
  }

  const hideTip = () => {
    tip.hidden = true;
  };

  // Moving

  // A drag over the hours that are not shown would end in them.
  function withinHours(date) {
    const clamped = new Date(date);
    if (clamped.getHours() < settings.firstHour) clamped.setHours(settings.firstHour, 0);
    if (clamped.getHours() >= settings.lastHour) clamped.setHours(settings.lastHour - 1, 45);
    return clamped;
  }

  function dropped(drop) {
    hideTip();
    const { event, oldEvent, newResource } = drop;
    const overList = document.elementFromPoint(drop.jsEvent.clientX, drop.jsEvent.clientY)?.closest("[data-takes-back]");
    if (overList) {
      vigia.schedule.changes.takeOut(Number(event.id), event.title, { revert: drop.revert });
      return;
    }
    if (grouping !== "technician" && newResource) {
      drop.revert();
      vigia.toast(words.onlyTechnicians, { tone: "watch" });
      return;
    }
    const crew = grouping === "technician" ? event.resourceIds : oldEvent.extendedProps.crew;
    const body = {
      work_order: Number(event.id),
      start: wallClock(withinHours(event.start)),
      technicians: crew.map(Number),
    };
    vigia.schedule.changes.move(body, { revert: drop.revert });
  }

  // Data

  async function load() {
    const view = calendar.getView();
    const query = new URLSearchParams({
      by: grouping,
      start: wallClock(view.activeStart).slice(0, 10),
      end: wallClock(view.activeEnd).slice(0, 10),
    });
    box.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(`${settings.urls.events}?${query}`, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(answer.statusText);
      draw(await answer.json());
    } catch {
      vigia.toast(document.body.dataset.unreachable, { tone: "critical" });
    } finally {
      box.removeAttribute("aria-busy");
    }
  }

  function draw(answer) {
    settings.revision = answer.revision;
    rows = answer.resources;
    calendar.setOption("events", []);
    calendar.setOption("resources", rows);
    calendar.setOption("events", answer.events);
    settle();
  }

  // EventCalendar draws in the next frames.
  function settle(then = () => {}) {
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        mend();
        then();
        box.dataset.drawn = "yes";
      }),
    );
  }

  function show(event) {
    const known = calendar.getEventById(event.id);
    if (known) calendar.updateEvent(event);
    else calendar.addEvent(event);
    const hadFocus = document.activeElement?.dataset?.bar === event.id || document.activeElement === document.body;
    settle(() => hadFocus && find(event.id)?.focus());
  }

  function find(workOrder) {
    const all = bars().filter((bar) => bar.dataset.bar === String(workOrder));
    return all.find((bar) => key(bar) === current) ?? all[0];
  }

  function remove(workOrder) {
    calendar.removeEventById(String(workOrder));
    settle();
  }

  function showLoads(loads) {
    for (const meter of box.querySelectorAll("meter[data-load]")) {
      const percent = loads[meter.dataset.load];
      if (percent !== undefined) tellLoad(meter, percent);
    }
  }

  // Where the reader came to see one work order.
  function showAsked() {
    const bar = settings.workOrder && find(settings.workOrder);
    if (!bar) return;
    bar.scrollIntoView({ block: "center", inline: "center" });
    bar.closest(".ec-event").classList.add("bar-found");
    focus(bar);
  }

  function create() {
    box.classList.toggle("editable", settings.editable);
    calendar = EventCalendar.create(box, {
      view: "resourceTimelineWeek",
      date: settings.start,
      validRange: { start: settings.start, end: settings.end },
      firstDay: 1,
      locale: lang,
      timeZone: settings.utcOffset,
      headerToolbar: { start: "", center: "", end: "" },
      height: "100%",
      slotMinTime: twoDigits(settings.firstHour),
      slotMaxTime: twoDigits(settings.lastHour),
      snapDuration: "00:15",
      nowIndicator: true,
      editable: settings.editable,
      eventDurationEditable: false,
      eventGap: 2,
      customScrollbars: true,
      dayHeaderFormat: { weekday: "short", day: "numeric", month: "short" },
      slotLabelFormat: { hour: "2-digit", hourCycle: "h23" },
      resources: [],
      events: [],
      resourceLabelContent: rowHead,
      eventContent: barContent,
      eventAllUpdated: mend,
      eventMouseEnter: ({ event, el }) => showTip(event, el),
      eventMouseLeave: hideTip,
      eventDragStart: () => {
        hideTip();
        dragged = true;
      },
      eventDrop: dropped,
      ...zoom(),
    });
    load().then(() => settle(showAsked));
  }

  function listen() {
    box.addEventListener("pointerdown", () => (dragged = false), true);
    // A click follows each drag; the keyboard's click has no detail.
    box.addEventListener("click", (event) => {
      const bar = event.target.closest(".bar-button");
      if (!bar || (dragged && event.detail !== 0)) return;
      hideTip();
      current = key(bar);
      openPanel(bar.dataset.bar, bar);
    });
    box.addEventListener("focusin", (event) => {
      const bar = event.target.closest(".bar-button");
      if (bar?.matches(":focus-visible")) showTip(calendar.getEventById(bar.dataset.bar), bar);
    });
    box.addEventListener("focusout", hideTip);
    for (const radio of document.querySelectorAll("[name=zoom]")) radio.addEventListener("change", rezoom);
    for (const radio of document.querySelectorAll("[name=by]")) radio.addEventListener("change", regroup);
    document.getElementById("weekends").addEventListener("change", rezoom);
    for (const button of document.querySelectorAll("[data-go-to]")) {
      button.addEventListener("click", () => goTo(button.dataset.goTo));
    }
  }

  function rezoom() {
    setZoom();
    settle(load);
  }

  function regroup(event) {
    grouping = event.target.value;
    current = null;
    load();
  }

  function goTo(where) {
    if (where === "previous") calendar.prev();
    else if (where === "next") calendar.next();
    else calendar.setOption("date", settings.today < settings.start || settings.today >= settings.end ? settings.start : settings.today);
    settle(load);
  }

  // Narrow screens show the list by day instead; it is drawn when there is room.
  const roomy = matchMedia("(min-width: 768px)");
  const start = () => {
    if (!roomy.matches || calendar) return;
    create();
    listen();
  };

  document.addEventListener("DOMContentLoaded", start);
  roomy.addEventListener("change", start);

  const drawn = (run) => (...given) => (calendar ? run(...given) : undefined);
  return {
    bars,
    by: () => grouping,
    dateFromPoint: drawn((x, y) => calendar.dateFromPoint(x, y)),
    event: drawn((workOrder) => calendar.getEventById(String(workOrder))),
    focus,
    focused: () => (current ? bars().find((bar) => key(bar) === current) : undefined),
    load: drawn(load),
    remove: drawn(remove),
    rows: () => rows,
    show: drawn(show),
    showLoads: drawn(showLoads),
    withinHours,
  };
})();
