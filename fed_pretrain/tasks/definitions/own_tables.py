"""Any dataset of columns, numbers and categories: the way in for your own tables."""

from fed_pretrain.tasks.definition import TaskDefinition
from fed_pretrain.tasks.definitions import own_arrays
from fed_pretrain.tasks.encoders.tables import Table

TABULAR = TaskDefinition(
    name="tabular",
    title="your own table of numbers and categories, one class a row",
    kind="vector",
    expects=(),
    encoder=Table("class"),
    models=own_arrays.MODELS,
    defaults=own_arrays.DEFAULTS,
    build=own_arrays.build_model,
)

DEFINITIONS = (TABULAR,)
