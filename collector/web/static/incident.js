// One incident: the clip, its strip, and what changes while one looks.

import { keys } from "./keys.js";
import { actHere, calmly, exchange, fetchPage, listen } from "./live.js";

const id = document.body.dataset.incident;

/** The player: where the moving begins on the strip, and plain words when the browser cannot play the clip. */
function wire() {
  const video = document.getElementById("video");
  if (!video) return;
  const cannot = document.getElementById("cannot");
  const isHevc = /^(hevc|h265|hvc1|hev1)/i.test(video.dataset.codec);
  const words = cannot.querySelector("p").dataset;
  const say = (text) => {
    cannot.querySelector("p").textContent = text;
    cannot.hidden = false;
  };
  if (isHevc && video.canPlayType('video/mp4; codecs="hvc1.1.6.L120.90"') === "") say(words.hevc);
  video.addEventListener("error", () => say(isHevc ? words.hevc : words.broken));
  video.addEventListener("loadeddata", () => {
    if (video.videoWidth === 0) say(isHevc ? words.hevc : words.broken);
  });

  const strip = document.getElementById("strip");
  if (!strip) return;
  const played = document.getElementById("played");
  const length = Number(strip.dataset.duration);
  const width = strip.viewBox.baseVal.width;
  video.addEventListener("timeupdate", () => {
    played.setAttribute("x", Math.min(width * 0.996, (video.currentTime / length) * width));
  });
  strip.addEventListener("click", (event) => {
    const place = strip.getBoundingClientRect();
    video.currentTime = ((event.clientX - place.left) / place.width) * length;
  });
}

/** Bring the page up to date; a clip that plays is left alone. */
const update = calmly(async () => {
  const page = await fetchPage(location.pathname + location.search);
  if (!page) return;
  for (const name of ["facts", "episodes", "between", "player"]) {
    const [old, fresh] = [document.getElementById(name), page.getElementById(name)];
    if (!old || !fresh || old.outerHTML === fresh.outerHTML) continue;
    if (name === "player" && old.dataset.clip) continue;
    exchange(old, fresh);
    if (name === "player") wire();
  }
}, 300);

const mine = (about) => {
  if (about === id) update();
};

listen(
  {
    incident(incident) {
      mine(incident.id);
    },
    episode: (episode) => mine(episode.incident),
    clip: (clip) => mine(clip.incident),
  },
  update,
);
actHere(update);
wire();

const press = (selector) => document.querySelector(selector)?.click();
const film = (act) => {
  const video = document.getElementById("video");
  if (video) act(video);
};
const move = (seconds) =>
  film((video) => {
    video.currentTime = Math.min(Math.max(video.currentTime + seconds, 0), video.duration || 0);
  });
const still = (seconds) => {
  film((video) => video.pause());
  move(seconds);
};

function episode(by) {
  const all = [...document.querySelectorAll("#episodes > a")];
  const here = all.findIndex((each) => each.getAttribute("aria-current"));
  all[here + by]?.click();
}

keys({
  j: () => press("#between a[rel=next]"),
  k: () => press("#between a[rel=prev]"),
  a: () => press("form[data-ack] button"),
  f: () => press('#facts button[value="false"]'),
  e: () => press('#player a[href*="download=1"]'),
  " ": () => film((video) => (video.paused ? video.play().catch(() => {}) : video.pause())),
  ArrowLeft: () => move(-5),
  ArrowRight: () => move(5),
  ",": () => still(-0.1),
  ".": () => still(0.1),
  "[": () => episode(-1),
  "]": () => episode(1),
});
