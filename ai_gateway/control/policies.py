"""A policy as the admin API takes it: YAML text, or the same in JSON."""

from __future__ import annotations

import re

from ai_gateway import strictjson
from ai_gateway.contract import Event
from ai_gateway.control import changes
from ai_gateway.control.bodies import LONGEST_POLICY, PolicyText, refuse_variables
from ai_gateway.control.files import Files
from ai_gateway.errors import BadRequest, NotFound, TooLarge
from ai_gateway.manifest import document
from ai_gateway.manifest.units import NAME


def policy_name(event: Event) -> str:
    """The name in the path, which is a file's too; raises NotFound for what is no name."""
    name = event.path_parameters["name"]
    if not re.fullmatch(NAME, name):
        raise NotFound("There is no policy of that name: names have a-z, 0-9, dot, dash and _.")
    return name


def has_policy(files: Files, name: str) -> bool:
    """Whether the bundle has a policy of that name."""
    return changes.policy_file(files, name) in files.contents


def policy_text(event: Event) -> str:
    """The file that a body asks for: ``{"yaml": text}`` as it is, any other object written anew."""
    value = strictjson.loads(event.body)
    if not isinstance(value, dict):
        raise BadRequest('Send a policy as a JSON object, or {"yaml": text}.')
    refuse_variables(value)
    if "yaml" in value:
        text = event.parse(PolicyText).yaml
        refuse_variables(document.read(text).value)
        return text
    text = changes.policy_yaml(value)
    if len(text) > LONGEST_POLICY:
        raise TooLarge(f"A policy has at most {LONGEST_POLICY} characters.")
    if strictjson.dumps(document.read(text).value) != strictjson.dumps(value):
        raise BadRequest("This policy has a value that YAML would not keep; send it as YAML.")
    return text
