"""`python -m benchmarks.cost.floors WORK LOOKED [COPIED]`: reads streams until killed and does no more than WORK.

WORK: `demux` (nothing is decoded), `key frames` or `every frame` of the stream LOOKED; COPIED is only demuxed.
"""

import sys
import threading

import av


def read(url: str, work: str) -> None:
    """One stream; the decoder has one thread, as everybody's here."""
    options = {"rtsp_transport": "tcp", "fpsprobesize": "0", "allowed_media_types": "video"}
    with av.open(url, options=options) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            if work == "every frame" or (work == "key frames" and packet.is_keyframe):
                packet.decode()


def main() -> None:
    """A thread for each stream."""
    work, looked, *copied = sys.argv[1:]
    threads = [threading.Thread(target=read, args=(looked, work), daemon=True)]
    threads += [threading.Thread(target=read, args=(url, "demux"), daemon=True) for url in copied]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
