// SPDX-License-Identifier: Apache-2.0

/// The JSON Schema (draft 2020-12) of pipeline files, made from the contracts, for editors and other tools.
///
/// Equal contracts give equal bytes. Texts with `${...}` are let through wherever a number or a word is asked for,
/// because only the environment tells what they stand for.
public struct PipelineSchema: Sendable {
    private let contracts: ContractTable

    /// Makes the schema for these node types.
    public init(_ contracts: ContractTable) {
        self.contracts = contracts
    }

    /// The schema, indented, with a newline at its end.
    public var text: String { document.pretty + "\n" }

    private var document: JSONDocument {
        let definitions =
            [
                ("interpolation", Self.interpolation), ("link", Self.link), ("target", Self.target),
                ("ladder", Self.ladder),
                ("node", node),
            ] + contracts.contracts.map { ("node:" + $0.type, definition(of: $0)) }
        return .object([
            ("$schema", "https://json-schema.org/draft/2020-12/schema"),
            ("title", "vpipe pipeline"),
            ("type", "object"),
            ("required", ["nodes"]),
            ("additionalProperties", false),
            (
                "properties",
                .object([
                    ("$schema", ["type": "string"]),
                    ("$comment", ["type": "string"]),
                    ("name", Self.described("Name shown in reports", ("type", "string"))),
                    ("target", ["$ref": "#/$defs/target"]),
                    ("ladder", ["$ref": "#/$defs/ladder"]),
                    ("for", Self.repetition),
                    (
                        "nodes",
                        .object([
                            ("description", "The nodes of the pipeline by id"),
                            ("type", "object"),
                            ("minProperties", 1),
                            ("propertyNames", ["pattern": "^[A-Za-z0-9_-]{1,64}$"]),
                            ("additionalProperties", ["$ref": "#/$defs/node"]),
                        ])
                    ),
                ])
            ),
            ("$defs", .object(definitions)),
        ])
    }

    private static var repetition: JSONDocument {
        .object([
            (
                "description",
                "Sources by name: the nodes are repeated for each. ${source} is the name, ${url} and the like are its values"
            ),
            ("type", "object"),
            ("minProperties", 1),
            ("maxProperties", .integer(Repetition.limit)),
            ("propertyNames", ["pattern": "^([A-Za-z0-9_-]{1,32}|\\$comment)$"]),
            ("additionalProperties", ["type": ["string", "object"]]),
        ])
    }

    private var node: JSONDocument {
        let types = contracts.contracts.flatMap { contract in
            ([contract.type] + contract.aliases).map { name in
                JSONDocument.object([("const", .string(name)), ("description", .string(contract.summary))])
            }
        }
        let branches = contracts.contracts.map { contract in
            let names = ([contract.type] + contract.aliases).map { JSONDocument.string($0) }
            let test: JSONDocument =
                names.count == 1 ? .object([("const", names[0])]) : .object([("enum", .array(names))])
            return JSONDocument.object([
                ("if", .object([("properties", .object([("type", test)])), ("required", ["type"])])),
                ("then", .object([("$ref", .string("#/$defs/node:" + contract.type))])),
            ])
        }
        return .object([
            ("type", "object"),
            ("required", ["type"]),
            (
                "properties",
                .object([("type", .object([("description", "What the node does"), ("oneOf", .array(types))]))])
            ),
            ("allOf", .array(branches)),
        ])
    }

    private func definition(of contract: Contract) -> JSONDocument {
        var properties: [(String, JSONDocument)] = [("type", true)]
        var required: [JSONDocument] = []
        let lowest = contract.inputs.reduce(0) { $0 + $1.count.lowerBound }
        let highest = contract.inputs.reduce(0) { $0 + $1.count.upperBound }
        if highest > 0 {
            let doc = contract.inputs.map { Self.portText($0) }.joined(separator: "; ")
            properties.append(("input", Self.described(doc, ("$ref", "#/$defs/link"))))
            properties.append(
                (
                    "inputs",
                    .object([
                        ("description", .string(doc)), ("type", "array"),
                        ("items", ["$ref": "#/$defs/link"]), ("minItems", .integer(lowest)),
                        ("maxItems", .integer(min(highest, InputPort.countLimit))),
                    ])
                ))
        }
        for parameter in contract.parameters {
            properties.append((parameter.name, parameter.schema))
            if parameter.isRequired { required.append(.string(parameter.name)) }
        }
        properties.append(
            (
                "onError",
                .object([
                    ("description", "What a failure of the node does to the rest"),
                    ("enum", .array(FailureScope.allCases.map { .string($0.rawValue) })), ("default", "isolate"),
                ])
            ))
        if contract.category == .source {
            properties.append(("sensitive", PipelineValidator.sensitiveSpec.schema))
        }
        if contract.category == .sink {
            properties.append(("allowRaw", PipelineValidator.allowRawSpec.schema))
        }
        properties.append(("$comment", ["type": "string"]))
        var members: [(String, JSONDocument)] = [
            ("title", .string(contract.type)), ("description", .string(contract.summary)), ("type", "object"),
        ]
        if !required.isEmpty { members.append(("required", .array(required))) }
        members.append(("properties", .object(properties)))
        members.append(("additionalProperties", false))
        if lowest > 0 {
            members.append(("oneOf", [.object([("required", ["input"])]), .object([("required", ["inputs"])])]))
        } else if highest > 0 {
            members.append(("not", .object([("required", ["input", "inputs"])])))
        }
        return .object(members)
    }

    private static func portText(_ port: InputPort) -> String {
        let text = "\(port.name): \(port.payload)"
        return port.doc.isEmpty ? text : text + ", " + port.doc
    }

    // MARK: Shared definitions

    private static let interpolation: JSONDocument = .object([
        ("description", "Text with ${NAME} or ${NAME:-default} from the environment"), ("type", "string"),
        ("pattern", "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}"),
    ])

    private static let link: JSONDocument = .object([
        ("description", "A node id, NODE.PORT, or an object that also says how the link behaves"),
        (
            "oneOf",
            [
                ["type": "string"],
                .object([
                    ("type", "object"), ("required", ["from"]),
                    (
                        "properties",
                        .object([
                            ("from", described("Node id or NODE.PORT", ("type", "string"))),
                            (
                                "policy",
                                .object([
                                    ("description", "What happens when the reader is slower"),
                                    (
                                        "anyOf",
                                        [
                                            .object([("enum", .array(LinkPolicy.allCases.map { .string($0.rawValue) }))]
                                            ),
                                            ["$ref": "#/$defs/interpolation"],
                                        ]
                                    ),
                                ])
                            ),
                            (
                                "capacity",
                                PipelineValidator.capacitySpec.schema
                            ),
                        ])
                    ),
                    ("additionalProperties", false),
                ]),
            ]
        ),
    ])

    private static let target: JSONDocument = .object([
        ("description", "What the pipeline promises to hold"), ("type", "object"),
        (
            "properties",
            .object([
                ("fps", PipelineValidator.fpsSpec.schema), ("latencyMs", PipelineValidator.latencySpec.schema),
            ])
        ),
        ("additionalProperties", false),
    ])

    private static let ladder: JSONDocument = .object([
        ("description", "What may get cheaper, step by step, to hold the target while running"),
        (
            "oneOf",
            [
                .object([("enum", ["auto", "off"])]),
                .object([
                    ("type", "array"), ("maxItems", .integer(PipelineValidator.stepLimit)),
                    (
                        "items",
                        .object([
                            ("type", "object"), ("minProperties", 1),
                            (
                                "propertyNames",
                                ["pattern": "^([A-Za-z0-9_-]{1,64}\\.[A-Za-z0-9]+|\\$comment)$"]
                            ),
                        ])
                    ),
                ]),
            ]
        ),
    ])

    private static func described(_ doc: String, _ schema: (String, JSONDocument)) -> JSONDocument {
        .object([("description", .string(doc)), schema])
    }
}
