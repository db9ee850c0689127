import traceback

import pytest

from groundwork import worker_errors
from groundwork.errors import UserError
from groundwork.staging import Interrupted


def as_text(error: Exception) -> RuntimeError:
    """What an engine's failure holds of an exception on a worker."""
    try:
        raise error
    except Exception:
        return RuntimeError(f"bundle failed:\n{traceback.format_exc()}\n--> [0] of stage 7")


@pytest.mark.parametrize("kind", [UserError, Interrupted])
@pytest.mark.parametrize("where", ["", " [while running 'Read-ptransform-12']"])
def test_a_users_mistake_comes_back_as_it_was(kind: type[UserError], where: str) -> None:
    error = kind(f"rows.csv line 3: it's wrong{where}")
    for seen in (error, as_text(error)):
        found = worker_errors.raised(seen)
        assert type(found) is kind
        assert str(found) == "rows.csv line 3: it's wrong"


def test_another_error_of_a_worker_is_none_of_the_users() -> None:
    assert worker_errors.raised(as_text(KeyError("shards"))) is None
    assert worker_errors.raised(as_text(ValueError("UserError: said by another"))) is None
