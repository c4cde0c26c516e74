"""Makes onnxruntime's sessions, for the detector and for networks alike. Imports no torch."""

import onnxruntime


def onnx_session(content: bytes, threads: int = 0) -> onnxruntime.InferenceSession:
    """Returns a session on the CPU for an ONNX file's content.

    Its threads sleep between two runs, and within one while they have nothing to do: spinning, which is the default,
    took more than twice the processor's time for a video here, and was no faster.

    Args:
        content: from memory, since onnxruntime takes no path that is not UTF-8.
        threads: that compute in one run; 0 for as many as there are cores.

    Raises:
        Exception: of one of onnxruntime's kinds, which have no other base: it is no ONNX file that it can run.
    """
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised too
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
