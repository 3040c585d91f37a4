"""`finser bundle --onnx`: the networks of a bundle as ONNX graphs, with and without the front end."""
