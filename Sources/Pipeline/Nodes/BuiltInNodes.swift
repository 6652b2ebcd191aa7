// SPDX-License-Identifier: Apache-2.0
internal import PipelineLanguage

extension NodeRegistry {
    /// The node types vpipe comes with.
    ///
    /// A new one is added to this list and nowhere else.
    private static let builtInTypes: [any NodeType.Type] = [
        CameraNode.self, VideoNode.self, ImagesNode.self, TestPatternNode.self,
        MLSDNode.self, RetinaFaceNode.self, SSHNode.self, DDRNetNode.self, DWTANetNode.self, ONNXNode.self,
        ScaleNode.self, RateNode.self, TrackNode.self, ZonesNode.self, EventsNode.self, RedactNode.self,
        OverlayNode.self, MergeNode.self,
        FileNode.self, ClipNode.self, StreamNode.self, CameraOutNode.self, SnapshotsNode.self,
        JSONLNode.self, CSVNode.self, MQTTNode.self, WebhookNode.self, NPZNode.self, NullNode.self,
    ]

    /// All of them, with their contracts and factories.
    public static let builtIn: NodeRegistry = {
        var registry = NodeRegistry()
        for type in builtInTypes {
            do { try registry.register(type) } catch { preconditionFailure("\(error)") }
        }
        return registry
    }()
}
