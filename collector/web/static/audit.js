// The audit log: it stands still while one reads; only the bar above it follows.

import { listen } from "./live.js";

listen({}, () => {});
