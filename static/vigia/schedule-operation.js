"use strict";
// When the optimiser has ended, the page shows its new draft.
(() => {
  const words = JSON.parse(document.getElementById("schedule-words")?.textContent ?? "{}");
  const busy = () => document.querySelector(".offcanvas.show, .modal.show");

  document.addEventListener("vigia:operation", ({ detail }) => {
    if (detail.kind !== "schedule") return;
    const show = () => location.assign(location.pathname);
    if (detail.state === "failed") {
      if (words.failed) vigia.toast(words.failed, { tone: "critical" });
    } else if (detail.state === "succeeded") {
      if (busy()) vigia.toast(words.ready, { tone: "low", action: { label: words.show, run: show }, seconds: 60 });
      else show();
    }
  });
})();
