// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import PipelineLanguage

@Suite struct `The JSON Schema` {
    @Test func `is what the contracts say, to the byte`() {
        #expect(PipelineSchema(ReferenceSample.contracts).text == Self.golden)
    }

    @Test func `is JSON, and its references lead somewhere`() throws {
        let tree = JSONTree(bytes: Array(PipelineSchema(Sample.contracts).text.utf8))
        #expect(tree.problems.isEmpty)
        let root = try #require(tree.root)
        let definitions = try #require(root["$defs"]).members.map(\.key)
        var references: [String] = []
        func collect(_ node: JSONNode) {
            if let reference = node["$ref"]?.string { references.append(reference) }
            for member in node.members { collect(member.value) }
            for element in node.elements { collect(element) }
        }
        collect(root)
        #expect(references.count > 20)
        for reference in references { #expect(definitions.contains(String(reference.dropFirst("#/$defs/".count)))) }
    }

    private static let golden = #"""
        {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "title": "vpipe pipeline",
          "type": "object",
          "required": ["nodes"],
          "additionalProperties": false,
          "properties": {
            "$schema": {
              "type": "string"
            },
            "$comment": {
              "type": "string"
            },
            "name": {
              "description": "Name shown in reports",
              "type": "string"
            },
            "target": {
              "$ref": "#/$defs/target"
            },
            "ladder": {
              "$ref": "#/$defs/ladder"
            },
            "for": {
              "description": "Sources by name: the nodes are repeated for each. ${source} is the name, ${url} and the like are its values",
              "type": "object",
              "minProperties": 1,
              "maxProperties": 64,
              "propertyNames": {
                "pattern": "^([A-Za-z0-9_-]{1,32}|\\$comment)$"
              },
              "additionalProperties": {
                "type": ["string", "object"]
              }
            },
            "nodes": {
              "description": "The nodes of the pipeline by id",
              "type": "object",
              "minProperties": 1,
              "propertyNames": {
                "pattern": "^[A-Za-z0-9_-]{1,64}$"
              },
              "additionalProperties": {
                "$ref": "#/$defs/node"
              }
            }
          },
          "$defs": {
            "interpolation": {
              "description": "Text with ${NAME} or ${NAME:-default} from the environment",
              "type": "string",
              "pattern": "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}"
            },
            "link": {
              "description": "A node id, NODE.PORT, or an object that also says how the link behaves",
              "oneOf": [
                {
                  "type": "string"
                },
                {
                  "type": "object",
                  "required": ["from"],
                  "properties": {
                    "from": {
                      "description": "Node id or NODE.PORT",
                      "type": "string"
                    },
                    "policy": {
                      "description": "What happens when the reader is slower",
                      "anyOf": [
                        {
                          "enum": ["block", "latest", "dropOldest", "dropNewest"]
                        },
                        {
                          "$ref": "#/$defs/interpolation"
                        }
                      ]
                    },
                    "capacity": {
                      "description": "Frames the link holds [frames]",
                      "anyOf": [
                        {
                          "type": "integer",
                          "minimum": 1,
                          "maximum": 1024
                        },
                        {
                          "$ref": "#/$defs/interpolation"
                        }
                      ]
                    }
                  },
                  "additionalProperties": false
                }
              ]
            },
            "target": {
              "description": "What the pipeline promises to hold",
              "type": "object",
              "properties": {
                "fps": {
                  "description": "Frames per second the pipeline promises to keep",
                  "anyOf": [
                    {
                      "type": "number",
                      "minimum": 0.1,
                      "maximum": 1000
                    },
                    {
                      "$ref": "#/$defs/interpolation"
                    }
                  ]
                },
                "latencyMs": {
                  "description": "Time from capture to delivery that it promises to stay under [ms]",
                  "anyOf": [
                    {
                      "type": "number",
                      "minimum": 1,
                      "maximum": 60000
                    },
                    {
                      "$ref": "#/$defs/interpolation"
                    }
                  ]
                }
              },
              "additionalProperties": false
            },
            "ladder": {
              "description": "What may get cheaper, step by step, to hold the target while running",
              "oneOf": [
                {
                  "enum": ["auto", "off"]
                },
                {
                  "type": "array",
                  "maxItems": 32,
                  "items": {
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": {
                      "pattern": "^([A-Za-z0-9_-]{1,64}\\.[A-Za-z0-9]+|\\$comment)$"
                    }
                  }
                }
              ]
            },
            "node": {
              "type": "object",
              "required": ["type"],
              "properties": {
                "type": {
                  "description": "What the node does",
                  "oneOf": [
                    {
                      "const": "feed",
                      "description": "Makes frames"
                    },
                    {
                      "const": "kinds",
                      "description": "Has every kind of parameter"
                    },
                    {
                      "const": "all",
                      "description": "Has every kind of parameter"
                    }
                  ]
                }
              },
              "allOf": [
                {
                  "if": {
                    "properties": {
                      "type": {
                        "const": "feed"
                      }
                    },
                    "required": ["type"]
                  },
                  "then": {
                    "$ref": "#/$defs/node:feed"
                  }
                },
                {
                  "if": {
                    "properties": {
                      "type": {
                        "enum": ["kinds", "all"]
                      }
                    },
                    "required": ["type"]
                  },
                  "then": {
                    "$ref": "#/$defs/node:kinds"
                  }
                }
              ]
            },
            "node:feed": {
              "title": "feed",
              "description": "Makes frames",
              "type": "object",
              "properties": {
                "type": true,
                "onError": {
                  "description": "What a failure of the node does to the rest",
                  "enum": ["isolate", "stop"],
                  "default": "isolate"
                },
                "sensitive": {
                  "description": "Whether pictures and sound may leave the pipeline only redacted",
                  "anyOf": [
                    {
                      "type": "boolean"
                    },
                    {
                      "$ref": "#/$defs/interpolation"
                    }
                  ],
                  "default": false
                },
                "$comment": {
                  "type": "string"
                }
              },
              "additionalProperties": false
            },
            "node:kinds": {
              "title": "kinds",
              "description": "Has every kind of parameter",
              "type": "object",
              "required": ["path"],
              "properties": {
                "type": true,
                "input": {
                  "description": "main: video, The picture; side: data; rest: video",
                  "$ref": "#/$defs/link"
                },
                "inputs": {
                  "description": "main: video, The picture; side: data; rest: video",
                  "type": "array",
                  "items": {
                    "$ref": "#/$defs/link"
                  },
                  "minItems": 1,
                  "maxItems": 6
                },
                "label": {
                  "description": "Some text, with a | in it (changeable while running)",
                  "type": "string",
                  "default": "a \"b\""
                },
                "path": {
                  "description": "A path",
                  "type": "string",
                  "minLength": 1
                },
                "url": {
                  "description": "A path or URL",
                  "type": "string",
                  "minLength": 1
                },
                "count": {
                  "description": "An integer [frames]",
                  "anyOf": [
                    {
                      "type": "integer",
                      "minimum": 0,
                      "maximum": 9
                    },
                    {
                      "$ref": "#/$defs/interpolation"
                    }
                  ],
                  "default": 3
                },
                "gain": {
                  "description": "A number with one bound",
                  "anyOf": [
                    {
                      "type": "number",
                      "minimum": 0.125
                    },
                    {
                      "$ref": "#/$defs/interpolation"
                    }
                  ],
                  "default": 0.25
                },
                "fast": {
                  "description": "A switch",
                  "anyOf": [
                    {
                      "type": "boolean"
                    },
                    {
                      "$ref": "#/$defs/interpolation"
                    }
                  ],
                  "default": false
                },
                "mode": {
                  "description": "A choice",
                  "anyOf": [
                    {
                      "const": "one",
                      "description": "The first"
                    },
                    {
                      "const": "two"
                    },
                    {
                      "$ref": "#/$defs/interpolation"
                    }
                  ],
                  "default": "two"
                },
                "size": {
                  "description": "A size",
                  "anyOf": [
                    {
                      "type": "string",
                      "pattern": "^[0-9]{1,5}[xX×][0-9]{1,5}$"
                    },
                    {
                      "$ref": "#/$defs/interpolation"
                    }
                  ],
                  "default": "640x480"
                },
                "wait": {
                  "description": "A duration",
                  "anyOf": [
                    {
                      "type": "string",
                      "pattern": "^[0-9]+(\\.[0-9]*)? *(us|ms|s|m|min|h|d)$|^0$"
                    },
                    {
                      "const": 0
                    },
                    {
                      "$ref": "#/$defs/interpolation"
                    }
                  ],
                  "default": "1500ms"
                },
                "fps": {
                  "description": "A rate",
                  "anyOf": [
                    {
                      "type": "number",
                      "exclusiveMinimum": 0,
                      "maximum": 1000
                    },
                    {
                      "type": "string",
                      "pattern": "^[0-9]+(\\.[0-9]+|/[0-9]+)?$"
                    },
                    {
                      "$ref": "#/$defs/interpolation"
                    }
                  ],
                  "default": "30000/1001"
                },
                "bits": {
                  "description": "A bit rate",
                  "anyOf": [
                    {
                      "type": "integer",
                      "minimum": 1000,
                      "maximum": 1000000000
                    },
                    {
                      "type": "string",
                      "pattern": "^[0-9]+(\\.[0-9]+)?[kKMG]$"
                    },
                    {
                      "$ref": "#/$defs/interpolation"
                    }
                  ]
                },
                "names": {
                  "description": "A list",
                  "anyOf": [
                    {
                      "type": "array",
                      "items": {
                        "type": "string"
                      }
                    },
                    {
                      "$ref": "#/$defs/interpolation"
                    }
                  ],
                  "default": ["x", "y"]
                },
                "more": {
                  "description": "Anything",
                  "type": "object"
                },
                "onError": {
                  "description": "What a failure of the node does to the rest",
                  "enum": ["isolate", "stop"],
                  "default": "isolate"
                },
                "$comment": {
                  "type": "string"
                }
              },
              "additionalProperties": false,
              "oneOf": [
                {
                  "required": ["input"]
                },
                {
                  "required": ["inputs"]
                }
              ]
            }
          }
        }

        """#
}
