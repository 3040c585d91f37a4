"""Nodes of an ONNX graph, added by calls that look like the operators."""

from collections.abc import Callable
from itertools import count

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from finser.errors import FinserError

OPSET, IR_VERSION = 20, 10  # of onnxruntime 1.17 and later
LARGEST = 2_000_000_000  # bytes of weights; protobuf ends at 2^31

Name = str  # of a tensor of the graph


class Builder:
    """A graph under construction.

    ``graph.Add("x", 2.0)`` adds a node with the operator Add, and returns the name of its output. A number or array among the inputs
    becomes a constant: float32, or int64 if it is an integer. Keywords are the attributes of the operator.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._numbers = count()

    def __getattr__(self, operator: str) -> Callable[..., Name]:
        """Return a function that adds a node with this operator."""
        if not operator[:1].isupper():
            raise AttributeError(operator)

        def add(*inputs: object, **attributes: object) -> Name:
            """Add a node, and return the name of its output."""
            output = f"{operator}_{next(self._numbers)}"
            names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
            self.nodes.append(helper.make_node(operator, names, [output], **attributes))
            return output

        return add

    def constant(self, value: object) -> Name:
        """Add a constant; floating-point values become float32, integers int64."""
        array = np.asarray(value)
        array = array.astype(np.int64 if np.issubdtype(array.dtype, np.integer) else np.float32)
        name = f"constant_{next(self._numbers)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def inline(self, model: onnx.ModelProto, prefix: str, *inputs: Name) -> Name:
        """Add all nodes of a model with one output to this graph; its names get a prefix, its inputs are the given tensors.

        Returns
        -------
        str
            The model's output.
        """
        given = dict(zip((one.name for one in model.graph.input), inputs, strict=True))

        def renamed(name: str) -> str:
            """Return the name that a tensor of the model has in this graph; an omitted input stays empty."""
            return given.get(name, prefix + name) if name else name

        for node in model.graph.node:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            copy.name = ""
            copy.input[:], copy.output[:] = map(renamed, node.input), map(renamed, node.output)
            self.nodes.append(copy)
        for tensor in model.graph.initializer:
            copy = onnx.TensorProto()
            copy.CopyFrom(tensor)
            copy.name = renamed(tensor.name)
            self.constants.append(copy)
        return renamed(model.graph.output[0].name)

    def model(self, inputs: dict[Name, list], output: Name, name: Name, size: int, about: dict[str, str]) -> onnx.ModelProto:
        """Return the checked model.

        Parameters
        ----------
        inputs : dict
            Names of float32 inputs, and their shapes; a word is a length that changes.
        output : str
            The tensor to return, float32, shape (size,).
        name : str
            Name that the output gets.
        size : int
            Length of the output.
        about : dict of str
            Metadata.
        """
        total = sum(len(constant.raw_data) for constant in self.constants)
        if total > LARGEST:
            found = f"{total / 1e9:.1f} GB"
            raise FinserError("too large for one ONNX graph", expected="at most 2 GB of weights", found=found, do="leave out --onnx")
        self.nodes.append(helper.make_node("Identity", [output], [name]))
        given = [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in inputs.items()]
        returned = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [size])]
        graph = helper.make_graph(self.nodes, "finser", given, returned, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="finser")
        helper.set_model_props(model, about)
        onnx.checker.check_model(model, full_check=True)
        return model
