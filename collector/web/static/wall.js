// The wall: pictures and states read anew when a box or an episode says something, and every ten seconds for the ages.

import { calmly, listen, refresh } from "./live.js";

const update = calmly(() => refresh("wall", "looked", "waiting"), 3_000);

listen({ box: update, episode: update }, update);
setInterval(update, 10_000);
