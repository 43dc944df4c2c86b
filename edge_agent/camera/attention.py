"""How much of a stream is decoded and looked at, moment by moment. PURE: times come in as arguments.

awake    every picture decoded, looked at up to 15 times a second: something stirs, or did lately. Five times in two
         seconds do while what moves is known and has been told.
dozing   every picture decoded; looked at three times in two seconds, ten others a second only glanced at. What a
         glance finds is looked at at once, with those since the last look: nothing is seen later than awake.
resting  only key frames decoded, and the sizes of all packets heeded: where they tell, what came since the key frame
         is decoded and its last picture glanced at. What stirs is followed back: everything from the last calm key
         frame on is decoded and looked at, so that it begins in the record when it began.
following
         what moves is known and nothing more could be told of it: only key frames are decoded, and what comes behind
         one until a look finds it moving again.

Rules: resting may see a thing late by the distance of two key frames, and miss what comes and goes between two. So
whatever full decoding finds is held against what resting noticed, or would have; one thing noticed late, and this
camera is not rested again before so many things, twice as many each time, would have been noticed at once. A stream
whose key frames lie far apart has to prove itself so before it is rested at all.
See docs/design/reading.md.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal

from edge_agent.camera.frames import Interest
from edge_agent.camera.sizes import Sizes

Level = Literal["awake", "dozing", "resting", "following"]

AWAKE_STEP_MS = 65.0
KNOWN_STEP_MS = 380.0
AGAIN_STEP_MS = 140.0
"""Looking again at what was followed: two looks so far apart can prove it."""
DOZING_STEP_MS = 680.0
GLANCE_STEP_MS = 95.0
"""Dozing, so far apart are the pictures that are glanced at: every one of ten a second, every third of thirty."""
DOZES_AFTER_MS = 1_500.0
GLANCED_MS = 600.0
SETTLES_MS = 1_000.0
"""So long after a glance that led to nothing."""
RESTS_AFTER_MS = 4_000.0
LEARNS_MS = 10_000.0
"""So much of a stream is decoded whole before it may rest."""
CLOSE_KEYS_MS = 2_200.0
FAR_KEYS_MS = 5_500.0
LONGEST_REST_MS = 8_000.0
"""Without a key frame for so long, everything is decoded: the camera changed its ways."""
PROOFS = 4
MOST_PROOFS = 256
AUDIT_EVERY_MS = 900_000.0
AUDIT_MS = 30_000.0
NEAR_MS = 500.0
"""What is noticed so long before a thing begins may still be its doing."""
PROMPT_MS = 200.0
"""Noticed no later than this after full decoding is at once: less than confirming a thing takes besides."""
BEARABLE_MS = 1_000.0
"""Once in five things, it may be this."""
RESTING_GATHER_S, DOZING_GATHER_S, TOLD_GATHER_S, COPYING_GATHER_S = 0.31, 0.17, 0.37, 0.73
"""Packets gather for so long; whole frame intervals would always meet the stream at the same point."""
KEY_COMES_MS = 60.0
"""So much later than it was due a key frame, the largest of all packets, has come whole."""
FOUND_AGAIN_MS, STILL_THERE_MS = 700.0, 6_000.0
"""What was followed is found again at once, or is gone. What is found in between was there and not known again."""
LAPSE_MS, LONGEST_LAPSE_MS = 10_000.0, 320_000.0
"""After that nothing is passed over for so long, twice as long each time."""
EASES = 0.8
"""Of that, each time that it is found at once."""
UNSEEN_MS = 1_200.0
"""A thing moves for so long at most before it is known to."""
KEYS_APART_MS = 900.0
"""At rest, key frames that come closer are not all decoded."""
_FOLLOWS_MS = 1_000.0  # a key frame so long after the last motion still shows where it went


@dataclass(frozen=True, slots=True)
class RestPolicy:
    """Whether a stream may rest. `wrong_share`: of a calm scene's packets, so many may be thought to tell something.

    Each costs the decoding of what came since the key frame: little for a small stream, much for a large one.
    """

    allowed: bool = True
    wrong_share: float = 0.002


SMALL_STREAM = RestPolicy(wrong_share=0.06)


class Attention:
    """One camera's; outlives its connections, for what it learned of the camera stays true."""

    def __init__(self, policy: RestPolicy) -> None:
        self._policy = policy
        self._proofs = 0
        self._proofs_needed = 0
        self._since_lapse = 0
        self._rested_ms = 0.0
        self.opened()

    def opened(self) -> None:
        """The stream began anew: nothing is known of its key frames, and it is looked at whole."""
        self.sizes = Sizes(self._policy.wrong_share)
        self._key_ms: float | None = None
        self._intervals: deque[float] = deque(maxlen=3)
        self._first_ms: float | None = None
        self._stirred_ms: float | None = None
        self._glanced_ms = -math.inf
        self._step_ms = AWAKE_STEP_MS
        self._settled = False
        self._following = False
        self._again_ms: float | None = None
        self._lapse_ms, self._lapsed_until_ms = LAPSE_MS, -math.inf
        self._looked_ms = self._candidate_ms = -math.inf
        self._resting_since_ms: float | None = None
        self._audited_until_ms = -math.inf
        self._thing_ms: float | None = None
        self._noticed_ms: float | None = None

    # --- what happens --------------------------------------------------------------------------------------------

    def packet(self, t_ms: float, size: int, is_key: bool) -> bool:
        """A packet came; True when its size and its neighbours' say that something may stir."""
        if self._first_ms is None:
            self._first_ms = self._stirred_ms = t_ms
        if is_key:
            if self._key_ms is not None:
                self._intervals.append(t_ms - self._key_ms)
            self._key_ms = t_ms
        return self.sizes.take(t_ms, size, is_key)

    @property
    def waits_for_notice(self) -> bool:
        """Whether it would change anything if `noticed` were told now."""
        return self._noticed_ms is None

    def noticed(self, t_ms: float) -> None:
        """A picture that rest would have decoded, or did, shows something else than the key frame before."""
        if self._noticed_ms is None:
            self._noticed_ms = t_ms

    def looked(self, t_ms: float, interest: Interest) -> None:
        """A picture was looked at, and that was found."""
        self._looked_ms = self._candidate_ms = t_ms
        self._settled = interest == "settled"
        if interest != "none":
            self._weigh_following(t_ms)
            self._step_ms = AWAKE_STEP_MS if interest == "some" else KNOWN_STEP_MS
            if self._thing_ms is None:
                self._thing_ms = t_ms
                if self._noticed_ms is not None and self._noticed_ms < t_ms - NEAR_MS:
                    self._noticed_ms = None
            self._stirred_ms = t_ms
            self.sizes.forget()
            return
        if self._thing_ms is None:
            self.sizes.calm(t_ms - UNSEEN_MS)
            if self._noticed_ms is not None and self._noticed_ms < t_ms - NEAR_MS:
                self._noticed_ms = None
        elif self._stirred_ms is not None and t_ms - self._stirred_ms > _FOLLOWS_MS:
            self._judge()

    def _weigh_following(self, t_ms: float) -> None:
        """Something moves: was what was followed known again at once?"""
        if self._again_ms is None:
            return
        took_ms, self._again_ms = t_ms - self._again_ms, None
        if took_ms <= FOUND_AGAIN_MS:
            self._lapse_ms = max(LAPSE_MS, self._lapse_ms * EASES)
        elif took_ms <= STILL_THERE_MS:
            self._lapsed_until_ms = t_ms + self._lapse_ms
            self._lapse_ms = min(LONGEST_LAPSE_MS, 2 * self._lapse_ms)

    def candidate(self, t_ms: float) -> None:
        """A picture was glanced at and kept, to be looked at if something stirs before the next look."""
        self._candidate_ms = t_ms

    def stir(self, t_ms: float) -> None:
        """A glance found something: if looking finds nothing to it, that was that."""
        self._glanced_ms = t_ms

    def wake(self, t_ms: float) -> None:
        """Something stirred at rest: it is followed back, and the stream looked at whole from now on."""
        self.noticed(t_ms)
        self._end_rest(t_ms)

    def _end_rest(self, t_ms: float) -> None:
        if self._resting_since_ms is not None:
            self._rested_ms += t_ms - self._resting_since_ms
        self._resting_since_ms = None
        self._glanced_ms = t_ms

    def _judge(self) -> None:
        """A thing came and went: was it noticed at rest, or would it have been, and at once?"""
        began_ms, noticed_ms = self._thing_ms, self._noticed_ms
        self._thing_ms = self._noticed_ms = None
        if began_ms is None or self._first_ms is None or began_ms - self._first_ms < LEARNS_MS:
            return  # nothing was known of the stream's sizes yet
        late_ms = math.inf if noticed_ms is None else noticed_ms - began_ms
        if late_ms <= PROMPT_MS:
            self._proofs += 1
            self._since_lapse += 1
            return
        if late_ms <= BEARABLE_MS and self._since_lapse >= PROOFS and self._proofs >= self._proofs_needed:
            self._since_lapse = 0
            return
        if self._proofs >= self._proofs_needed:  # it was rested, or would have been
            self._proofs_needed = min(MOST_PROOFS, max(PROOFS, 2 * self._proofs_needed))
        self._proofs = 0

    # --- what follows --------------------------------------------------------------------------------------------

    def gather_s(self, t_ms: float) -> float:
        """Packets behind one of `t_ms` may gather for so long (see reader.py)."""
        if self.resting:
            return RESTING_GATHER_S
        if self.following:
            return self._until_key_s(t_ms)
        if self.busy:
            return TOLD_GATHER_S if self._step_ms > AWAKE_STEP_MS else 0.0
        return DOZING_GATHER_S if self.level(t_ms) == "dozing" else 0.0

    def _until_key_s(self, t_ms: float) -> float:
        """When the next key frame that is looked at will have come, as before; no longer than packets gather."""
        key_ms, step_ms = self._key_ms or t_ms, max(1.0, min(self._intervals))
        passed_over = max(0, math.floor((self._last_wait_ms - key_ms) / step_ms))
        due_ms = key_ms + step_ms * (passed_over + 1) + KEY_COMES_MS
        return min(COPYING_GATHER_S, max(DOZING_GATHER_S, (due_ms - t_ms) / 1000))

    @property
    def busy(self) -> bool:
        """Something moves, or did a moment ago."""
        return self._thing_ms is not None

    @property
    def resting(self) -> bool:
        """Only key frames are decoded."""
        return self._resting_since_ms is not None

    def level(self, t_ms: float) -> Level:
        """How attentive it is at `t_ms`."""
        if self.resting:
            return "resting"
        if self.following:
            return "following"
        calm_ms = math.inf if self._stirred_ms is None else t_ms - self._stirred_ms
        awake = calm_ms < DOZES_AFTER_MS or t_ms - self._glanced_ms < GLANCED_MS
        return "awake" if awake else "dozing"

    def due(self, t_ms: float) -> bool:
        """Whether a picture of `t_ms` is to be looked at."""
        if self.level(t_ms) == "dozing":
            return t_ms - self._looked_ms >= DOZING_STEP_MS
        return t_ms - self._looked_ms >= (self._step_ms if self.busy else AWAKE_STEP_MS)

    def worth_keeping(self, t_ms: float) -> bool:
        """Whether a picture that is not due is to be glanced at."""
        return t_ms - self._candidate_ms >= GLANCE_STEP_MS

    @property
    def keys_are_close(self) -> bool:
        """Key frames come often enough that resting between them is worth a thought."""
        return len(self._intervals) >= 2 and max(self._intervals) <= FAR_KEYS_MS

    @property
    def following(self) -> bool:
        """What comes is passed over, up to a key frame."""
        return self._following

    def follow(self, t_ms: float) -> None:
        """Told when all up to now has been decoded: what moves is followed from here on, if it can be."""
        if self._policy.allowed and self._settled and self.keys_are_close and t_ms >= self._lapsed_until_ms:
            self._following = max(self._intervals) <= CLOSE_KEYS_MS

    def looks_again(self, t_ms: float, is_key: bool) -> bool:
        """Asked of each packet while following: look at what moves again? Following then ends.

        It does at the last key frame before it becomes too long; at any picture once it has.
        """
        if t_ms <= (self._last_wait_ms if is_key else self._looked_ms + CLOSE_KEYS_MS):
            return False
        self._following = False
        self._settled, self._step_ms, self._again_ms = False, AGAIN_STEP_MS, t_ms
        self._stirred_ms = t_ms  # it moved when it was looked at last
        return True

    @property
    def _last_wait_ms(self) -> float:
        """A key frame at this moment or before can be passed over: the next one is not too late."""
        return self._looked_ms + CLOSE_KEYS_MS - max(self._intervals)

    def rest(self, t_ms: float) -> bool:
        """Asked when all up to now has been decoded: rest from here on? Ends a rest whose audit is due."""
        if self.resting:
            if self._rested_ms + t_ms - (self._resting_since_ms or t_ms) >= AUDIT_EVERY_MS:
                self._end_rest(t_ms)
                self._rested_ms, self._audited_until_ms = 0.0, t_ms + AUDIT_MS
            return self.resting
        if self._may_rest(t_ms):
            self._resting_since_ms = t_ms
        return self.resting

    def _may_rest(self, t_ms: float) -> bool:
        calm = self._stirred_ms is not None and t_ms - self._stirred_ms >= RESTS_AFTER_MS
        calm = calm and t_ms - self._glanced_ms >= SETTLES_MS
        learned = self._first_ms is not None and t_ms - self._first_ms >= LEARNS_MS
        if not (self._policy.allowed and calm and learned) or t_ms < self._audited_until_ms:
            return False
        if not self.keys_are_close:
            return False
        apart_ms = max(*self._intervals, KEYS_APART_MS)
        return self._proofs >= (self._proofs_needed if apart_ms <= CLOSE_KEYS_MS else max(PROOFS, self._proofs_needed))
