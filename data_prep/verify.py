"""Checks every byte of a prepared dataset: manifest, indexes, shards, and that read = written."""

from absl import flags

from groundwork import command_line

command_line.quiet_libraries()

from data_prep.inspection import verification  # noqa: E402
from data_prep.store import manifest  # noqa: E402
from groundwork.errors import UserError  # noqa: E402
from groundwork.stores import mirror  # noqa: E402

flags.DEFINE_string("dataset", None, "Folder of the prepared dataset.")
command_line.take_urls("dataset")


def main() -> int:
    folder = flags.FLAGS.dataset
    if not folder:
        raise UserError("--dataset is missing: name the folder of a prepared dataset")
    place = mirror.here(folder)
    if not (place / manifest.FILE_NAME).exists():
        manifest.read(place)  # It says what is there instead.
    faults = verification.verify(place)
    for fault in faults:
        print(f"damaged: {fault}")
    if faults:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        print(f"{folder}: {count}; prepare the dataset again")
        return 1
    for name in verification.strangers(place):
        print(f"note: {name} is not part of the dataset; nothing reads it")
    print(f"{folder}: sound")
    command_line.suggest("data_prep.describe", dataset=folder)
    return 0


if __name__ == "__main__":
    command_line.run(main)
