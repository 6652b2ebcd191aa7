# SPDX-License-Identifier: Apache-2.0
"""Decodes a trace with Perfetto's protobuf classes and checks what its viewer relies on."""
import sys

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

trace = Trace()
trace.ParseFromString(open(sys.argv[1], "rb").read())
tracks, open_slices, ended, last, slices = {}, {}, set(), 0, 0
for packet in trace.packet:
    if packet.HasField("track_descriptor"):
        tracks[packet.track_descriptor.uuid] = packet.track_descriptor
        continue
    if not packet.HasField("track_event"):
        continue
    assert packet.timestamp >= last, "packets go back in time"
    last = packet.timestamp
    event = packet.track_event
    assert event.track_uuid in tracks, "an event on no track"
    stack = open_slices.setdefault(event.track_uuid, [])
    for flow in list(event.flow_ids) + list(event.terminating_flow_ids):
        assert flow not in ended, "a flow goes on after its end"
    ended.update(event.terminating_flow_ids)
    if event.type == TrackEvent.TYPE_SLICE_BEGIN:
        assert not stack, "a node works on two frames at once"
        assert event.name.startswith("frame ")
        stack.append(event.name)
        slices += 1
    elif event.type == TrackEvent.TYPE_SLICE_END:
        assert stack, "an end without a beginning"
        stack.pop()
    elif event.type == TrackEvent.TYPE_COUNTER:
        assert tracks[event.track_uuid].HasField("counter")
        assert event.counter_value >= 0
assert all(not stack for stack in open_slices.values()), "a slice without an end"
assert slices > 0 and len(tracks) > 2
