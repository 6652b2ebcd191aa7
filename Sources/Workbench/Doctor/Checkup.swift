// SPDX-License-Identifier: Apache-2.0
internal import Camera
internal import Foundation
public import Inference
internal import Media
internal import Networks
internal import Pipeline

/// What a machine has of what pipelines need; the substance of `vpipe doctor`.
public struct Checkup: Sendable {
    /// How a finding is meant.
    public enum State: Sendable { case good, note, bad }

    /// One thing looked at.
    public struct Finding: Sendable {
        /// What was looked at.
        public let subject: String
        /// Whether it will do.
        public let state: State
        /// What was found.
        public let text: String
        /// What to do about it.
        public let remedy: String?
    }

    /// Everything found, in the order of looking.
    public private(set) var findings: [Finding] = []

    /// Looks at everything; an engine that cannot be opened is a finding.
    public init(engine: @autoclosure () throws -> any InferenceEngine) {
        lookAtMachine()
        let engine = lookAt(engine)
        lookAtFFmpeg()
        lookAtModels()
        if let engine { lookAtPrecisions(engine) }
        lookAtCameras()
    }

    private mutating func add(_ subject: String, _ state: State, _ text: String, fix: String? = nil) {
        findings.append(Finding(subject: subject, state: state, text: text, remedy: fix))
    }

    private mutating func lookAtMachine() {
        let info = ProcessInfo.processInfo
        let memory = Double(info.physicalMemory) / Double(1 << 30)
        add(
            "machine", memory < 0.9 ? .note : .good,
            "\(info.activeProcessorCount) cores, \((memory * 10).rounded() / 10) GiB of memory")
    }

    private mutating func lookAt(_ openEngine: () throws -> any InferenceEngine) -> (any InferenceEngine)? {
        do {
            let engine = try openEngine()
            add("inference", .good, "\(engine.name) \(engine.version) at \(engine.libraryPath)")
            add("processor", .good, "\(engine.processor): \(engine.capabilities.joined(separator: ", "))")
            return engine
        } catch {
            add("inference", .bad, "\(error)", fix: "run `make deps` in the source tree")
            return nil
        }
    }

    private mutating func lookAtFFmpeg() {
        let probe = MediaProbe()
        add("FFmpeg", .good, "\(probe.version) (\(probe.libraries.joined(separator: ", ")))")
        for (codec, encoder) in probe.encoders {
            switch encoder {
            case nil:
                add("encoder \(codec.rawValue)", .note, "none is built in", fix: "install Debian's libavcodec-extra")
            case let encoder? where codec == .h264 && encoder != "libx264":
                add("encoder h264", .note, "\(encoder) stands in for libx264: larger files")
            case let encoder?: add("encoder \(codec.rawValue)", .good, encoder)
            }
        }
        if !probe.missingDecoders.isEmpty {
            add("decoders", .note, "missing: \(probe.missingDecoders.joined(separator: ", "))")
        }
    }

    private mutating func lookAtModels() {
        let store = ModelStore()
        for name in NetworkFamily.all.map(\.name) {
            let fitting = store.entries.filter { $0.network == name }
            guard let entry = fitting.first(where: { !$0.isPreview }) ?? fitting.first else {
                add(
                    "model \(name)", .bad, "no weights",
                    fix: "vpipe models import FILE, or install vpipe's models folder")
                continue
            }
            add(
                "model \(name)", entry.isPreview ? .note : .good,
                "\(entry.path)\(entry.isPreview ? " (preview: weak)" : "")",
                fix: entry.isPreview ? "vpipe models import FILE with the official release finds more" : nil)
        }
    }

    /// What `"precision": "auto"` takes of each network that may have a record.
    private mutating func lookAtPrecisions(_ engine: any InferenceEngine) {
        let store = ModelStore()
        let options = CompileOptions(
            .throughput, cores: ProcessInfo.processInfo.activeProcessorCount, precision: .f32)
        // Video enhanced over time has f32 alone.
        for family in NetworkFamily.all where family.name != NetworkFamily.dwtaNet.name {
            guard let variant = family.variants.first(where: { store.best(family, variant: $0.name) != nil }),
                // Damaged weights are a finding of their own.
                let model = try? NodeModel(family, variant: variant.name, weights: nil, size: nil, store: store)
            else { continue }
            do {
                let text = try ChosenModel.outlook(model, engine: engine, options: options)
                add("precision \(family.name)", .good, text)
            } catch {
                add("precision \(family.name)", .note, "\(error)")
            }
        }
    }

    private mutating func lookAtCameras() {
        let cameras = CameraList.devices()
        if cameras.isEmpty { add("cameras", .note, "none at /dev/video*") }
        for camera in cameras {
            add("camera", camera.problem == nil ? .good : .note, "\(camera.path): \(camera.problem ?? camera.name)")
        }
    }
}
