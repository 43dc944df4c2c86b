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
  if (isHevc && video.canPlayType('video/mp4; codecs="hvc1.1.6.L120.90"') === "") {
    say(words.hevc);
    copy(video, cannot, false); // somebody may have had it made already
  }
  document.getElementById("playback").addEventListener("submit", (event) => {
    event.preventDefault();
    copy(video, cannot, true);
  });
  video.addEventListener("error", () => say(isHevc && !video.dataset.copy ? words.hevc : words.broken));
  video.addEventListener("loadeddata", () => {
    if (video.videoWidth === 0) say(isHevc ? words.hevc : words.broken);
  });

  follow(video);
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

/** Show the playback copy once it is there; `wanted`: have it made, and ask until it is. */
async function copy(video, cannot, wanted) {
  const said = cannot.querySelector("p");
  const form = document.getElementById("playback");
  const path = `/api/v1${new URL(form.action).pathname}`;
  const token = document.querySelector('meta[name="csrf"]').content;
  const button = form.querySelector("button");
  button.disabled = wanted;
  for (let asks = wanted; video.isConnected; ) {
    let state = "failed";
    try {
      const method = asks ? "POST" : "GET";
      const answer = await fetch(path, { method, headers: { "x-csrf-token": token }, credentials: "same-origin" });
      const told = answer.ok ? await answer.json() : {};
      state = told.state ?? (answer.status === 507 ? "no_room" : "failed");
      if (state === "ready") {
        video.dataset.copy = "yes";
        video.src = `${told.url}#t=${video.dataset.opens}`;
        cannot.hidden = true;
        document.getElementById("copied").hidden = false;
        return;
      }
    } catch {
      // no link: said below
    }
    if (!wanted) return;
    said.textContent = said.dataset[state] ?? said.dataset.making;
    if (state === "failed" || state === "no_room") {
      button.disabled = false;
      return;
    }
    asks = state !== "making";
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

/** The moving box over the clip: dashed where anything moved at all, solid where it was at this moment. */
function follow(video) {
  const track = document.getElementById("track");
  if (!track) return;
  const points = JSON.parse(track.dataset.track);
  const lead = Number(track.dataset.lead);
  const [x0, y0, x1, y1] = track.dataset.box.split(" ").map(Number);
  const [whole, now] = track.querySelectorAll("rect");
  const spread = (axis) => Math.max(...points.map((point) => point[axis])) - Math.min(...points.map((point) => point[axis]));
  // The rectangle is the union over the whole time: without the way that the centre went, the thing itself is left.
  const wide = Math.max(x1 - x0 - spread(1), 0.04);
  const tall = Math.max(y1 - y0 - spread(2), 0.04);
  const lay = (rect, x, y, width, height) => {
    const [w, h] = [video.videoWidth, video.videoHeight];
    for (const [name, value] of Object.entries({ x: x * w, y: y * h, width: width * w, height: height * h })) {
      rect.setAttribute(name, value.toFixed(1));
    }
  };
  const draw = () => {
    if (!video.videoWidth) return;
    track.setAttribute("viewBox", `0 0 ${video.videoWidth} ${video.videoHeight}`); // lies as the picture does
    lay(whole, x0, y0, x1 - x0, y1 - y0);
    const at = video.currentTime * 1000 - lead;
    const next = points.findIndex((point) => point[0] >= at);
    const isMoving = at >= points[0][0] - 200 && at <= points.at(-1)[0] + 200;
    whole.toggleAttribute("hidden", !isMoving);
    now.toggleAttribute("hidden", !isMoving);
    if (!isMoving) return;
    const after = points[next < 0 ? points.length - 1 : next];
    const before = points[Math.max((next < 0 ? points.length : next) - 1, 0)];
    const part = after[0] > before[0] ? Math.min(Math.max((at - before[0]) / (after[0] - before[0]), 0), 1) : 1;
    const [x, y] = [1, 2].map((axis) => before[axis] + (after[axis] - before[axis]) * part);
    lay(now, x - wide / 2, y - tall / 2, wide, tall);
  };
  const onFrame = () => {
    draw();
    video.requestVideoFrameCallback?.(onFrame);
  };
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(onFrame);
  for (const name of ["loadeddata", "seeked", "timeupdate"]) video.addEventListener(name, draw);
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
