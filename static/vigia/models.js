"use strict";
// When a training has ended, the page shows what serves now.
document.addEventListener("vigia:operation", ({ detail }) => {
  if (detail.kind === "train" && detail.state === "succeeded") location.reload();
});
