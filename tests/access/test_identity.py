"""Who calls, and what is believed of it."""

import pytest

from ai_gateway.access.identity import Identity
from ai_gateway.errors import Forbidden, GatewayError, Unauthenticated
from ai_gateway.manifest.model import Route
from ai_gateway.settings import Settings

KEY = "the-administrators-key"
CAI = {"CDSW_DOMAIN": "cai.example", "GATEWAY_TRUST_PLATFORM": "1", "AI_GATEWAY_API_KEY": KEY}
JSON = {"content-type": "application/json; charset=utf-8"}


def identity(*, loopback: bool = True, **changed: str | None) -> Identity:
    """That of a process on CAI which trusts the platform, but for what is ``changed``."""
    variables = {name: value for name, value in (CAI | changed).items() if value is not None}
    return Identity.of(Settings.read(environment=variables), loopback=loopback)


def route(*auth: str) -> Route:
    """A route that accepts ``auth``."""
    return Route(path="/inference", auth=auth, function="functions.inference:handle")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": KEY},
        {"api-key": KEY},
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY} "},
        {"x-api-key": KEY, "authorization": "Bearer of-the-platform"},
    ],
)
def test_a_key_is_found_wherever_it_comes(headers) -> None:
    """X-API-Key, api-key and a Bearer are the same to the gateway, in that order."""
    assert identity().caller(route("api-key"), "POST", headers).id == "admin"


@pytest.mark.parametrize("auth", [("none",), ("api-key",), ("none", "api-key", "platform")])
@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": "wrong"},
        {"api-key": KEY[:-1]},
        {"x-api-key": KEY + "x"},
        {"x-api-key": "\udcff"},
    ],
)
def test_a_wrong_key_is_refused_whatever_else_would_do(auth, headers) -> None:
    """Who presents a key that is not one is refused, on an open route and for a known user too."""
    with pytest.raises(Unauthenticated):
        identity().caller(route(*auth), "GET", headers | {"remote-user": "alice"})


@pytest.mark.parametrize(
    "headers",
    [{"authorization": "Bearer wrong"}, {"authorization": f"Basic {KEY}"}, {"authorization": KEY}],
)
def test_off_the_platform_a_foreign_bearer_is_a_wrong_key(headers) -> None:
    """With no platform in front, an Authorization that is no key of ours is refused."""
    with pytest.raises(Unauthenticated):
        identity(GATEWAY_TRUST_PLATFORM=None).caller(route("none"), "GET", headers)


def test_on_the_platform_a_foreign_bearer_is_the_platforms_own() -> None:
    """CAI's own application key counts as absent; the user name that its proxy adds counts."""
    headers = {"authorization": "Bearer of-the-platform", "remote-user": "alice"}
    assert identity().caller(route("platform"), "POST", headers).id == "platform:alice"
    assert identity().caller(route("none"), "GET", headers).id == "anonymous"


@pytest.mark.parametrize(
    "changed",
    [
        {"loopback": False},
        {"GATEWAY_TRUST_PLATFORM": None},
        {"GATEWAY_TRUST_PLATFORM": "true"},
        {"CDSW_DOMAIN": None},
    ],
)
def test_a_user_name_is_believed_behind_the_proxy_alone(changed) -> None:
    """REMOTE-USER is anybody's to send, unless CAI's proxy is in front and the operator says so."""
    with pytest.raises(Unauthenticated):
        identity(**changed).caller(route("platform"), "GET", {"remote-user": "alice"})


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"content-type": "text/plain"},
        {"sec-fetch-site": "cross-site"},
        {"authorization": "Basic YWxpY2U6c2VjcmV0"},
        {"authorization": "Negotiate token"},
    ],
)
def test_a_form_of_another_site_is_refused(header) -> None:
    """Another site can drive the user's browser, so a change must show where it comes from."""
    with pytest.raises(Forbidden, match="application/json"):
        identity().caller(route("platform"), "POST", {"remote-user": "alice"} | header)


@pytest.mark.parametrize(
    "header", [JSON, {"sec-fetch-site": "same-origin"}, {"authorization": "Bearer of-the-platform"}]
)
def test_what_no_form_can_send_passes(header) -> None:
    """JSON, the same origin and a Bearer each show that it is no forged form."""
    caller = identity().caller(route("platform"), "POST", {"remote-user": "alice"} | header)
    assert caller.scheme == "platform"


def test_a_route_without_auth_is_denied_to_all_but_the_administrator() -> None:
    """Nothing is open because somebody forgot to close it."""
    with pytest.raises(Forbidden, match="declares no auth"):
        identity().caller(route(), "GET", {})
    assert identity().caller(route(), "GET", {"x-api-key": KEY}).admin


def test_the_administrator_may_call_every_route() -> None:
    """The administrator's key works where only the platform's users are let in."""
    assert identity().caller(route("platform"), "GET", {"x-api-key": KEY}).admin


def test_no_key_is_known_where_none_is_set() -> None:
    """Without an administrator's key no key is right, not even an empty one."""
    for key in ("", "anything"):
        with pytest.raises(GatewayError):
            identity(AI_GATEWAY_API_KEY=None).caller(route("api-key"), "GET", {"x-api-key": key})


@pytest.mark.parametrize("key", ["schlüssel", " padded\n", "鍵"])
def test_a_key_of_any_letters_works(key) -> None:
    """A key that the operator set is right when a client sends its bytes, padded or not."""
    sent = {"x-api-key": key.strip().encode().decode("latin-1")}
    assert identity(AI_GATEWAY_API_KEY=key).caller(route("api-key"), "GET", sent).admin


def test_a_refusal_says_what_would_do() -> None:
    """Who comes without a credential is told which ones are taken."""
    with pytest.raises(Unauthenticated, match=r"X-API-Key.* or a Cloudera AI user"):
        identity().caller(route("api-key", "platform"), "GET", {})


def test_two_user_names_are_none() -> None:
    """A name that a caller adds to the proxy's own is not believed, and neither is the other."""
    with pytest.raises(Unauthenticated, match="more than one"):
        identity().caller(route("platform"), "GET", {"remote-user": "mallory, alice"})
