"""Coroutines started where they are: one that never waits ends before `drive` returns and costs no Deferred.

`delivery` may not import `ldap.running`, which does more (tasks that can be cancelled); nothing here is
cancelled from outside. Context variables are not kept apart: we use none.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from provserver.isolated import isolated


def drive(coroutine: Coroutine[object, object, None], failed: Callable[[Exception], None]) -> None:
    """Run until it waits, and go on when what it waits for is there. `failed` is told an exception that
    escapes."""
    coroutine = isolated(coroutine)
    try:
        waiting_for = coroutine.send(None)
    except StopIteration:
        return
    except Exception as error:
        failed(error)
        return
    _wait(waiting_for, coroutine, failed)


def _wait(
    waiting_for: object, coroutine: Coroutine[object, object, None], failed: Callable[[Exception], None]
) -> None:
    if not isinstance(waiting_for, Deferred):
        coroutine.close()
        failed(TypeError(f"a coroutine awaited {type(waiting_for).__name__}, not a Deferred"))
        return

    def resume(result: object) -> None:
        # Deferred.__await__ hands out a result, but a failure only after its callbacks have run: so it is
        # thrown.
        try:
            if isinstance(result, Failure):
                error = result.value
                assert error is not None  # noqa: S101  a Failure has one
                again = coroutine.throw(error)
            else:
                again = coroutine.send(None)
        except StopIteration:
            return
        except Exception as escaped:
            failed(escaped)
            return
        _wait(again, coroutine, failed)

    waiting_for.addBoth(resume)
