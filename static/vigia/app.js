"use strict";
// What every page shares. Scripts of one page hang their own things on `vigia` too.
const vigia = (() => {
  const words = document.body.dataset;
  // Plain "en" would put the month before the day, other than the sentences of the server.
  const lang = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;

  function csrfToken() {
    const kept = document.cookie.match(/(?:^|;\s*)csrftoken=([^;]+)/);
    const field = document.querySelector("input[name=csrfmiddlewaretoken]");
    return kept ? decodeURIComponent(kept[1]) : field ? field.value : "";
  }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // A table, list or sentence: element("td", "figures", "12 h").
  function element(tag, css, text) {
    const made = document.createElement(tag);
    if (css) made.className = css;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // Says something in the corner; `action` is {label, run}. It stays while it has the focus.
  function toast(text, { tone = "info", action = null, seconds = 7 } = {}) {
    const box = element("div", `toast-box tone-${tone}`);
    const close = element("button", "toast-close", "×");
    close.type = "button";
    close.setAttribute("aria-label", words.dismiss);
    close.addEventListener("click", () => box.remove());
    box.append(element("p", "", text));
    if (action) {
      const button = element("button", "btn btn-sm", action.label);
      button.type = "button";
      button.addEventListener("click", () => {
        box.remove();
        action.run();
      });
      box.append(button);
    }
    box.append(close);
    document.getElementById("toasts").append(box);
    const leave = () => (box.matches(":hover, :focus-within") ? setTimeout(leave, 2000) : box.remove());
    setTimeout(leave, seconds * 1000);
    return box;
  }

  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRFToken"] = csrfToken();
  });
  document.addEventListener("htmx:responseError", () => toast(words.refused, { tone: "critical" }));
  document.addEventListener("htmx:sendError", () => toast(words.unreachable, { tone: "critical" }));
  // A view may answer with the header HX-Trigger: {"vigia:toast": {"text": ..., "tone": ...}}.
  document.addEventListener("vigia:toast", (event) => toast(event.detail.text, event.detail));

  // The order chosen in the head of a table stays when its filter form asks again.
  document.addEventListener("htmx:pushedIntoHistory", () => {
    const sort = new URLSearchParams(location.search).get("sort");
    for (const kept of document.querySelectorAll(".filters [name=sort]")) kept.value = sort ?? "";
  });

  // <select data-submit-on-change>: a choice that needs no further button.
  document.addEventListener("change", (event) => {
    const control = event.target.closest("[data-submit-on-change]");
    if (control) control.form.requestSubmit();
  });

  return { colour, csrfToken, element, lang, toast };
})();
window.vigia = vigia;
