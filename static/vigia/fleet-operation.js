"use strict";
// When a forecast has ended, the page shows what it says.
document.addEventListener("vigia:operation", ({ detail }) => {
  if (detail.kind === "forecast" && detail.state === "succeeded") location.reload();
});
