"""Prints what is in a prepared dataset; --output writes histograms of it as PNG."""

from pathlib import Path

from absl import flags

from data_prep import command_line, describing
from data_prep.errors import UserError
from data_prep.store.reader import open_dataset

flags.DEFINE_string("dataset", None, "Folder of the prepared dataset.")
flags.DEFINE_string("output", None, "Folder for the pictures; none are made without it.")


def main() -> None:
    values = flags.FLAGS
    if not values.dataset:
        raise UserError("--dataset is missing: name the folder of a prepared dataset")
    dataset = open_dataset(values.dataset)
    print(describing.table(dataset))
    if values.output:
        for path in describing.pictures(dataset, Path(values.output)):
            print(path)


if __name__ == "__main__":
    command_line.run(main)
