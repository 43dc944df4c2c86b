// The live connection: events in, one word about its state on the bar, and the number that waits in the tab's title.

import { ring } from "./bell.js";

const link = document.getElementById("link");
const plainTitle = document.title;
const SILENT_MS = 25_000; // the server says `beat` every 10 s

/** Show how the connection stands: "live" or "lost". */
function show(state) {
  if (!link || link.dataset.link === state) return;
  link.dataset.link = state;
  link.firstElementChild.textContent = link.dataset[state];
}

/** Put the number of incidents that wait into the bar and the tab's title, and ring while one of them does. */
function showWaiting(count, ringing) {
  ring(ringing);
  document.title = count > 0 ? `(${count}) ${plainTitle}` : plainTitle;
  const waiting = document.getElementById("waiting");
  if (!waiting) return;
  waiting.hidden = count === 0;
  waiting.dataset.waiting = count;
  waiting.firstElementChild.textContent = count;
}

/**
 * Listen. `handlers` maps event names (episode, clip, incident, alert, box) to functions of the parsed JSON; `caughtUp`
 * is called when something may have been missed and the page should be read anew.
 */
export function listen(handlers, caughtUp) {
  let source = null;
  // From where this page was drawn: what happened since, while it was on its way, is told first.
  let last = document.querySelector('meta[name="change"]')?.content ?? "";
  let heardMs = Date.now();
  let wasLost = false;
  const heard = () => {
    heardMs = Date.now();
    show("live");
  };
  const open = () => {
    source?.close();
    heardMs = Date.now();
    source = new EventSource(last ? `/api/v1/live?since=${last}` : "/api/v1/live");
    source.addEventListener("open", () => {
      heard();
      if (wasLost) caughtUp();
      wasLost = false;
    });
    source.addEventListener("error", () => {
      wasLost = true;
      show("lost");
    });
    source.addEventListener("beat", heard);
    source.addEventListener("reset", () => caughtUp());
    source.addEventListener("signed_out", () => location.assign("/login"));
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        heard();
        last = event.lastEventId || last;
        handle(JSON.parse(event.data));
      });
    }
    source.addEventListener("incident", (event) => {
      const incident = JSON.parse(event.data);
      showWaiting(incident.waiting, incident.ringing);
    });
  };
  open();
  // A link that died without a word: the browser would wait for ever. A closed one (HTTP error) is tried again here too.
  setInterval(() => {
    if (Date.now() - heardMs > SILENT_MS || source.readyState === EventSource.CLOSED) {
      wasLost = true;
      show("lost");
      open();
    }
  }, 5_000);
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => {
    if (event.persisted) {
      wasLost = true;
      open();
    }
  });
}

/** Fetch a page of ours as a document; null when it could not be had. A session that is over leads to the login. */
export async function fetchPage(path) {
  try {
    const answer = await fetch(path, { headers: { accept: "text/html" }, credentials: "same-origin" });
    if (answer.redirected && new URL(answer.url).pathname === "/login") {
      location.assign("/login");
      return null;
    }
    if (!answer.ok) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return null;
  }
}

/** Exchange an element for a newer one without losing the keyboard's place. */
export function exchange(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const id = focused?.id;
  const href = focused?.getAttribute("href");
  const node = document.adoptNode(fresh);
  old.replaceWith(node);
  if (!focused) return node;
  const again = (id && document.getElementById(id)) || (href && node.querySelector(`a[href="${CSS.escape(href)}"]`));
  (again || node.querySelector("a, button"))?.focus();
  return node;
}

/** Exchange these elements of the page for those of the same page as it is now. True when it could be had. */
export async function refresh(...ids) {
  const page = await fetchPage(location.pathname + location.search);
  if (!page) return false;
  for (const id of ids) {
    const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
    if (old && fresh && old.outerHTML !== fresh.outerHTML) exchange(old, fresh);
  }
  const counts = page.getElementById("waiting")?.dataset;
  if (counts) showWaiting(Number(counts.waiting), Number(counts.ringing));
  return true;
}

/** At most one call at a time and one every `everyMs`; what comes meanwhile is one more call at the end. */
export function calmly(task, everyMs) {
  let running = false;
  let again = false;
  return async function run() {
    if (running) {
      again = true;
      return;
    }
    running = true;
    await task();
    setTimeout(() => {
      running = false;
      if (again) {
        again = false;
        run();
      }
    }, everyMs);
  };
}

/** Buttons that acknowledge an incident or take another step with it, without leaving the page. */
export function actHere(done) {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const id = form.dataset.ack ?? form.dataset.step;
    if (!id) return;
    event.preventDefault();
    const button = event.submitter ?? form.querySelector("button");
    const body = new URLSearchParams(new FormData(form, button)); // before the button is disabled: it would be left out
    button.disabled = true;
    let status = 0;
    try {
      const token = document.querySelector('meta[name="csrf"]').content;
      const answer = await fetch(`/api/v1${new URL(form.action).pathname}`, {
        method: "POST",
        headers: { "x-csrf-token": token },
        body,
        credentials: "same-origin",
      });
      status = answer.status;
    } catch {
      // no link: said below
    }
    const note = document.getElementById("failed");
    const isDone = status === 200 || status === 409;
    note.hidden = isDone;
    if (!isDone) {
      note.lastElementChild.textContent = document.body.dataset.failed;
      button.disabled = false;
    }
    if (status === 401) location.assign("/login");
    if (isDone) await done(id);
  });
}

const atFirst = document.getElementById("waiting")?.dataset;
showWaiting(Number(atFirst?.waiting ?? 0), Number(atFirst?.ringing ?? 0));
