"""A window on a sorted list (draft-ietf-ldapext-ldapv3-vlv-09). Stateless: each request counts and sorts
anew, so no context is handed out, and none that comes can be ours.
"""

from __future__ import annotations

from collections.abc import Sequence

from provserver.ldap.controls import ByOffset, SortRequest, ViewRequest, ViewResult
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.asked import Asked
from provserver.operations.sorting import Order, Sorted, Unsortable


def read_view(asked: Asked) -> ViewRequest | None:
    """The view that is asked for. Refusal VIRTUAL_LIST_VIEW_ERROR: it is one that cannot be given."""
    view = asked.get(ViewRequest)
    if view is None:
        return None
    if asked.get(SortRequest) is None:
        raise refused(asked, ResultCode.SORT_CONTROL_MISSING, "expected a server side sorting control too")
    if view.context:
        raise refused(asked, ResultCode.PROTOCOL_ERROR, "expected no contextID: none was handed out")
    return view


def refused(asked: Asked, code: ResultCode, text: str) -> Refusal:
    """That the search failed because of the view (section 6.2.1): the reason is in the control."""
    asked.answer(ViewResult(0, 0, code))
    return Refusal(ResultCode.VIRTUAL_LIST_VIEW_ERROR, f"virtual list view control: {text}")


def window(view: ViewRequest, found: Sequence[Sorted], order: Order, asked: Asked) -> Sequence[Sorted]:
    """What is to be sent of a sorted list; says where that is. Refusal VIRTUAL_LIST_VIEW_ERROR."""
    try:
        position = _position(view, found, order)
    except Unsortable as problem:
        raise refused(asked, problem.code, str(problem)) from None
    if position is None:
        raise refused(
            asked, ResultCode.OFFSET_RANGE_ERROR, "expected an offset from 1 to the number of entries"
        )
    asked.answer(ViewResult(position, len(found)))
    return found[max(0, position - 1 - view.before) : position + view.after]


def _position(view: ViewRequest, found: Sequence[Sorted], order: Order) -> int | None:
    """The target's place, from 1; one more than there are when there is no target (section 5)."""
    count = len(found)
    target = view.target
    if not isinstance(target, ByOffset):
        return order.place_of(found, target.value) + 1
    supposed = target.content_count or count
    if not count:
        return 1 if target.offset else None
    if not 1 <= target.offset <= supposed:
        return None
    if target.offset == supposed:
        return count
    if target.offset == 1:
        return 1
    # To the nearest, halves up; in integers, which are exact whatever the client supposes.
    return max(1, (2 * count * target.offset + supposed) // (2 * supposed))
