// The first steps: each is ticked off by itself when it is done.

import { calmly, listen, refresh } from "./live.js";

const update = calmly(() => refresh("start"), 1_000);

listen({ box: update, episode: update }, update);
setInterval(update, 5_000);
