"""Tests with transformers, Lightning, Accelerate, ONNX and GGUF. Where they are not installed nothing is collected:
`.ci/run` runs these tests in an environment of their own."""

from importlib.util import find_spec

_NEEDED = ("transformers", "lightning", "accelerate", "onnx", "onnxruntime", "gguf")
MISSING = [name for name in _NEEDED if find_spec(name) is None]

collect_ignore_glob = ["test_*.py"] if MISSING else []


def pytest_report_header() -> str:
    return f"tests/integrations: not collected without {', '.join(MISSING)}" if MISSING else "tests/integrations: all"
