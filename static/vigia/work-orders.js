"use strict";
// The list of work orders: choosing rows, and an export of what is shown.
(() => {
  function boxes(table) {
    return [...table.querySelectorAll("input[name=chosen]")];
  }

  function tell(table) {
    const bar = table.querySelector("[data-decide-bar]");
    if (!bar) return;
    const all = boxes(table);
    const chosen = all.filter((box) => box.checked).length;
    const output = bar.querySelector("[data-chosen-count]");
    const words = chosen === 0 ? output.dataset.none : chosen === 1 ? output.dataset.one : output.dataset.many;
    output.textContent = words.replace("{n}", chosen);
    const everything = bar.querySelector("[data-choose-all]");
    everything.checked = chosen > 0 && chosen === all.length;
    everything.indeterminate = chosen > 0 && chosen < all.length;
    for (const button of bar.querySelectorAll("[data-needs-choice]")) button.disabled = chosen === 0;
    bar.classList.toggle("has-choice", chosen > 0);
  }

  document.addEventListener("change", (event) => {
    const table = event.target.closest("[data-work-orders]");
    if (!table) return;
    if (event.target.matches("[data-choose-all]")) {
      for (const box of boxes(table)) box.checked = event.target.checked;
    }
    tell(table);
  });

  // A required reason must not stop the button that accepts: it lies in a hidden dialog.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[name=decision][value=accept]");
    if (button) button.formNoValidate = true;
  });

  // The export follows the filters that htmx put in the address.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-keeps-query]");
    if (link) link.search = location.search;
  });

  const show = () => document.querySelectorAll("[data-work-orders]").forEach(tell);
  document.addEventListener("htmx:afterSettle", show);
  show();
})();
