// The audit log: it stands still while one reads; only the bar above it follows.

import { listen, showWaiting } from "./live.js";

listen({ incident: (incident) => showWaiting(incident.waiting) }, () => {});
