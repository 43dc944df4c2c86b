// The map: pins follow what happens; an administrator uploads a plan and places pins by pointing.

import { calmly, exchange, fetchPage, listen } from "./live.js";

let picking = null;
const update = calmly(async () => {
  if (picking || document.querySelector("#maplist details[open]")) return; // not under the hands of who works there
  const page = await fetchPage(location.pathname + location.search);
  for (const id of ["drawing", "maplist"]) {
    const [old, fresh] = [document.getElementById(id), page?.getElementById(id)];
    if (old && fresh && old.outerHTML !== fresh.outerHTML) exchange(old, fresh);
  }
  ready();
}, 2_000);

listen({ box: update, incident: update }, update);

/** What works only with scripts is shown by them. */
function ready() {
  for (const button of document.querySelectorAll("[data-pick]")) button.hidden = false;
  const form = document.getElementById("upload");
  if (form) form.hidden = false;
}

function tell(text) {
  const note = document.getElementById("failed");
  note.lastElementChild.textContent = text;
  note.hidden = false;
  note.scrollIntoView({ block: "nearest" });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-pick]");
  const drawing = document.getElementById("drawing");
  if (button) {
    picking = button.form;
    drawing.classList.add("picking");
    drawing.scrollIntoView({ block: "nearest" });
    return;
  }
  if (!picking || !drawing?.contains(event.target)) return;
  event.preventDefault();
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
  const { width, height } = drawing.viewBox.baseVal;
  picking.elements.x.value = ((at.x / width) * 100).toFixed(1);
  picking.elements.y.value = ((at.y / height) * 100).toFixed(1);
  picking.requestSubmit();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !picking) return;
  picking = null;
  document.getElementById("drawing").classList.remove("picking");
});

document.getElementById("upload")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  const file = document.getElementById("file").files[0];
  button.disabled = true;
  try {
    const answer = await fetch(form.dataset.to, {
      method: "POST",
      headers: { "x-csrf-token": document.querySelector('meta[name="csrf"]').content, "content-type": file.type },
      body: file,
      credentials: "same-origin",
    });
    if (answer.ok) {
      location.reload();
      return;
    }
    const told = await answer.json();
    tell(`${told.detail} ${told.hint ?? ""}`);
  } catch {
    tell(document.body.dataset.failed);
  }
  button.disabled = false;
});

ready();
