"use strict";
// The technician's phone. All of it works without this file; here it takes fewer taps and bytes.
(() => {
  // Steppers beside the number of a part.
  for (const button of document.querySelectorAll("[data-step]")) button.hidden = false;

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-step]");
    if (!button) return;
    const input = button.parentElement.querySelector("input");
    const most = Number(input.max);
    input.value = Math.min(most, Math.max(0, Number(input.value || 0) + Number(button.dataset.step)));
    input.dataset.touched = "";
  });

  // Nothing found: most likely nothing was renewed and no part used, unless somebody said so.
  function answerTheRest(form, finding) {
    const none = finding === "nothing_found";
    const renewed = form.querySelector(`[name=renewed][value=${none ? "no" : "yes"}]`);
    if (renewed && !("touched" in form.dataset)) renewed.checked = true;
    for (const input of form.querySelectorAll("[data-planned]")) {
      if (!("touched" in input.dataset)) input.value = none ? 0 : input.dataset.planned;
    }
  }

  document.addEventListener("change", (event) => {
    const form = event.target.closest("[data-close-form]");
    if (!form) return;
    if (event.target.name === "renewed") form.dataset.touched = "";
    if (event.target.matches("[data-planned]")) event.target.dataset.touched = "";
    if (event.target.name === "as_found") answerTheRest(form, event.target.value);
    if (event.target.matches("[data-photos]")) shrinkAll(event.target);
  });

  // A phone's photo is several megabytes; this size shows a crack as well, and leaves behind where
  // it was taken.
  const LONGEST_SIDE = 1920;

  async function shrunk(file) {
    const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(picture.width * scale);
    canvas.height = Math.round(picture.height * scale);
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
    return new File([blob], `${file.name.replace(/\.\w+$/, "")}.jpg`, { type: "image/jpeg" });
  }

  async function shrinkAll(input) {
    const given = [...input.files];
    const send = input.form.querySelector(".my-send button");
    send.disabled = true;
    try {
      const chosen = new DataTransfer();
      for (const file of given) chosen.items.add(await shrunk(file).catch(() => file));
      input.files = chosen.files;
    } finally {
      send.disabled = false;
    }
  }

  // Sent once, however often it is tapped.
  document.addEventListener("submit", (event) => {
    if (!event.target.closest(".my-work")) return;
    if ("sent" in event.target.dataset) event.preventDefault();
    event.target.dataset.sent = "";
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("[data-sent]")) delete form.dataset.sent;
  });

  // The minutes of what runs, as they pass.
  const counters = [...document.querySelectorAll("[data-minutes]")];
  const loaded = performance.now();
  const hoursAndMinutes = (total) => {
    const [hours, minutes] = [Math.floor(total / 60), total % 60];
    const parts = hours ? [`${hours}\u00a0h`] : [];
    if (minutes || !hours) parts.push(`${minutes}\u00a0min`);
    return parts.join("\u00a0");
  };
  if (counters.length) {
    setInterval(() => {
      const passed = Math.floor((performance.now() - loaded) / 60000);
      for (const counter of counters) {
        counter.textContent = hoursAndMinutes(Number(counter.dataset.minutes) + passed);
      }
    }, 15000);
  }
})();
