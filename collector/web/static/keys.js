// Keys for the desk. Single letters act only outside of fields, and can be switched off (kept in this browser).

const KEPT = "vg-keys";
const dialog = document.getElementById("keys");
const ask = document.getElementById("ask-keys");

const isOn = () => localStorage.getItem(KEPT) !== "off";

/** Have keys do things: `actions` maps a key ("j", " ", "ArrowLeft") to a function. */
export function keys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || dialog?.open) return;
    const target = event.target;
    if (target.matches?.("input, select, textarea, [contenteditable]")) return;
    if (event.key === " " && target.matches?.("button, a, summary")) return;
    const action = event.key === "?" ? () => dialog?.showModal() : isOn() ? actions[event.key] : null;
    if (!action) return;
    event.preventDefault();
    action();
  });
}

if (dialog && ask) {
  const on = document.getElementById("keys-on");
  on.checked = isOn();
  on.addEventListener("change", () => localStorage.setItem(KEPT, on.checked ? "on" : "off"));
  ask.hidden = false;
  ask.addEventListener("click", () => dialog.showModal());
}
