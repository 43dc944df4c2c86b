"""A recording played to and fro, and its labels: long to look at, without a jump that no camera would show. Pure."""

from collections.abc import Iterator, Sequence

from benchmarks.detection.videos import Event, Frame, Labels

Span = tuple[float, float]

SETTLES_S = 0.8
"""The labels leave at least so long after an event before they call it quiet, and far less before one."""


def to_and_fro(given: Sequence[Frame], passes: int) -> Iterator[Frame]:
    """Forwards, backwards, forwards …: `passes` times in all, each at the recording's own steps of time."""
    last_s = given[-1][0]
    for number in range(passes):
        backwards = number % 2 == 1
        kept = given if number == 0 else given[-2::-1] if backwards else given[1:]
        for at_s, picture in kept:
            yield number * last_s + (last_s - at_s if backwards else at_s), picture


def labels_to_and_fro(labels: Labels, last_s: float, passes: int) -> Labels:
    """The labels of `to_and_fro`; `last_s` is the time of the last frame of one pass."""

    def over(span: Span, number: int) -> Span:
        start_s, end_s = min(span[0], last_s), min(span[1], last_s)
        if number % 2 == 1:
            start_s, end_s = last_s - end_s, last_s - start_s
        return number * last_s + start_s, number * last_s + end_s

    def settled(span: Span, number: int) -> Span:
        start_s, end_s = over(span, number)
        ended = [over((e.start_s, e.end_s), number)[1] for e in labels.events]
        return max([start_s, *(at_s + SETTLES_S for at_s in ended if at_s <= start_s)]), end_s

    numbers = range(passes)
    return Labels(
        tuple(Event(*over((e.start_s, e.end_s), n), e.hard, n % 2 == 1) for n in numbers for e in labels.events),
        tuple((settled if n % 2 else over)(span, n) for n in numbers for span in labels.quiet),
        tuple(over(span, n) for n in numbers for span in labels.unsure),
        labels.tolerance_s,
    )
