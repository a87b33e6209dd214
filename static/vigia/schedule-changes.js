"use strict";
// Changes of the draft: sent to the server, refused with all broken rules, taken back.
vigia.schedule.changes = (() => {
  const { clock, closePanel, part, say, settings, words } = vigia.schedule;
  const banner = document.getElementById("refusal");
  const undoButton = document.getElementById("undo");
  const timeline = () => vigia.schedule.timeline;
  let busy = Promise.resolve();

  async function post(name, body) {
    const answer = await fetch(`${settings.urls[name]}?by=${timeline().by()}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": vigia.csrfToken() },
      body: JSON.stringify({ ...body, revision: settings.revision }),
    });
    const told = (answer.headers.get("Content-Type") ?? "").includes("json") ? await answer.json() : {};
    return { ok: answer.ok, ...told };
  }

  // One change after the other, so that each knows the revision the last one led to. `after`
  // gets the answer to a change that was made, `revert` undoes on the screen one that was not,
  // `refused` shows broken rules and offers to send the change again.
  function change(name, body, ways) {
    const turn = busy.then(() => attempt(name, body, ways));
    busy = turn.catch(() => {});
    return turn;
  }

  async function attempt(name, body, { after, revert = () => {}, refused = show }) {
    let answer;
    try {
      answer = await post(name, body);
    } catch {
      revert();
      vigia.toast(words.unreachable, { tone: "critical" });
      return;
    }
    if (answer.ok) {
      keep(answer);
      await after(answer);
      return;
    }
    revert();
    if (answer.broken) {
      refused(answer, () => change(name, { ...body, anyway: true }, { after, refused }));
      return;
    }
    vigia.toast(answer.message ?? document.body.dataset.refused, { tone: "critical" });
    if (answer.reload) await reload();
  }

  function keep(answer) {
    hide();
    settings.revision = answer.revision;
    timeline().showLoads(answer.loads);
    if (undoButton) undoButton.disabled = !answer.undo;
    refreshAround();
  }

  function refreshAround() {
    return htmx.ajax("GET", part("around"), { target: "#waiting", swap: "outerHTML" });
  }

  async function reload() {
    await timeline().load();
    await refreshAround();
  }

  // The summary tells the revision it was drawn from: when somebody else changed the schedule
  // meanwhile, the timeline is drawn again before the next change is sent.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id !== "waiting") return;
    const { mayUndo, revision } = document.getElementById("schedule-summary").dataset;
    if (undoButton) undoButton.disabled = mayUndo !== "yes";
    if (Number(revision) !== settings.revision) {
      settings.revision = Number(revision);
      timeline().load();
    }
  });

  // Refusals

  function listOf(answer) {
    const list = vigia.element("ul");
    list.append(...answer.broken.map((sentence) => vigia.element("li", "", sentence)));
    return list;
  }

  function button(label, run) {
    const made = vigia.element("button", "btn btn-sm", label);
    made.type = "button";
    made.addEventListener("click", run);
    return made;
  }

  function show(answer, anyway) {
    const buttons = vigia.element("div", "btn-list");
    buttons.append(button(words.anyway, anyway), button(words.close, hide));
    const title = vigia.element("strong", "", `${words.notMoved} ${answer.title}`);
    banner.replaceChildren(title, listOf(answer), buttons);
    banner.hidden = false;
  }

  function hide() {
    banner.hidden = true;
  }

  function showBeside(form) {
    return (answer, anyway) => {
      const box = form.querySelector("[data-refusal]");
      box.replaceChildren(vigia.element("strong", "", words.notMoved), listOf(answer), button(words.anyway, anyway));
      box.hidden = false;
      box.scrollIntoView({ block: "nearest" });
    };
  }

  // The changes

  const takeBack = { label: words.undo, run: () => undo() };

  function move(body, ways = {}) {
    const after = ({ event }) => {
      closePanel();
      timeline().show(event);
      const at = clock.format(new Date(event.start));
      vigia.toast(say(words.moved, { title: event.title, at }), { tone: "low", action: takeBack });
    };
    return change("move", body, { after, ...ways });
  }

  function pin(workOrder, pinned) {
    const after = ({ event }) => {
      timeline().show(event);
      const sentence = pinned ? words.pinned : words.unpinned;
      vigia.toast(say(sentence, { title: event.title }), { action: takeBack });
    };
    return change("pin", { work_order: workOrder, pinned }, { after });
  }

  function takeOut(workOrder, title, ways = {}) {
    const after = () => {
      timeline().remove(workOrder);
      vigia.toast(say(words.removed, { title }), { action: takeBack });
    };
    return change("remove", { work_order: workOrder }, { after, ...ways });
  }

  function undo() {
    if (undoButton.disabled) {
      vigia.toast(words.nothingToUndo);
      return undefined;
    }
    const after = async () => {
      await timeline().load();
      vigia.toast(words.undone);
    };
    return change("undo", {}, { after });
  }

  undoButton?.addEventListener("click", undo);

  // The form of the panel: the same changes without dragging, refusals beside it.
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-move-form]");
    if (!form) return;
    event.preventDefault();
    const given = new FormData(form);
    const body = {
      work_order: Number(form.dataset.workOrder),
      start: given.get("start"),
      technicians: given.getAll("technician").filter(Boolean).map(Number),
    };
    move(body, { refused: showBeside(form) });
  });

  document.addEventListener("click", (event) => {
    const form = event.target.closest("[data-move-form]");
    if (!form) return;
    const workOrder = Number(form.dataset.workOrder);
    const pinning = event.target.closest("[data-pin]");
    const place = event.target.closest("[data-start]");
    if (pinning) {
      closePanel();
      pin(workOrder, pinning.dataset.pin === "yes");
    } else if (event.target.closest("[data-take-out]")) {
      closePanel();
      takeOut(workOrder, form.dataset.title);
    } else if (place) {
      const technicians = place.dataset.technicians.split(" ").filter(Boolean).map(Number);
      move({ work_order: workOrder, start: place.dataset.start, technicians }, { refused: showBeside(form) });
    }
  });

  return { move, pin, takeOut, undo };
})();
