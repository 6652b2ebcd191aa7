#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Python pipeline that vpipe is measured against: file -> network -> drawing -> H.264 with its sound.

    pip install -r Benchmarks/rivals/requirements.txt
    python rival.py --network retinaface --onnx retinaface.onnx --input clip.mp4 --output out.mp4

`--pixels bgr` (the default) keeps frames as OpenCV's BGR arrays, as Python code usually does; `--pixels yuv` never makes a
full-size RGB picture and draws on the planes, as nobody does by hand, but as fast as Python gets. All else is the same.

Written to win: a decoding, a submitting and an encoding thread (their C code runs without the interpreter's lock), frames
resized straight into the requests' own input tensors, normalisation inside the compiled graph, asynchronous requests,
NumPy on the few candidates that pass the threshold. Prints one JSON line.
"""
import argparse
import json
import queue
import resource
import threading
import time

START = time.perf_counter()

import av
import cv2
import numpy as np
import openvino as ov

from networks import NETWORKS

DONE = None


def decode(path, layout, frames, audio, threads, failure):
    """Puts (picture, BGR or stacked I420, pts, time base) in `frames`; audio packets go to the encoder as they are."""
    try:
        with av.open(path) as source:
            video = source.streams.video[0]
            video.thread_type = "AUTO"
            video.codec_context.thread_count = threads
            streams = [video] + list(source.streams.audio[:1])
            for packet in source.demux(streams):
                if packet.stream.type == "audio":
                    if packet.dts is not None:
                        audio.append(packet)
                    continue
                for frame in packet.decode():
                    # a copy is needed in any case: the decoder still refers to its own picture
                    frames.put((frame.to_ndarray(format=layout), frame.pts, frame.time_base))
    except Exception as error:  # reported by the main thread
        failure.append(error)
    finally:
        frames.put(DONE)


class Slot:
    """One frame on its way from the network to the encoder."""

    __slots__ = ("picture", "pts", "base", "ready", "result")

    def __init__(self, picture, pts, base):
        self.picture, self.pts, self.base = picture, pts, base
        self.ready, self.result = threading.Event(), None


def encode(args, template, slots, audio, network, counts, failure):
    try:
        with av.open(args.output, "w") as out, av.open(args.input) as source:
            width, height = template.codec_context.width, template.codec_context.height
            options = {"crf": str(args.crf), "preset": args.preset}
            if args.encoder_threads:
                options["threads"] = str(args.encoder_threads)
            video = out.add_stream("libx264", rate=template.average_rate, options=options)
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            context, original = video.codec_context, template.codec_context
            context.colorspace, context.color_range = original.colorspace, original.color_range
            context.color_primaries, context.color_trc = original.color_primaries, original.color_trc
            sound = out.add_stream_from_template(source.streams.audio[0]) if source.streams.audio else None
            first = True
            while (slot := slots.get()) is not DONE:
                slot.ready.wait()
                network.draw(slot.picture, slot.result)
                counts["frames"] += 1
                counts["found"] += len(slot.result[0])
                frame = av.VideoFrame.from_numpy_buffer(slot.picture, format=network.LAYOUT)
                frame.pts, frame.time_base = slot.pts, slot.base
                if first:
                    video.time_base, first = slot.base, False
                if network.LAYOUT != "yuv420p":
                    frame = frame.reformat(format="yuv420p", src_color_range="JPEG", dst_color_range="MPEG",
                                           dst_colorspace=original.colorspace)
                    frame.pts, frame.time_base = slot.pts, slot.base
                out.mux(video.encode(frame))
                while sound and audio:
                    packet = audio.pop(0)
                    packet.stream = sound
                    out.mux(packet)
            out.mux(video.encode(None))
            while sound and audio:
                packet = audio.pop(0)
                packet.stream = sound
                out.mux(packet)
    except Exception as error:
        failure.append(error)
        while slots.get() is not DONE:  # lets the other threads end
            pass


def compile_model(args, network):
    core = ov.Core()
    model = core.read_model(args.onnx)
    pre = ov.preprocess.PrePostProcessor(model)
    height, width = network.size
    pre.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_shape([1, height, width, 3])
    pre.input().preprocess().convert_element_type(ov.Type.f32).mean(network.MEAN).scale(network.SCALE)
    pre.input().model().set_layout(ov.Layout("NCHW"))
    config = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": args.precision, "NUM_STREAMS": str(args.streams)}
    if args.threads:
        config["INFERENCE_NUM_THREADS"] = str(args.threads)
    if args.no_pinning:
        config["ENABLE_CPU_PINNING"] = "NO"
    if args.cache:
        config["CACHE_DIR"] = args.cache
    return core.compile_model(pre.build(), "CPU", config)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=("mlsd", "retinaface"), required=True)
    parser.add_argument("--onnx", required=True, help="the same file that vpipe gives to its engine")
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--pixels", choices=("bgr", "yuv"), default="bgr", help="what frames are while Python has them")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--crf", type=int, default=23)
    parser.add_argument("--threshold", type=float, help="score; lines 0.1 and faces 0.6 unless told")
    parser.add_argument("--requests", type=int, default=0, help="requests in flight; 0: what the engine recommends, plus one")
    parser.add_argument("--streams", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0, help="inference threads; 0: all cores")
    parser.add_argument("--decoder-threads", type=int, default=1)
    parser.add_argument("--encoder-threads", type=int, default=0, help="0: libx264's own choice")
    parser.add_argument("--no-pinning", action="store_true")
    parser.add_argument("--cache", help="folder of compiled models")
    return parser.parse_args()


def main():
    args = arguments()
    cv2.setNumThreads(1)  # the cores are busy already
    network = NETWORKS[args.network, args.pixels](args.threshold)
    compiled = compile_model(args, network)
    network.bind(compiled)
    count = args.requests or compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") + 1
    requests = ov.AsyncInferQueue(compiled, count)
    inputs = [r.get_input_tensor().data for r in requests]

    def finished(request, slot):
        try:
            slot.result = network.decode(request, slot.picture.shape)
        except Exception as error:
            slot.result = network.EMPTY
            failure.append(error)
        slot.ready.set()

    requests.set_callback(finished)
    failure, audio, counts = [], [], {"frames": 0, "found": 0}
    frames, slots = queue.Queue(4), queue.Queue(8)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    with av.open(args.input) as probe:
        workers = [threading.Thread(target=decode, args=(args.input, network.LAYOUT, frames, audio, args.decoder_threads, failure)),
                   threading.Thread(target=encode, args=(args, probe.streams.video[0], slots, audio, network, counts, failure))]
        for worker in workers:
            worker.start()
        while (item := frames.get()) is not DONE:
            slot = Slot(*item)
            i = requests.get_idle_request_id()
            network.prepare(slot.picture, inputs[i])
            requests.start_async(userdata=slot)
            slots.put(slot)
        requests.wait_all()
        slots.put(DONE)
        for worker in workers:
            worker.join()
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    if failure:
        raise SystemExit(f"error: {failure[0]!r}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"network": args.network, "pixels": args.pixels, "precision": args.precision, "frames": counts["frames"], "found": counts["found"],
                      "wallSeconds": round(wall, 3), "fps": round(counts["frames"] / wall, 2), "cpuSeconds": round(cpu, 3),
                      "cpuMillisecondsPerFrame": round(1000 * cpu / max(1, counts["frames"]), 2),
                      "peakMegabytes": round(after.ru_maxrss / 1024, 1), "startSeconds": round(began - START, 3),
                      "streams": args.streams, "requests": count}))


if __name__ == "__main__":
    main()
