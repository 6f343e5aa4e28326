"""TensorFlow, brought up so that the same inputs give the same bytes."""

from __future__ import annotations

import ctypes
import os
from typing import Any

from segmentation.config import EncoderSettings

#: glibc's M_MMAP_THRESHOLD, M_TRIM_THRESHOLD and M_TOP_PAD in bytes (mallopt(3)): memory that is free again stays the
#: process's own. A layer's outputs take megabytes, and to give them back and fetch them anew for the next layer cost
#: a fifth of the time.
_KEPT_MEMORY = {-3: 32 << 20, -1: 2**31 - 1, -2: 64 << 20}


def start_tensorflow(settings: EncoderSettings) -> Any:
    """Import TensorFlow (seconds) with quiet logs, fixed threads, deterministic kernels and a fresh seed.

    For good: the process keeps the memory that it has needed once.

    Parameters
    ----------
    settings : EncoderSettings
        ``threads`` is taken over only by the first call of a process: TensorFlow fixes it when it starts.

    Returns
    -------
    module
        ``tensorflow``.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    # oneDNN picks kernels by processor and load: a last digit may differ from run to run
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    _keep_memory()
    import keras
    import tensorflow as tf

    if tf.config.threading.get_intra_op_parallelism_threads() == 0:
        tf.config.threading.set_intra_op_parallelism_threads(settings.threads)
        tf.config.threading.set_inter_op_parallelism_threads(settings.threads)
    tf.config.experimental.enable_op_determinism()
    keras.backend.clear_session()
    keras.utils.set_random_seed(settings.seed)
    return tf


def _keep_memory() -> None:
    # elsewhere than under glibc there is no such function, and it is slower
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, size in _KEPT_MEMORY.items():
            mallopt(option, size)
