"""How much of a stream is decoded and looked at, moment by moment. PURE: times come in as arguments.

awake    every picture decoded, looked at up to 15 times a second: something stirs, or did lately. Five times a
         second do while what moves is known and has been told.
dozing   every picture decoded; looked at twice a second, the others only glanced at. What a glance finds is looked at
         at once, with the pictures since the last look: nothing is seen later than awake.
resting  only key frames decoded, and the sizes of all packets heeded. What stirs is followed back: everything from
         the last calm key frame on is decoded and looked at, so that it begins in the record when it began.

Rules: resting may see a thing late by the distance of two key frames, and miss what comes and goes between two. So it
is for streams whose key frames lie close, or that have proven themselves: whatever full decoding finds is held against
what resting would have noticed; one thing missed, and this camera is not rested for a time that doubles with each. Of
a small stream beside a large one a thing that is noticed late counts as missed.
See docs/design/reading.md.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal

from edge_agent.camera.frames import Interest
from edge_agent.camera.sizes import Sizes

Level = Literal["awake", "dozing", "resting"]

AWAKE_STEP_MS = 65.0
KNOWN_STEP_MS = 190.0
DOZING_STEP_MS = 480.0
DOZES_AFTER_MS = 1_500.0
GLANCED_MS = 600.0
SETTLES_MS = 1_000.0
"""So long after a glance or a packet's size that led to nothing."""
RESTS_AFTER_MS = 4_000.0
LEARNS_MS = 10_000.0
"""So much of a stream is decoded whole before it may rest."""
CLOSE_KEYS_MS = 2_200.0
FAR_KEYS_MS = 5_500.0
LONGEST_REST_MS = 8_000.0
"""Without a key frame for so long, everything is decoded: the camera changed its ways."""
PROOFS = 4
SUSPENDED_MS = 600_000.0
LONGEST_SUSPENSION_MS = 86_400_000.0
AUDIT_EVERY_MS = 900_000.0
AUDIT_MS = 30_000.0
NEAR_MS = 500.0
"""What is noticed so long before a thing begins may still be its doing."""
PROMPT_MS = 1_000.0
"""Officers need to know within a second or two; confirming a thing takes a third of a second besides."""
_UNSEEN_MS = 1_200.0  # a thing moves for so long at most before it is known to
KEYS_APART_MS = 900.0
"""At rest, key frames that come closer are not all decoded."""
_FOLLOWS_MS = 1_000.0  # a key frame so long after the last motion still shows where it went


@dataclass(frozen=True, slots=True)
class RestPolicy:
    """What resting may cost a stream: `prompt` allows PROMPT_MS of delay (a small stream beside the large one)."""

    allowed: bool = True
    prompt: bool = False


class Attention:
    """One camera's; outlives its connections, for what it learned of the camera stays true."""

    def __init__(self, policy: RestPolicy) -> None:
        self._policy = policy
        self._suspended_until_ms = -math.inf
        self._misses = 0
        self._proofs = 0
        self._rested_ms = 0.0
        self.opened()

    def opened(self) -> None:
        """The stream began anew: nothing is known of its key frames, and it is looked at whole."""
        self.sizes = Sizes()
        self._key_ms: float | None = None
        self._intervals: deque[float] = deque(maxlen=3)
        self._first_ms: float | None = None
        self._stirred_ms: float | None = None
        self._glanced_ms = -math.inf
        self._known = False
        self._looked_ms = self._candidate_ms = -math.inf
        self._resting_since_ms: float | None = None
        self._audited_until_ms = -math.inf
        self._thing_ms: float | None = None
        self._noticed_ms: float | None = None
        self._told_ms: float | None = None

    # --- what happens --------------------------------------------------------------------------------------------

    def packet(self, t_ms: float, size: int, is_key: bool) -> bool:
        """A packet came; True when its size and its neighbours' say that something stirs."""
        if self._first_ms is None:
            self._first_ms = self._stirred_ms = t_ms
        if is_key:
            if self._key_ms is not None:
                self._intervals.append(t_ms - self._key_ms)
            self._key_ms = t_ms
        told = self.sizes.take(t_ms, size, is_key)
        if told:
            self._notice(t_ms)
            if self._told_ms is None:
                self._told_ms = t_ms
        return told

    def key_differs(self, t_ms: float) -> None:
        """A key frame shows something else than the one before."""
        self._notice(t_ms)

    def looked(self, t_ms: float, interest: Interest) -> None:
        """A picture was looked at, and that was found."""
        self._looked_ms = self._candidate_ms = t_ms
        if interest != "none":
            self._known = interest == "known"
        if interest != "none":
            if self._thing_ms is None:
                self._thing_ms = t_ms
                if self._told_ms is not None:
                    self.sizes.judge(right=True)
                if self._noticed_ms is not None and self._noticed_ms < t_ms - NEAR_MS:
                    self._noticed_ms = None
            self._stirred_ms = t_ms
            self.sizes.forget()
            return
        if self._thing_ms is None:
            self.sizes.calm(t_ms - _UNSEEN_MS)
            if self._told_ms is not None and t_ms - self._told_ms > _UNSEEN_MS:
                self._told_ms = None
                self.sizes.judge(right=False)
            if self._noticed_ms is not None and self._noticed_ms < t_ms - NEAR_MS:
                self._noticed_ms = None
        elif self._stirred_ms is not None and t_ms - self._stirred_ms > _FOLLOWS_MS:
            self._judge(t_ms)

    def candidate(self, t_ms: float) -> None:
        """A picture was glanced at and kept, to be looked at if something stirs before the next look."""
        self._candidate_ms = t_ms

    def stir(self, t_ms: float) -> None:
        """A glance found something: if looking finds nothing to it, that was that."""
        self._glanced_ms = t_ms

    def wake(self, t_ms: float) -> None:
        """Something stirred at rest: it is followed back, and the stream looked at whole from now on."""
        self._notice(t_ms)
        self._end_rest(t_ms)

    def _end_rest(self, t_ms: float) -> None:
        if self._resting_since_ms is not None:
            self._rested_ms += t_ms - self._resting_since_ms
        self._resting_since_ms = None
        self._glanced_ms = t_ms

    def _notice(self, t_ms: float) -> None:
        if self._noticed_ms is None:
            self._noticed_ms = t_ms

    def _judge(self, t_ms: float) -> None:
        """A thing came and went: was it noticed at rest, or would it have been, and in time?"""
        began_ms, noticed_ms = self._thing_ms, self._noticed_ms
        self._thing_ms = self._noticed_ms = self._told_ms = None
        if began_ms is None:
            return
        if noticed_ms is not None and not (self._policy.prompt and noticed_ms - began_ms > PROMPT_MS):
            self._proofs += 1
            return
        self._proofs = 0
        self._suspended_until_ms = t_ms + min(LONGEST_SUSPENSION_MS, SUSPENDED_MS * 2.0**self._misses)
        self._misses += 1

    # --- what follows --------------------------------------------------------------------------------------------

    @property
    def patient(self) -> bool:
        """Nothing that comes now is urgent: packets may gather for a moment (see reader.py)."""
        return self.resting or (self._known and self.busy)

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
        calm_ms = math.inf if self._stirred_ms is None else t_ms - self._stirred_ms
        awake = calm_ms < DOZES_AFTER_MS or t_ms - self._glanced_ms < GLANCED_MS
        return "awake" if awake else "dozing"

    def due(self, t_ms: float) -> bool:
        """Whether a picture of `t_ms` is to be looked at."""
        if self.level(t_ms) == "dozing":
            return t_ms - self._looked_ms >= DOZING_STEP_MS
        known = self._known and self.busy
        return t_ms - self._looked_ms >= (KNOWN_STEP_MS if known else AWAKE_STEP_MS)

    def worth_keeping(self, t_ms: float) -> bool:
        """Whether a picture that is not due would be one of those looked at awake."""
        return t_ms - self._candidate_ms >= AWAKE_STEP_MS

    @property
    def keys_are_close(self) -> bool:
        """Key frames come often enough that resting between them is worth a thought."""
        return len(self._intervals) >= 2 and max(self._intervals) <= FAR_KEYS_MS

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
        calm = calm and t_ms - self._glanced_ms >= SETTLES_MS and self._told_ms is None  # what told has been judged
        learned = self._first_ms is not None and t_ms - self._first_ms >= LEARNS_MS
        if not (self._policy.allowed and calm and learned) or t_ms < self._audited_until_ms:
            return False
        if t_ms < self._suspended_until_ms or not self.keys_are_close:
            return False
        apart_ms = max(*self._intervals, KEYS_APART_MS)
        return apart_ms <= CLOSE_KEYS_MS or (self._proofs >= PROOFS and apart_ms <= FAR_KEYS_MS)
