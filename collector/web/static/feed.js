// The feed: cards arrive, change and are acknowledged while one looks at them.

import { keys } from "./keys.js";
import { actHere, exchange, fetchPage, listen, refresh } from "./live.js";

const days = document.getElementById("days");
const { filter, first, said } = document.body.dataset;
const asked = new Map(); // incident -> whether another event came while its card was being fetched

/** Bring one incident's card up to date, or in. One request at a time for each incident. */
async function bring(id) {
  if (asked.has(id)) {
    asked.set(id, true);
    return;
  }
  asked.set(id, false);
  const page = await fetchPage(`/incidents/${id}/card`);
  const card = page?.querySelector(".card");
  if (card) place(card);
  const once_more = asked.get(id);
  asked.delete(id);
  if (once_more) bring(id);
}

function place(card) {
  const old = document.getElementById(card.id);
  if (old) {
    if (old.outerHTML !== card.outerHTML) exchange(old, card);
    return;
  }
  if (first !== "yes" || (filter && card.dataset.state !== filter)) return;
  const node = document.adoptNode(card);
  const day = days.querySelector(`[data-day="${node.dataset.day}"]`);
  if (!day) {
    refresh("days", "blank");
    announce(node);
    return;
  }
  const start = Number(node.dataset.start);
  const list = day.querySelector(".feed");
  const next = [...list.children].find((other) => Number(other.dataset.start) <= start);
  node.classList.add("arrived");
  node.addEventListener("animationend", () => node.classList.remove("arrived"), { once: true });
  list.insertBefore(node, next ?? null);
  announce(node);
}

function announce(card) {
  const camera = card.querySelector("h3 a").textContent;
  const time = card.querySelector("time").textContent;
  document.getElementById("news").textContent = said.replace("{camera}", camera).replace("{time}", time);
}

listen(
  {
    incident(incident) {
      bring(incident.id);
    },
    episode(episode) {
      if (episode.incident) bring(episode.incident);
    },
    clip(clip) {
      if (clip.incident) bring(clip.incident);
    },
  },
  () => refresh("days", "blank", "waiting"),
);
actHere(bring);

/** The card that has the keyboard, or where it is looked for first. */
const chosen = () => document.activeElement?.closest(".card");
const press = (selector) => chosen()?.querySelector(selector)?.click();

function walk(by) {
  const cards = [...document.querySelectorAll(".card")];
  const here = cards.indexOf(chosen());
  const next = cards[here < 0 ? 0 : Math.min(Math.max(here + by, 0), cards.length - 1)];
  const anchor = next?.querySelector("h3 a");
  anchor?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "center" });
}

keys({
  j: () => walk(1),
  k: () => walk(-1),
  a: () => press("form[data-ack] button"),
  f: () => press('button[value="false"]'),
});
