"""Pin what decides the bits of a training: seeds, threads, op determinism."""

from __future__ import annotations

import os
from typing import Any

INTRA_OP_THREADS = 2
INTER_OP_THREADS = 1
# ^ Each of thread counts, oneDNN and op determinism changes the weights (measured), so all are fixed, whatever the
#   machine has, and recorded with the model.


class NotPinned(RuntimeError):
    """Raised when TensorFlow runs already with other threads: its answer would not be reproducible."""


def set_environment() -> None:
    """Set what TensorFlow reads from the environment while it is loaded; call before it is."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a machine without a GPU is not an error
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a GPU gives other bits, and not every operation is deterministic there
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"


def pin(seed: int) -> dict[str, Any]:
    """Fix seeds, threads and op determinism of this process, before TensorFlow computes anything.

    Args:
        seed: of Python, NumPy and TensorFlow.

    Returns:
        What was fixed, for the model's record.

    Raises:
        NotPinned: TensorFlow was started before, with other thread counts.
    """
    import keras
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(INTRA_OP_THREADS)
        tf.config.threading.set_inter_op_parallelism_threads(INTER_OP_THREADS)
    except RuntimeError:
        # TensorFlow refuses a change after its start; the same values set by an earlier job of this process do.
        actual = (
            tf.config.threading.get_intra_op_parallelism_threads(),
            tf.config.threading.get_inter_op_parallelism_threads(),
        )
        if actual != (INTRA_OP_THREADS, INTER_OP_THREADS):
            raise NotPinned(
                f"TensorFlow runs with {actual} threads, not {(INTRA_OP_THREADS, INTER_OP_THREADS)}; "
                "train in a fresh process"
            ) from None
    tf.config.experimental.enable_op_determinism()
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    return facts_of(seed)


def facts_of(seed: int) -> dict[str, Any]:
    """Return what `pin` fixes, for the model's record; nothing is computed."""
    import keras
    import tensorflow as tf

    return {
        "seed": seed,
        "threads": {"intra_op": INTRA_OP_THREADS, "inter_op": INTER_OP_THREADS},
        "op_determinism": True,
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1") != "0",
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
