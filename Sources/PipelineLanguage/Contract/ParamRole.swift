// SPDX-License-Identifier: Apache-2.0

/// What a parameter stands for beyond its value, so that checks, plans and ladders treat it rightly without knowing the
/// node type or the parameter's name.
///
/// | role | two nodes with the same value | trial run (`vpipe plan`) | key of kept figures |
/// |---|---|---|---|
/// | `setting` | - | as given | value |
/// | `input` | - | as given | value, and what the file or folder holds |
/// | `output` | an error | a scratch folder | ending of the name |
/// | `peer` | an error | never reached: the node type's stand-in is run | kind of address |
/// | `pace` | - | `freely`, unless the source's pace is what is measured | value |
/// | `length` | - | `endless` | value |
public enum ParamRole: Sendable {
    /// A setting and nothing more.
    case setting
    /// Names files that the node reads: what they hold decides what the node costs.
    ///
    /// `standard` gives the folders that are searched where the value names no file.
    case input(standard: @Sendable () -> [String] = { [] })
    /// Names the file or folder that the node writes.
    case output
    /// Names a device, server or broker that the node feeds.
    case peer
    /// Keeps a source to its own pace; with the value `freely` frames come as fast as they are taken.
    case pace(freely: ParamValue)
    /// Ends a source by itself; with the value `endless` it goes on until it is stopped.
    case length(endless: ParamValue)
}

extension ParamRole {
    /// Whether it names what the node writes.
    var isOutput: Bool { if case .output = self { true } else { false } }
    /// Whether it names what the node reads.
    var isInput: Bool { if case .input = self { true } else { false } }
    /// Whether it names what the node feeds.
    var isPeer: Bool { if case .peer = self { true } else { false } }
}

extension ParamRole {
    /// Whether it names what the node reads.
    package var isInputFile: Bool { isInput }
}

extension Contract {
    /// Whether nodes of the type feed a device, server or broker.
    public var feedsPeer: Bool { parameters.contains { $0.role.isPeer } }
}

/// How a parameter makes its node cheaper, for the ladder of pipelines whose file does not name one.
public enum ParamSaving: Sendable {
    /// An integer: the node works on fewer frames the larger it is.
    case fewerFrames
    /// An integer: the node works on fewer pixels the larger it is.
    case fewerPixels
    /// With this value the node leaves out what is only nice to have.
    case plainer(ParamValue)
}

extension Param {
    /// The same parameter in a role.
    public func role(_ role: ParamRole) -> Param { with { $0.role = role } }

    /// The same parameter, used by the automatic ladder; it has to be changeable while running.
    public func cheaper(by saving: ParamSaving) -> Param { with { $0.saving = saving } }

    /// The same parameter, a frame rate that the node's output never exceeds.
    public var limitingRate: Param { with { $0.limitsRate = true } }

    /// The same parameter, a change of which needs another network.
    public var rebuildsNetwork: Param { with { $0.rebuildsNetwork = true } }
}

extension ParamSpec {
    /// Contradictions in the declaration of role and saving.
    var roleMistakes: [String] {
        var mistakes: [String] = []
        let isText = [.string, .path, .url].contains(kind)
        switch role {
        case .setting, .input: break
        case .output, .peer: if !isText { mistakes.append("parameter \(name) names nothing that could be written") }
        case .pace(let value), .length(let value):
            if let problem = problem(with: value) { mistakes.append("trial value of \(name): \(problem)") }
        }
        guard let saving else { return mistakes }
        if !isChangeable { mistakes.append("parameter \(name) saves something but cannot change while running") }
        switch saving {
        case .fewerFrames, .fewerPixels:
            if kind != .integer { mistakes.append("parameter \(name) is no factor") }
        case .plainer(let value):
            if let problem = problem(with: value) { mistakes.append("plainer value of \(name): \(problem)") }
        }
        return mistakes
    }
}
