"""Prints what is in a prepared dataset; --output writes histograms of it as PNG."""

from absl import flags

from groundwork import command_line

command_line.quiet_libraries()

from data_prep.inspection import describing  # noqa: E402
from data_prep.store.reader import open_dataset  # noqa: E402
from groundwork.errors import UserError  # noqa: E402
from groundwork.stores import mirror  # noqa: E402

flags.DEFINE_string("dataset", None, "Folder of the prepared dataset.")
flags.DEFINE_string("output", None, "Folder for the pictures; none are made without it.")
command_line.take_urls("dataset", "output")


def main() -> None:
    values = flags.FLAGS
    if not values.dataset:
        raise UserError("--dataset is missing: name the folder of a prepared dataset")
    dataset = open_dataset(values.dataset)
    print(describing.table(dataset))
    if values.output:
        for path in describing.pictures(dataset, mirror.place(values.output)):
            print(path)
    command_line.suggest("fed_pretrain.train", task="help")


if __name__ == "__main__":
    command_line.run(main)
