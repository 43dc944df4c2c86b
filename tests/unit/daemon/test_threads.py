import threading

from vonggac.daemon.threads import Crew, Pulse, Stop


def test_a_thread_that_fails_stops_the_program_with_exit_code_1():
    stop = Stop()
    crew = Crew(stop)

    def target(_pulse: Pulse) -> None:
        raise RuntimeError("cannot go on")

    crew.start("worker", target)
    assert stop.wait(5)
    assert (stop.exit_code, stop.reason) == (1, "thread worker failed")


def test_the_first_reason_and_the_worst_code_are_kept():
    stop = Stop()
    stop.set("SIGTERM")
    stop.set("thread x failed", exit_code=1)
    assert (stop.reason, stop.exit_code) == ("SIGTERM", 1)


def test_a_thread_without_a_beat_is_stalled_until_it_ends():
    stop, go = Stop(), threading.Event()
    crew = Crew(stop)
    crew.start("mute", lambda _pulse: go.wait(10) and None, stall_s=0.0)
    assert crew.stalled() == ["mute"]
    assert crew.join(0.01) == ["mute"]
    go.set()
    assert crew.join(5) == []
    assert crew.stalled() == []


def test_a_waiting_thread_wakes_at_once_when_asked_to_stop():
    stop, woke = Stop(), threading.Event()
    crew = Crew(stop)

    def target(_pulse: Pulse) -> None:
        stop.wait(60)
        woke.set()

    crew.start("sleeper", target)
    stop.set("test over")
    assert woke.wait(5)
