# SPDX-License-Identifier: Apache-2.0
"""The rebuilt module against the engine on vpipe's own graphs: 1e-4 of the largest number."""
import numpy as np
import openvino
import pytest
import torch

from vpipe_training import vpipe

CASES = [("mlsd", "tiny", (96, 64)), ("mlsd", "large", (64, 64)), ("retinaface", "mobilenet0.25", (96, 72)),
         ("retinaface", "mobilenet0.25-leaky", (64, 64)), ("ssh", "mobilenet0.25", (96, 72)),
         ("ddrnet", "23-slim", (128, 64)), ("dwtanet", "T", (64, 36)), ("dwtanet", "S", (32, 32))]


@pytest.fixture(scope="module", params=CASES, ids=lambda c: "-".join(map(str, c[:2])))
def case(request, tmp_path_factory):
    network, variant, size = request.param
    folder = tmp_path_factory.mktemp(network)
    weights = vpipe.initial_weights(network, variant, 3, folder)
    graph = vpipe.load(network, variant, size, weights, folder)
    return graph, weights, next(folder.glob("*.onnx"))


def test_parity_with_the_engine(case):
    graph, _, path = case
    engine = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    torch.manual_seed(1)
    inputs = {port.any_name: torch.rand(list(port.shape)) for port in engine.inputs}
    expected = engine({name: value.numpy() for name, value in inputs.items()})
    with torch.no_grad():
        found = graph.eval()(**inputs)
    assert len(found) == len(engine.outputs)
    for port in engine.outputs:
        wanted = expected[port]
        error = np.abs(found[port.any_name].numpy() - wanted).max() / max(1e-6, np.abs(wanted).max())
        assert error < 1e-4, f"{port.any_name}: {error}"


def test_names_are_those_of_the_weights(case):
    graph, weights, _ = case
    assert set(graph.state_dict()) == set(vpipe.parameter_names(weights))


def test_any_batch(case):
    graph, _, path = case
    engine = openvino.Core().read_model(str(path))
    torch.manual_seed(1)
    inputs = {port.any_name: torch.rand([3, *list(port.shape)[1:]]) for port in engine.inputs}
    with torch.no_grad():
        together = graph.eval()(**inputs)
        alone = graph(**{name: value[1:2] for name, value in inputs.items()})
    for name, value in alone.items():
        assert torch.allclose(together[name][1:2], value, atol=1e-4 * float(value.abs().max()))


def test_every_parameter_learns(case):
    graph, _, path = case
    engine = openvino.Core().read_model(str(path))
    torch.manual_seed(1)
    inputs = {port.any_name: torch.rand([2, *list(port.shape)[1:]]) for port in engine.inputs}
    sum((value * torch.rand_like(value)).sum() for value in graph.train()(**inputs).values()).backward()
    still = [name for name, parameter in graph.named_parameters() if parameter.grad is None]
    assert not still


def test_unknown_value_is_named(case):
    with pytest.raises(ValueError, match="nowhere"):
        case[0](outputs=("nowhere",))
