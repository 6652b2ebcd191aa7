// SPDX-License-Identifier: Apache-2.0
public import Annotations
public import Dataflow

/// What is the same for all frames of a stream.
public final class StreamInfo: Sendable {
    /// Id of the source node.
    public let source: String
    /// Nominal frame rate; 0/1 where the stream has none (variable, unknown).
    public let frameRate: Rational
    /// Length in seconds where the container says; nil for live streams.
    public let duration: Double?
    /// Whether frames come at their own pace (a camera, a network stream) rather than as fast as they are taken.
    public let isLive: Bool
    /// False for the pictures that stand in while a live source is away.
    public let hasSignal: Bool

    /// Describes a stream.
    public init(
        source: String, frameRate: Rational, duration: Double? = nil, isLive: Bool = false, hasSignal: Bool = true
    ) {
        self.source = source
        self.hasSignal = hasSignal
        self.frameRate = frameRate
        self.duration = duration
        self.isLive = isLive
    }

    /// The same at another nominal rate.
    package func replacing(frameRate: Rational) -> StreamInfo {
        StreamInfo(source: source, frameRate: frameRate, duration: duration, isLive: isLive, hasSignal: hasSignal)
    }
}

/// One video frame on its way through the pipeline: a picture, its time, and what has been found out about it.
///
/// Immutable; a node that adds or changes something emits a new frame that shares the rest.
public final class Frame: Item, @unchecked Sendable {
    /// The image.
    public let picture: Picture
    /// Where the image lies in the frame as it left its source; annotations keep the source's coordinates.
    public let map: PictureMap
    /// Presentation time on the stream's clock.
    public let pts: MediaTime
    /// How long it shows, in the same base; zero ticks where unknown.
    public let duration: MediaTime
    /// The stream it belongs to.
    public let stream: StreamInfo
    /// The file that the image is alone in; nil for frames of a video.
    public let file: String?
    /// What nodes found.
    public let annotations: FrameAnnotations

    /// Makes a frame.
    public init(
        ticket: Ticket, picture: Picture, map: PictureMap = .identity, pts: MediaTime, duration: MediaTime,
        stream: StreamInfo, file: String? = nil, annotations: FrameAnnotations = FrameAnnotations()
    ) {
        self.file = file
        self.picture = picture
        self.map = map
        self.pts = pts
        self.duration = duration
        self.stream = stream
        self.annotations = annotations
        super.init(ticket: ticket)
    }

    /// The same instant with another picture of the same extent (drawn on, enhanced) or, with `map`, of another one.
    public func replacing(picture: Picture, map: PictureMap? = nil) -> Frame {
        Frame(
            ticket: ticket, picture: picture, map: map ?? self.map, pts: pts, duration: duration, stream: stream,
            file: file, annotations: annotations)
    }

    /// The same picture, shown for another time as one of a stream of another rate.
    package func replacing(duration: MediaTime, stream: StreamInfo) -> Frame {
        Frame(
            ticket: ticket, picture: picture, map: map, pts: pts, duration: duration, stream: stream,
            annotations: annotations)
    }

    /// The annotations of one kind, whichever nodes made them, in the source's coordinates.
    ///
    /// `frame.annotations(Face.self).map(\.box)`
    public func annotations<A: Annotation>(_ kind: A.Type) -> [A] { annotations.all(kind) }

    /// The same frame with what one more node found, in the source's coordinates.
    ///
    /// - Parameter age: seconds since the frame it was found in, where it was an earlier one.
    public func adding(_ list: any AnnotationList, by node: String, age: Double? = nil) -> Frame {
        replacing(annotations: annotations.adding(list, by: node, age: age))
    }

    /// The same frame with other annotations.
    public func replacing(annotations: FrameAnnotations) -> Frame {
        Frame(
            ticket: ticket, picture: picture, map: map, pts: pts, duration: duration, stream: stream, file: file,
            annotations: annotations)
    }
}

extension Item {
    /// The video frame this item is.
    ///
    /// - Precondition: it is one; links of payload `video` carry nothing else, validation sees to that.
    package var frame: Frame {
        guard let frame = self as? Frame else { preconditionFailure("a \(type(of: self)) is no video frame") }
        return frame
    }
}
