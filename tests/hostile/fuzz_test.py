"""Small sound files, changed at random: a reader gives what is there, or refuses in one sentence.

`python -m tests.hostile.fuzz` does the same for as long as one likes.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.changes import KINDS, Change, changed, tried
from tests.hostile.readers import READERS

_CHANGES = st.lists(
    st.builds(
        Change,
        st.sampled_from(KINDS),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=9),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("name", READERS)
def test_a_file_changed_at_random_is_read_or_refused(name: str) -> None:
    reader = READERS[name]
    sound = reader.sound()

    @settings(
        max_examples=5, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(_CHANGES)
    def check(changes: list[Change]) -> None:
        tried(reader, changed(sound, changes))

    check()
