"""Rows as a pandas DataFrame, where pandas is installed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fed_pretrain.notebook.argument_errors import ArgumentError
from groundwork.untyped import Json

if TYPE_CHECKING:
    import pandas as pd


def of_rows(rows: Sequence[Mapping[str, Json]]) -> "pd.DataFrame":
    try:
        import pandas as pd
    except ImportError:
        raise ArgumentError(
            "frame() makes a pandas DataFrame, and pandas is not installed: pip install pandas, or"
            " use rows, which holds the same as dictionaries"
        ) from None
    return pd.DataFrame.from_records(list(rows))
