// The boxes: read anew when one of them says something, and every ten seconds so that ages stay true.

import { calmly, listen, refresh } from "./live.js";

const update = calmly(() => refresh("fleet", "tally", "looked"), 2_000);

listen({ box: update }, update);
setInterval(update, 10_000);
