"""Any dataset of columns, numbers and categories: the way in for your own tables."""

from dataclasses import replace

from fed_pretrain.tasks.definitions import own_arrays
from fed_pretrain.tasks.encoders.tables import Table

TABULAR = replace(
    own_arrays.CLASSIFICATION,
    name="tabular",
    title="your own table of numbers and categories, one class a row",
    encoder=Table("class"),
)

DEFINITIONS = (TABULAR,)
