// A box's own page: what changes by itself is read anew when the box says something, and every ten seconds.

import { calmly, listen, refresh } from "./live.js";

const here = document.body.dataset.box;
const update = calmly(() => refresh("now", "told"), 2_000);

listen({ box: (box) => box.id === here && update() }, update);
setInterval(update, 10_000);
