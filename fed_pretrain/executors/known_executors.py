"""An executor by its options."""

from fed_pretrain.executors.executor import Executor
from fed_pretrain.executors.executor_options import DEFAULT, ExecutorOptions
from groundwork.errors import UserError


def create(options: ExecutorOptions = DEFAULT) -> Executor:
    """Create it before the first tensor: some settings of TensorFlow cannot change later.

    TFF's default context becomes the executor's, so that nothing starts TFF's own worker.
    """
    executor = _make(options)
    from fed_pretrain.executors import tff_context

    tff_context.install_default(executor)
    return executor


def _make(options: ExecutorOptions) -> Executor:
    if options.executor == "device":
        from fed_pretrain.executors.device.device_executor import DeviceExecutor

        return DeviceExecutor(options)
    if options.executor == "native":
        from fed_pretrain.executors.native.native_executor import NativeExecutor

        return NativeExecutor(options)
    if options.executor == "beam":
        from fed_pretrain.executors.beam.beam_executor import BeamExecutor

        return BeamExecutor(options)
    raise UserError(f"--executor={options.executor}: choose device, native or beam")
