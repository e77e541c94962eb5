"""A browser leaves for the issuer and comes back: redirections, to one of few places."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

from ai_gateway.access.managing import UNKEPT
from ai_gateway.contract import Context, Event, Reply
from ai_gateway.portal import declared
from ai_gateway.portal.portal import signing
from ai_gateway.portal.signing import Failed

log = logging.getLogger(__name__)

_SIGN_IN: Final = "portal.sign-in"


def out(context: Context) -> Reply:
    """To the issuer, or back to the page where it cannot be had."""
    flow, _ = signing(context)
    try:
        url, cookie = flow.begin()
    except Failed as failed:
        return _to(_with(failed))
    return _to(url, cookie)


def back(event: Event, context: Context) -> Reply:
    """To the page, with a session; one that the browser had before is over."""
    flow, sessions = signing(context)
    try:
        caller = flow.finish(event.query, event.headers)
    except Failed as failed:
        log.warning("request %s: nobody is signed in: %s", event.request_id, failed.reason)
        return _to(_with(failed))
    sessions.end(event.headers)
    cookie = sessions.begin(caller)
    context.audit.note(replace(event, caller=caller), _SIGN_IN, "portal")
    return _to(declared.PAGE, cookie)


def _with(failed: Failed) -> str:
    return f"{declared.PAGE}?problem={failed.problem}"


def _to(place: str, headers: dict[str, str] | None = None) -> Reply:
    """A redirection. No referrer: the address that the browser leaves holds a code."""
    wanted = {"location": place, "referrer-policy": "no-referrer", **UNKEPT, **(headers or {})}
    return Reply(b"", status=303, headers=wanted)
