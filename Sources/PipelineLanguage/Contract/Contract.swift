// SPDX-License-Identifier: Apache-2.0

/// What travels through a port.
public struct Payload: Sendable, Hashable, CustomStringConvertible {
    /// The word that diagnostics and reference pages use.
    public let name: String

    /// Makes a payload kind; equal names are equal kinds.
    public init(_ name: String) { self.name = name }

    /// Frames, with whatever results they carry.
    public static let video = Payload("video")
    /// Records without pictures.
    public static let data = Payload("data")

    /// The name, for messages.
    public var description: String { name }
}

/// A kind of result that frames carry, such as lines or faces.
public struct ResultKind: Sendable, Hashable, CustomStringConvertible {
    /// The word that diagnostics and reference pages use.
    public let name: String

    /// Makes a result kind; equal names are equal kinds.
    public init(_ name: String) { self.name = name }

    /// Line segments.
    public static let lines = ResultKind("lines")
    /// Faces with their landmarks.
    public static let faces = ResultKind("faces")
    /// A class for every part of the picture.
    public static let segmentation = ResultKind("segmentation")
    /// Boxes with a class.
    public static let objects = ResultKind("objects")
    /// Outputs of a network as they are.
    public static let tensors = ResultKind("tensors")
    /// Objects followed from frame to frame.
    public static let tracks = ResultKind("tracks")
    /// Lines and areas with who crossed them or is in them.
    public static let zones = ResultKind("zones")
    /// What happened.
    public static let events = ResultKind("events")

    /// The name, for messages.
    public var description: String { name }
}

/// Which results an input hopes to find on its frames; checked with a warning.
public enum ResultNeed: Sendable, Hashable {
    case none
    case any
    case anyOf([ResultKind])
}

/// One place where a node takes frames in.
public struct InputPort: Sendable {
    /// The name in diagnostics and reference pages.
    public let name: String
    /// What may be linked to it.
    public let payload: Payload
    /// How many links it takes; only the last port of a contract may take more than one.
    public let count: ClosedRange<Int>
    /// The results without which the node has nothing to do.
    public let needs: ResultNeed
    /// What a link into this port is when the file does not say; nil leaves it to whether the source is live.
    public let link: LinkRule?
    /// One phrase of documentation.
    public let doc: String

    /// The most links any port takes.
    public static let countLimit = 64

    /// A port that takes one link, or none when it is not required.
    public init(
        _ name: String = "in", _ payload: Payload = .video, required: Bool = true, needs: ResultNeed = .none,
        link: LinkRule? = nil, doc: String = ""
    ) {
        self.init(name, payload, count: (required ? 1 : 0)...1, needs: needs, link: link, doc: doc)
    }

    /// A port that takes several links, each of which becomes one input of a join.
    public init(
        _ name: String = "in", _ payload: Payload = .video, count: ClosedRange<Int>, needs: ResultNeed = .none,
        link: LinkRule? = nil, doc: String = ""
    ) {
        self.name = name
        self.payload = payload
        self.count = count
        self.needs = needs
        self.link = link
        self.doc = doc
    }
}

/// One place where a node gives frames out.
public struct OutputPort: Sendable {
    /// The name after the dot in `id.port`.
    public let name: String
    /// What readers of the port get.
    public let payload: Payload
    /// Results this node adds to its frames.
    public let adds: [ResultKind]
    /// Whether the results of the inputs stay on the frames.
    public let keeps: Bool
    /// One phrase of documentation.
    public let doc: String

    /// Makes an output; the defaults are those of a node that passes frames on.
    public init(
        _ name: String = "out", _ payload: Payload = .video, adds: [ResultKind] = [], keeps: Bool = true,
        doc: String = ""
    ) {
        self.name = name
        self.payload = payload
        self.adds = adds
        self.keeps = keeps
        self.doc = doc
    }
}

/// Whether a source runs at the world's pace, so that frames must be let go rather than queued.
public enum Liveness: Sendable {
    case never
    case always
    /// Depends on the node's parameters.
    case when(@Sendable (Settings) -> Bool)

    package func isLive(_ settings: Settings) -> Bool {
        switch self {
        case .never: false
        case .always: true
        case .when(let decide): decide(settings)
        }
    }
}

/// Something wrong with a node's parameters that no single one of them shows.
public struct SettingsProblem: Sendable {
    /// Whether the pipeline can run all the same.
    public var severity: Diagnostic.Severity
    /// The parameter to point at.
    public var parameter: String
    /// What is wrong, without the name of the parameter.
    public var message: String
    /// What to do about it.
    public var fix: String?

    /// Makes a problem to be reported at the parameter, or at the node when it was not written.
    public init(
        _ severity: Diagnostic.Severity = .error, parameter: String, message: String, fix: String? = nil
    ) {
        self.severity = severity
        self.parameter = parameter
        self.message = message
        self.fix = fix
    }
}

/// What a node gives away of the frames that reach it: to disk, to a device or to somebody else.
public struct Disclosure: OptionSet, Sendable, Hashable {
    /// One bit for each part.
    public let rawValue: Int

    /// Makes a set of its bits.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// The picture, or what shows it.
    public static let pictures = Disclosure(rawValue: 1)
    /// The sound of the source.
    public static let sound = Disclosure(rawValue: 2)
    /// Outputs of networks as they are, which may be pictures, too.
    public static let tensors = Disclosure(rawValue: 4)
    /// The source's own packets, which are the picture as it came, whatever happens to it on the way.
    public static let packets = Disclosure(rawValue: 8)
}

/// Which of a node's inputs its pictures come from.
public enum PictureOrigin: Sendable, Hashable {
    /// Any of them.
    case anyInput
    /// The first; the others give results only.
    case firstInput
}

/// The static declaration of a node type: the one place its ports and parameters are described.
public struct Contract: Sendable {
    /// What part a node type plays; the order is that of lists and pages.
    public enum Category: String, Sendable, CaseIterable {
        case source, inference, processing, sink
    }

    /// A node as a user would write it: the text of its JSON object, and what it does.
    public struct Example: Sendable {
        /// What the example shows, without a full stop.
        public let title: String
        /// The text of the node's JSON object.
        public let json: String

        /// Makes an example; tests check it with `exampleProblems`.
        public init(_ title: String, _ json: String) {
            self.title = title
            self.json = json
        }
    }

    /// The name in the `type` key of a pipeline file.
    public let type: String
    /// Other names that are accepted for the type.
    public let aliases: [String]
    /// What other programs call it: not accepted, but what a message about an unknown type suggests this one for.
    public let knownElsewhereAs: [String]
    /// Decides the group in lists, and which inputs and outputs there may be.
    public let category: Category
    /// One line, no full stop.
    public let summary: String
    /// Markdown paragraphs for the reference page.
    public let details: String
    /// Where frames come in, in the order of the `inputs` key; none for a source.
    public let inputs: [InputPort]
    /// Where frames go out, the one that a bare node id means first; none for a sink.
    public let outputs: [OutputPort]
    /// Everything the node can be told, in the order of the reference page.
    public let parameters: [ParamSpec]
    /// Whether frames come at the pace of the world; asked of sources only.
    public let liveness: Liveness
    /// Whether all inputs must come from one source, because frames are joined by identity.
    public let joinsOneSource: Bool
    /// Whether such a join holds a frame back until each branch has answered for it.
    public let waitsForBranches: @Sendable (Settings) -> Bool
    /// Which of several inputs the pictures come from.
    public let pictures: PictureOrigin
    /// Whether pictures and tensors that leave the node show nothing that is to be kept private.
    public let redacts: Bool
    /// What a node gives away; a sink gives away everything it does not rule out here.
    ///
    /// Of other nodes, whether the tensors that they add may show the picture.
    public let discloses: @Sendable (Settings) -> Disclosure
    /// Shown on the reference page.
    public let examples: [Example]
    /// Looks at all parameters together, after each is valid.
    public let check: (@Sendable (Settings) -> [SettingsProblem])?

    /// Declares a node type; without `inputs` and `outputs` it has one of each that its category allows.
    public init(
        _ type: String, aliases: [String] = [], knownElsewhereAs: [String] = [], _ category: Category,
        summary: String, details: String = "",
        inputs: [InputPort]? = nil, outputs: [OutputPort]? = nil, parameters: [any ParamDeclaration] = [],
        liveness: Liveness = .never, joinsOneSource: Bool = true,
        waitsForBranches: @escaping @Sendable (Settings) -> Bool = { _ in true },
        pictures: PictureOrigin = .anyInput, redacts: Bool = false,
        discloses: (@Sendable (Settings) -> Disclosure)? = nil, examples: [Example] = [],
        check: (@Sendable (Settings) -> [SettingsProblem])? = nil
    ) {
        self.type = type
        self.aliases = aliases
        self.knownElsewhereAs = knownElsewhereAs
        self.category = category
        self.summary = summary
        self.details = details
        self.inputs = inputs ?? (category == .source ? [] : [InputPort()])
        self.outputs = outputs ?? (category == .sink ? [] : [OutputPort()])
        self.parameters = parameters.map(\.spec)
        self.liveness = liveness
        self.joinsOneSource = joinsOneSource
        self.waitsForBranches = waitsForBranches
        self.pictures = pictures
        self.redacts = redacts
        let isRaw = self.outputs.contains { $0.adds.contains(.tensors) }
        let all: Disclosure = category == .sink ? [.pictures, .sound, .tensors, .packets] : isRaw ? .tensors : []
        self.discloses = discloses ?? { _ in all }
        self.examples = examples
        self.check = check
    }

    /// The declaration of a parameter by name.
    public func parameter(_ name: String) -> ParamSpec? {
        parameters.first { $0.name == name }
    }

    /// Keys of a node object that are not parameters.
    package static let reservedKeys = ["type", "input", "inputs", "onError", "sensitive", "allowRaw", "$comment"]

    /// Mistakes in the declaration itself; empty for every good contract.
    public var mistakes: [String] {
        var mistakes: [String] = []
        var names: Set<String> = []
        for parameter in parameters {
            if !names.insert(parameter.name).inserted { mistakes.append("parameter \(parameter.name) twice") }
            if Self.reservedKeys.contains(parameter.name) { mistakes.append("parameter \(parameter.name) is reserved") }
            if parameter.doc.isEmpty { mistakes.append("parameter \(parameter.name) has no documentation") }
            if let value = parameter.default, let found = parameter.problem(with: value) {
                mistakes.append("default of \(parameter.name): \(found)")
            }
            mistakes += parameter.roleMistakes
        }
        for port in inputs.dropLast() where port.count.upperBound > 1 {
            mistakes.append("input \(port.name) takes several links but is not the last")
        }
        if Set(inputs.map(\.name)).count != inputs.count { mistakes.append("two inputs share a name") }
        if Set(outputs.map(\.name)).count != outputs.count { mistakes.append("two outputs share a name") }
        if category == .source, !inputs.isEmpty { mistakes.append("a source has no inputs") }
        if category != .source, inputs.isEmpty { mistakes.append("only a source has no inputs") }
        if category == .sink, !outputs.isEmpty { mistakes.append("a sink has no outputs") }
        if summary.isEmpty || summary.contains("\n") { mistakes.append("the summary is not one line") }
        return mistakes
    }
}
