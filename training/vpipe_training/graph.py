# SPDX-License-Identifier: Apache-2.0
"""Rebuilds a network from the ONNX file that `vpipe models export --training` writes, as a trainable module."""
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn


class Graph(nn.Module):
    """An interpreter over ONNX nodes whose `state_dict` has vpipe's own names.

    `forward(**inputs)` returns the values named by `outputs`, computing only what they need: any layer's path will do, not
    only the graph's outputs. The batch may be of any size; the image is as large as the graph was written for.
    """

    def __init__(self, path, parameters, outputs=None):
        """`parameters`: names of the trained tensors; all other constants stay constants."""
        super().__init__()
        graph = onnx.load(path).graph
        self.inputs = [port.name for port in graph.input]
        self.outputs = list(outputs or [port.name for port in graph.output])
        self.nodes = [_Node(node) for node in graph.node]
        self.plans = {}
        statistics = {name for node in self.nodes if node.kind == "BatchNormalization" for name in node.inputs[3:]}
        wanted, read = set(parameters), {name for node in self.nodes for name in node.inputs}
        self.tensors, self.numbers = {}, {}
        for initializer in graph.initializer:
            if initializer.name not in read:
                continue
            array = numpy_helper.to_array(initializer)
            if initializer.name in wanted:
                self._add(initializer.name, array, initializer.name in statistics)
            elif array.dtype == np.int64 or array.ndim == 0:
                self.numbers[initializer.name] = array.tolist()
            else:
                slot = f"constant_{len(self.tensors)}"
                self.register_buffer(slot, torch.from_numpy(array.copy()), persistent=False)
                self.tensors[initializer.name] = ("", slot)

    def forward(self, outputs=None, **values):
        wanted = tuple(outputs or self.outputs)
        if wanted not in self.plans:
            self.plans[wanted] = _plan(self.nodes, wanted)
        for name, (owner, slot) in self.tensors.items():
            values[name] = getattr(self.get_submodule(owner), slot)
        for node, finished in self.plans[wanted]:
            made = _OPERATIONS[node.kind](self, node, [values.get(n, self.numbers.get(n)) for n in node.inputs])
            for name, value in zip(node.outputs, made if isinstance(made, (tuple, list)) else (made,)):
                values[name] = value
            for name in finished:
                values.pop(name, None)
        return {name: values[name] for name in wanted}

    def has(self, name):
        """Whether a layer's value has this name."""
        return any(name in node.outputs for node in self.nodes)

    def before_activation(self, name):
        """The value that a layer's activation is applied to; the layer's own where it has none."""
        node = next((node for node in self.nodes if name in node.outputs), None)
        return node.inputs[0] if node and node.kind in _ACTIVATIONS else name

    def normalisations(self, name):
        """Scales and shifts, channels in order, of the batch normalisations that a value comes from; none when others do."""
        node = next((node for node in self.nodes if name in node.outputs), None)
        if node and node.kind == "Concat":
            return [pair for part in node.inputs for pair in self.normalisations(part)]
        if not node or node.kind != "BatchNormalization":
            return []
        return [tuple(self.get_parameter(tensor) for tensor in node.inputs[1:3])]

    def _add(self, name, array, is_statistic):
        """Puts a tensor where `state_dict` will call it `name`."""
        *path, slot = name.split(".")
        owner = self
        for part in path:
            if part not in owner._modules:
                owner.add_module(part, nn.Module())
            owner = owner._modules[part]
        tensor = torch.from_numpy(array.copy())
        if is_statistic:
            owner.register_buffer(slot, tensor)
        else:
            owner.register_parameter(slot, nn.Parameter(tensor))
        self.tensors[name] = (".".join(path), slot)


class _Node:
    def __init__(self, node):
        self.kind, self.inputs, self.outputs = node.op_type, list(node.input), list(node.output)
        self.attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        if self.kind not in _OPERATIONS:
            raise ValueError(f"{node.name}: no rule for the ONNX operation {self.kind}")

    def get(self, name, default=None):
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value


def _plan(nodes, outputs):
    """The nodes that `outputs` depend on, each with the values that nobody reads after it."""
    wanted, plan = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            plan.append((node, [name for name in set(node.inputs) if name and name not in wanted]))
            wanted.update(node.inputs)
    missing = set(outputs) - {name for node, _ in plan for name in node.outputs}
    if missing:
        raise ValueError(f"the graph has no value named {', '.join(sorted(missing))}")
    return plan[::-1]


def _convolution(_, node, x):
    top, left, bottom, right = node.get("pads", [0, 0, 0, 0])
    image, padding = x[0], (top, left)
    if (top, left) != (bottom, right):
        image, padding = F.pad(image, (left, right, top, bottom)), 0
    bias = x[2] if len(x) > 2 else None
    return F.conv2d(image, x[1], bias, node.get("strides", 1), padding, node.get("dilations", 1), node.get("group", 1))


def _transposed_convolution(_, node, x):
    top, left, bottom, right = node.get("pads", [0, 0, 0, 0])
    if (top, left) != (bottom, right):
        raise ValueError("transposed convolution with uneven padding")
    bias = x[2] if len(x) > 2 else None
    extra = node.get("output_padding", [0, 0])
    return F.conv_transpose2d(x[0], x[1], bias, node.get("strides", 1), (top, left), extra, node.get("group", 1))


def _batch_norm(graph, node, x):
    image, scale, shift, mean, variance = x
    return F.batch_norm(image, mean, variance, scale, shift, graph.training, 0.1, node.get("epsilon", 1e-5))


def _pool(node, image, fill):
    top, left, bottom, right = node.get("pads", [0, 0, 0, 0])
    if (top, left) != (bottom, right) or (fill is not None and (top or left)):
        return F.pad(image, (left, right, top, bottom), value=fill or 0.0), 0
    return image, (top, left)


def _max_pool(_, node, x):
    image, padding = _pool(node, x[0], float("-inf"))
    return F.max_pool2d(image, node.get("kernel_shape"), node.get("strides"), padding, 1, bool(node.get("ceil_mode", 0)))


def _average_pool(_, node, x):
    image, padding = _pool(node, x[0], None)
    return F.avg_pool2d(
        image, node.get("kernel_shape"), node.get("strides"), padding, bool(node.get("ceil_mode", 0)),
        bool(node.get("count_include_pad", 0)))


def _resize(_, node, x):
    size, mode = x[3][2:], node.get("mode")
    if mode == "nearest":
        return F.interpolate(x[0], size, mode="nearest")
    aligned = node.get("coordinate_transformation_mode") == "align_corners"
    return F.interpolate(x[0], size, mode="bilinear", align_corners=aligned)


def _slice(_, node, x):
    image, start, end, axis = x[0], x[1][0], x[2][0], x[3][0]
    return image.narrow(axis, start, end - start)


def _reshape(_, node, x):
    """Graphs are written for a batch of 1: the first axis takes whatever batch there is."""
    shape = x[1]
    return x[0].reshape(-1, *shape[1:]) if shape[0] == 1 else x[0].reshape(shape)


def _layer_norm(_, node, x):
    return F.layer_norm(x[0], x[0].shape[-1:], x[1], x[2], node.get("epsilon", 1e-5))


_ACTIVATIONS = ("Clip", "LeakyRelu", "Relu")

_OPERATIONS = {
    "Add": lambda g, n, x: x[0] + x[1],
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Clip": lambda g, n, x: F.hardtanh(x[0], x[1], x[2]),  # torch.clamp's gradient is six passes over the map
    "Concat": lambda g, n, x: torch.cat(x, n.get("axis")),
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "DepthToSpace": lambda g, n, x: F.pixel_shuffle(x[0], n.get("blocksize")),
    "GlobalAveragePool": lambda g, n, x: x[0].mean((2, 3), keepdim=True),
    "LayerNormalization": _layer_norm,
    "LeakyRelu": lambda g, n, x: F.leaky_relu(x[0], n.get("alpha")),
    "MatMul": lambda g, n, x: x[0] @ x[1],
    "MaxPool": _max_pool,
    "Mul": lambda g, n, x: x[0] * x[1],
    "Relu": lambda g, n, x: F.relu(x[0]),
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": lambda g, n, x: torch.sigmoid(x[0]),
    "Slice": _slice,
    "Softmax": lambda g, n, x: torch.softmax(x[0], n.get("axis")),
    "Split": lambda g, n, x: torch.split(x[0], x[1], n.get("axis")),
    "Sub": lambda g, n, x: x[0] - x[1],
    "Tanh": lambda g, n, x: torch.tanh(x[0]),
    "Transpose": lambda g, n, x: x[0].permute(n.get("perm")),
}
