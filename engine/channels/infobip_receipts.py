"""What Infobip tells us: delivery reports, and messages that came in. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tactful.engine.channels.infobip import (
    BLOCKED_ERROR,
    BLOCKED_STATUS,
    DELIVERED,
    DUPLICATE,
    EXPIRED,
    NOBODY_ERROR,
    NOBODY_STATUS,
    REJECTED,
    UNDELIVERABLE,
)
from tactful.engine.channels.receipts import Became, NotUnderstood, Receipt, message_of, number_of
from tactful.engine.optout.inbox import Inbound

if TYPE_CHECKING:
    from tactful.elements.contract import Instant

_TO_HANDSET = 5
"""DELIVERED_TO_HANDSET. The other one in its group, DELIVERED_TO_OPERATOR, is on the way only."""

_NOBODY_KNOWS = 29
"""EXPIRED_DLR_UNKNOWN: whether it arrived, the operator never said."""

_BECAME: dict[int, Became] = {UNDELIVERABLE: "bounced", EXPIRED: "bounced", REJECTED: "rejected"}


def receipts(told: Any) -> list[Receipt]:
    """The delivery reports that say something final of a message of ours. Raises NotUnderstood."""
    found = (_receipt(each) for each in _results(told))
    return [each for each in found if each is not None]


def inbound(told: Any) -> list[Inbound]:
    """The messages that came in; `sender` is what was answered, as Infobip writes it. Raises NotUnderstood."""
    return [
        Inbound(
            number_of(each.get("to")),
            number_of(each.get("from")),
            text,
            key=f"infobip {each['messageId']}" if isinstance(each.get("messageId"), str) else None,
            at=_instant(each.get("receivedAt")),
        )
        for each in _results(told)
        if isinstance(text := each.get("text"), str)
    ]


def _results(told: Any) -> list[dict[str, Any]]:
    match told:
        case {"results": [*results]} if all(isinstance(each, dict) for each in results):
            return results
    raise NotUnderstood("there is no list `results`")


def _receipt(told: dict[str, Any]) -> Receipt | None:
    message = message_of(told.get("callbackData"))
    status, error = _code(told.get("status")), _code(told.get("error"))
    if message is None or status is None:
        return None
    group, id = status
    _, wrong = error or (0, 0)
    if group == DELIVERED and id == _TO_HANDSET:
        became: Became = "delivered"
    elif group in _BECAME and id not in (_NOBODY_KNOWS, DUPLICATE):
        became = _BECAME[group]
    else:
        return None
    failed = became != "delivered"
    blocked = BLOCKED_STATUS.get(id) or BLOCKED_ERROR.get(wrong) if failed else None
    by_error = failed and (wrong in BLOCKED_ERROR or wrong in NOBODY_ERROR)
    provider_id = told.get("messageId")
    return Receipt(
        message,
        became,
        f"Infobip {wrong if by_error and id not in BLOCKED_STATUS else id}",
        f"infobip {told['callbackData']} {became} {id} {wrong}",
        provider_id if isinstance(provider_id, str) else None,
        number_of(told.get("to")) or None,
        nobody=failed and blocked is None and (id in NOBODY_STATUS or wrong in NOBODY_ERROR),
        blocked=blocked,
        at=_instant(told.get("doneAt")),
    )


def _code(told: Any) -> tuple[int, int] | None:
    match told:
        case {"groupId": int(group), "id": int(id)}:
            return group, id
    return None


def _instant(written: object) -> Instant | None:
    try:
        at = datetime.strptime(written, "%Y-%m-%dT%H:%M:%S.%f%z") if isinstance(written, str) else None
        return None if at is None else round(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
