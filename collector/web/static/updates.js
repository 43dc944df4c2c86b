// How far boxes are with their updates: read anew when one of them says something.

import { calmly, listen, refresh } from "./live.js";

const update = calmly(() => refresh("releases", "progress"), 2_000);

listen({ box: update }, update);
