// SPDX-License-Identifier: Apache-2.0

/// The node types vpipe comes with.
///
/// A new one is added to this list and nowhere else.
public enum BuiltInNodes {
    private static let types: [any NodeType.Type] = [
        CameraNode.self, VideoNode.self, ImagesNode.self, TestPatternNode.self,
        MLSDNode.self, RetinaFaceNode.self, SSHNode.self, DDRNetNode.self, DWTANetNode.self, ONNXNode.self,
        ScaleNode.self, RateNode.self, OverlayNode.self, MergeNode.self,
        FileNode.self, StreamNode.self, CameraOutNode.self, SnapshotsNode.self, JSONLNode.self, NPZNode.self,
        NullNode.self,
    ]

    /// All types with their contracts and factories.
    public static let registry: NodeRegistry<NodeFactory> = {
        var registry = NodeRegistry<NodeFactory>()
        for type in types {
            registry.register(type.contract) { node, context in try type.make(node, in: context) }
        }
        return registry
    }()
}
