"""Files that hold weights, checkpoints and ONNX models: written, read, and run on whole pictures."""
