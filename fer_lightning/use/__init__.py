"""Trained networks at work: on photographs, folders, videos and a webcam. Knows neither Lightning nor Hydra."""

import os

# Since 1.29, onnxruntime sends what it runs, and on what, to its maker, unless this is set before it is imported.
# On Windows, where this is not looked at, disable_telemetry_events() is called before each network is loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
