#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a longer benchmark clip by repeating a clip's packets, without encoding again (sound included).

    python make_clip.py samples/demo.mp4 bench.mp4 --frames 600
"""
import argparse

import av


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--frames", type=int, default=600, help="at least so many, in whole repetitions")
    args = parser.parse_args()
    written = turn = 0
    with av.open(args.output, "w", options={"movflags": "+faststart"}) as out:
        targets = None
        while written < args.frames:
            with av.open(args.input) as source:
                video = source.streams.video[0]
                streams = [video, *source.streams.audio[:1]]
                if targets is None:
                    targets = {s.index: out.add_stream_from_template(s) for s in streams}
                period = video.frames / video.average_rate
                for packet in source.demux(streams):
                    if packet.dts is None:
                        continue
                    shift = round(turn * period / packet.time_base)
                    if packet.stream.type == "video":
                        written += 1
                    elif packet.pts * packet.time_base >= period:
                        continue  # what the sound's last packet has beyond the pictures
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = targets[packet.stream.index]
                    out.mux(packet)
            turn += 1
            if not video.frames:
                raise SystemExit("error: the input does not say how many pictures it holds")
    print(f"{args.output}: {written} frames")


if __name__ == "__main__":
    main()
