"use strict";
// Loaded before the page is painted, so that a dark choice never flashes light.
(() => {
  const KEY = "vigia.theme";
  const root = document.documentElement;
  const device = matchMedia("(prefers-color-scheme: dark)");

  function choice() {
    try {
      const kept = localStorage.getItem(KEY);
      return kept === "light" || kept === "dark" ? kept : "auto";
    } catch {
      return "auto"; // storage is blocked: follow the device
    }
  }

  function keep(theme) {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // the choice lasts until the page is left
    }
  }

  function apply(theme) {
    const dark = theme === "dark" || (theme === "auto" && device.matches);
    root.dataset.bsTheme = dark ? "dark" : "light";
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === theme));
    }
    document.dispatchEvent(new CustomEvent("vigia:theme"));
  }

  apply(choice());
  device.addEventListener("change", () => apply(choice()));
  document.addEventListener("DOMContentLoaded", () => {
    apply(choice());
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.addEventListener("click", () => {
        keep(button.dataset.themeChoice);
        apply(button.dataset.themeChoice);
      });
    }
  });
})();
