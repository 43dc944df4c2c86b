// The sound of the post: two tones every four seconds while an incident rings, until somebody takes it.

const button = document.getElementById("sound");
const EVERY_MS = 4_000;
const KEPT = "vg-sound";
let audio = null;
let timer = null;
let ringing = 0;

const isOff = () => localStorage.getItem(KEPT) === "off";

/** One tone of `hertz` after `wait` seconds. */
function tone(hertz, wait) {
  const [from, source, loud] = [audio.currentTime + wait, audio.createOscillator(), audio.createGain()];
  source.type = "triangle";
  source.frequency.value = hertz;
  loud.gain.setValueAtTime(0, from);
  loud.gain.linearRampToValueAtTime(0.5, from + 0.02);
  loud.gain.exponentialRampToValueAtTime(0.001, from + 0.5);
  source.connect(loud).connect(audio.destination);
  source.start(from);
  source.stop(from + 0.55);
}

/** Sound once, or say that the browser wants a press first. */
function strike() {
  audio ??= new AudioContext();
  if (audio.state !== "running") {
    audio.resume().then(show, () => {});
    show();
    return;
  }
  tone(880, 0);
  tone(660, 0.3);
  button.dataset.struck = Number(button.dataset.struck ?? 0) + 1;
  show();
}

function show() {
  const isBlocked = ringing > 0 && !isOff() && audio?.state !== "running";
  button.dataset.state = isOff() ? "off" : isBlocked ? "blocked" : ringing ? "ringing" : "quiet";
  button.setAttribute("aria-pressed", String(!isOff()));
  button.lastElementChild.textContent = isOff() ? button.dataset.off : isBlocked ? button.dataset.blocked : button.dataset.on;
}

/** How many incidents ring now. */
export function ring(count) {
  if (!button) return;
  ringing = count;
  const shouldSound = count > 0 && !isOff();
  if (shouldSound && timer === null) {
    timer = setInterval(strike, EVERY_MS);
    strike();
  } else if (!shouldSound && timer !== null) {
    clearInterval(timer);
    timer = null;
  }
  show();
}

if (button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    if (button.dataset.state === "blocked") {
      strike();
      return;
    }
    localStorage.setItem(KEPT, isOff() ? "on" : "off");
    ring(ringing);
  });
}
