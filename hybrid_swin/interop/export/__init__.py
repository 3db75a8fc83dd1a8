"""Networks for use elsewhere, as ONNX or as a program of PyTorch."""
