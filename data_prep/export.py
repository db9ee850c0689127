"""Writes a prepared dataset in a layout that TensorFlow Federated itself reads.

file_per_client: one TFRecord file a client, for tff.simulation.datasets.FilePerUserClientData.
tff_sqlite: TFF's SQLite schema, for tff.simulation.datasets.load_and_parse_sql_client_data.
"""

from absl import flags

from groundwork import command_line

command_line.quiet_libraries()

from data_prep.inspection import exporting  # noqa: E402
from groundwork.errors import UserError  # noqa: E402

flags.DEFINE_string("dataset", None, "Folder of the prepared dataset.")
flags.DEFINE_enum("layout", None, list(exporting.LAYOUTS), "How to write it.")
flags.DEFINE_string("output", None, "New folder for the export.")
command_line.take_urls("dataset", "output")


def main() -> None:
    for name in ("dataset", "layout", "output"):
        if not flags.FLAGS[name].value:
            raise UserError(f"--{name} is missing (see --help)")
    values = flags.FLAGS
    print(exporting.export(values.dataset, values.layout, values.output))


if __name__ == "__main__":
    command_line.run(main)
