"""What the libraries need when they are first imported, in one place."""

import os
import types
from collections.abc import Mapping

from groundwork import estimator

_NEEDED: Mapping[str, str] = types.MappingProxyType(
    {
        # TFF works with Keras 2, which TensorFlow 2.16 takes from tf-keras if this is set.
        "TF_USE_LEGACY_KERAS": "1",
        # TensorFlow keeps a module's dicts in wrapt proxies, whose C version refuses the look-ups
        # that typing_extensions makes since 4.6: saving a dict fails with "this __dict__ descriptor
        # does not support '_DictWrapper' objects". wrapt's Python version works.
        "WRAPT_DISABLE_EXTENSIONS": "1",
        # TensorFlow takes oneDNN's kernels by itself only where a processor has instructions for
        # neural networks. On others they are faster, too: 2.5 times for a ResNet.
        "TF_ENABLE_ONEDNN_OPTS": "1",
        # TFF's worker is started by a fork, in whose child gRPC's handlers were seen to crash.
        "GRPC_ENABLE_FORK_SUPPORT": "0",
    }
)


def prepare() -> None:
    """Must run before TensorFlow is imported; what the user has set stays."""
    for name, value in _NEEDED.items():
        os.environ.setdefault(name, value)
    estimator.provide()
