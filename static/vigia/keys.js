"use strict";
// Keys of every page: / searches, ? helps, g and a figure goes to that section of the menu.
(() => {
  const PAIR_MILLISECONDS = 900;
  let goPressedAt = -Infinity;

  function writing(target) {
    return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
  }

  function goTo(place) {
    const link = document.querySelector(`[data-go="${CSS.escape(place)}"]`);
    if (link) link.click();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || writing(event.target)) return;
    if (event.timeStamp - goPressedAt < PAIR_MILLISECONDS) {
      goPressedAt = -Infinity;
      goTo(event.key);
    } else if (event.key === "/") {
      const search = document.getElementById("top-search");
      if (!search) return;
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "?") {
      document.querySelector("[data-bs-target='#keyboard-help']")?.click();
    } else if (event.key === "g") {
      goPressedAt = event.timeStamp;
    }
  });
})();
