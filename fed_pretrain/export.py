"""Writes a finished run's model for use elsewhere, or shows what it predicts.

Examples:
  python -m fed_pretrain.export --run=runs/digits --format=tflite --output=digits.tflite
  python -m fed_pretrain.export --run=runs/digits --which=best --predict=digit.png
  python -m fed_pretrain.export --run=runs/digits --format=keras --calibrate=ccvr

`keras` files of convolutional and recurrent models open with TensorFlow alone; labels are inside. A
card in Markdown, beside the model, says how it was made, what it reaches and under which licence.
--predict reads an image, or a text file (one prediction a line).
"""

from absl import flags

from groundwork import command_line
from groundwork.errors import UserError
from groundwork.stores import mirror

command_line.quiet_libraries()

command_line.define_plugin_flag()
_RUN = flags.DEFINE_string("run", None, "Work directory of a finished run.")
_WHICH = flags.DEFINE_enum("which", "final", ["final", "best"], "Last or best evaluated weights.")
_FORMAT = flags.DEFINE_enum(
    "format", None, ["keras", "savedmodel", "tflite", "npz"], "File format of the model."
)
_OUTPUT = flags.DEFINE_string("output", None, "Where to write it; default is the run's folder.")
_CALIBRATE = flags.DEFINE_enum(
    "calibrate",
    "none",
    ["none", "ccvr"],
    "Retrain the head on virtual features of the training clients' classes (CCVR) before writing.",
)
_PREDICT = flags.DEFINE_string("predict", None, "An image or a text file to try the model on.")
command_line.take_urls("run", "output", "predict")


def main() -> int:
    if not _RUN.value:
        raise UserError("--run is missing: the work directory of a finished run")
    if not (_FORMAT.value or _PREDICT.value):
        raise UserError("give --format to write the model, or --predict=FILE to try it")
    calibrate = _CALIBRATE.value != "none"
    if calibrate and not _FORMAT.value:
        raise UserError(f"--calibrate={_CALIBRATE.value} is of a model to write: give --format")
    run = mirror.here(_RUN.value)
    if _FORMAT.value:
        from fed_pretrain.exporting import model_card, model_files

        output = mirror.place(_OUTPUT.value) if _OUTPUT.value else None
        head = None
        if calibrate:
            from fed_pretrain.experiment.analysis import calibrated_head

            head = calibrated_head.of_run(run, _WHICH.value, command_line.plugins_given())
        exported = model_files.export(run, _WHICH.value, _FORMAT.value, output, head)
        print(exported)
        card = model_card.write(run, _WHICH.value, exported.path, calibrate)
        print(f"its card: {mirror.address(card)}")
        mirror.publish(exported.path)
    if _PREDICT.value:
        from fed_pretrain.exporting import prediction

        for one in prediction.predict(run, _WHICH.value, mirror.here(_PREDICT.value)):
            print(one)
    else:
        command_line.suggest("fed_pretrain.export", run=run, which=_WHICH.value, predict="FILE")
    return 0


if __name__ == "__main__":
    command_line.run(main)
