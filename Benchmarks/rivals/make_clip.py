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
    written, turn, last = 0, 0, {}
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
                    dts = packet.dts + shift
                    if dts <= last.get(packet.stream.index, dts - 1):
                        continue  # the sound's priming, repeated, or its tail beyond the pictures
                    last[packet.stream.index] = dts
                    written += packet.stream.type == "video"
                    packet.pts, packet.dts = packet.pts + shift, dts
                    packet.stream = targets[packet.stream.index]
                    out.mux(packet)
            turn += 1
            if not video.frames:
                raise SystemExit("error: the input does not say how many pictures it holds")
    print(f"{args.output}: {written} frames")


if __name__ == "__main__":
    main()
