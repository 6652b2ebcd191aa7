// SPDX-License-Identifier: Apache-2.0

/// A network as its authors published it, in all its variants: what the catalogue, the nodes and the import of releases
/// know of it.
///
/// A new network adds its own to ``all``; nothing else tells networks apart by name.
/// - Note: Thread-safety: an immutable value.
public struct NetworkFamily: Sendable {
    /// A variant that users choose from.
    public struct Variant: Sendable, Hashable {
        /// Its name in pipeline files.
        public let name: String
        /// What it is for, in a few words; empty where the name says it.
        public let note: String

        init(_ name: String, _ note: String = "") {
            self.name = name
            self.note = note
        }
    }

    /// The name in pipeline files, weights and reports: `mlsd`, `retinaface`.
    public let name: String
    /// What its networks find, in one line.
    public let summary: String
    /// Authors, title, venue.
    public let paper: String
    /// The size used when none is asked for.
    public let defaultSize: InputSize
    /// The sizes its networks can be built at.
    public let sizes: SizeRule
    /// How an image becomes their input.
    public let normalisation: InputNormalisation
    /// The variants users choose from, the usual one first.
    public let variants: [Variant]
    /// The entries of the catalogue; other widths are built by name.
    public var architectures: [Architecture] { listed.map { Architecture($0) } }

    private let listed: [any NetworkDefinition]
    private let define: @Sendable (String) throws(NetworkError) -> (any NetworkDefinition)?
    private let releases: [String]
    private let importer: @Sendable (ReleaseFile) throws(NetworkError) -> ImportDraft?

    /// - Parameters:
    ///   - listed: the catalogue's entries, in its order.
    ///   - define: builds variants that are not listed; nil where there are none.
    ///   - releases: what weights of several releases of one variant have in their name, as in `mobilenet0.25-first`.
    ///   - importer: reads the family's published files; nil for files of other networks.
    init(
        name: String, summary: String, paper: String, defaultSize: InputSize, sizes: SizeRule,
        normalisation: InputNormalisation, variants: [Variant], listed: [any NetworkDefinition],
        define: @escaping @Sendable (String) throws(NetworkError) -> (any NetworkDefinition)? = {
            (_) throws(NetworkError) in nil
        },
        releases: [String] = [],
        importer: @escaping @Sendable (ReleaseFile) throws(NetworkError) -> ImportDraft?
    ) {
        self.name = name
        self.summary = summary
        self.paper = paper
        self.defaultSize = defaultSize
        self.sizes = sizes
        self.normalisation = normalisation
        self.variants = variants
        self.listed = listed
        self.define = define
        self.releases = releases
        self.importer = importer
    }

    /// Every family, in the order `vpipe models list` shows them.
    public static let all: [NetworkFamily] = [.mlsd, .retinaFace, .ssh, .ddrnet, .dwtaNet]

    /// The family of a name.
    ///
    /// - Throws: `NetworkError.Code.unknown` naming the choices.
    public static func named(_ name: String) throws(NetworkError) -> NetworkFamily {
        if let family = all.first(where: { $0.name == name }) { return family }
        let names = all.map(\.name).joined(separator: ", ")
        throw NetworkError(.unknown, "no network \"\(name)\"; there are \(names)")
    }

    /// The network of a variant; light networks exist in every width that can be built.
    ///
    /// - Throws: `NetworkError.Code.unknown` naming the choices.
    public func architecture(_ variant: String) throws(NetworkError) -> Architecture {
        if let known = listed.first(where: { $0.variantName == variant }) { return Architecture(known) }
        if let made = try define(variant) { return Architecture(made) }
        let names = listed.map(\.variantName).joined(separator: ", ")
        throw NetworkError(.unknown, path: name, "no variant \"\(variant)\"; there are \(names)")
    }

    /// Whether weights of variant `given` serve who asks for `wanted`: the same one, or a release of it.
    public func serves(_ given: String, for wanted: String) -> Bool {
        given == wanted || releases.contains { given == "\(wanted)-\($0)" }
    }

    /// What a published file holds of this family; nil when it is of another network.
    func draft(of file: ReleaseFile) throws(NetworkError) -> ImportDraft? { try importer(file) }
}

extension NetworkFamily: Hashable {
    /// Families are told apart by name.
    public static func == (a: NetworkFamily, b: NetworkFamily) -> Bool { a.name == b.name }

    /// Hashes the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

/// One network of a family, buildable at any size that the family allows.
public protocol NetworkDefinition: Sendable {
    /// What it is one of.
    static var family: NetworkFamily { get }
    /// The variant's name, unique within the family.
    var variantName: String { get }
    /// Where the reference code is and under which licence.
    var reference: String { get }
    /// The same network as its training supervises it, with the heads that inference leaves out.
    var supervised: Self { get }

    /// Builds the network.
    ///
    /// - Throws: `NetworkError.Code.size` naming the nearest possible sizes.
    func network(at size: InputSize) throws(NetworkError) -> Network

    /// The network that weights are for, where they decide more than the numbers: how many classes there are.
    func adapted(to weights: Weights) -> Self
}

extension NetworkDefinition {
    /// Training supervises what inference computes.
    public var supervised: Self { self }
    /// All weights are for the same network.
    public func adapted(to weights: Weights) -> Self { self }
}
