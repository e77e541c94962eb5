"""Tokens of what software is made and watched with."""

from __future__ import annotations

from ai_gateway.guardrails.secret import checksum
from ai_gateway.guardrails.secret.rule import HEX, URL64, WORD, Rule, shaped, token

#: Personal, deploy, runner, trigger, job, feed, mail, agent, SCIM and OAuth tokens of GitLab.
_GITLAB = "gl(?:pat|dt|rt|rtr|ptt|cbt|ft|imt|agent|soat)-"

RULES: tuple[Rule, ...] = (
    token("github-token", "gh[pousr]_", f"{WORD}{{36}}", checksum.github),
    token("github-fine-grained", "github_pat_", f"{WORD}{{22}}_{WORD}{{59}}"),
    shaped(
        "gitlab-token",
        _GITLAB,
        f"{_GITLAB}{URL64}{{20,}}(?:[.][0-9a-z.]{{9,12}})?",
        checksum.gitlab,
    ),
    token("npm-token", "npm_", f"{WORD}{{36}}", checksum.github),
    # "AgEIcHlwaS5vcmc" is a macaroon's beginning with the location pypi.org.
    shaped("pypi-token", "pypi-AgE", f"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw){URL64}{{50,}}"),
    token("rubygems-key", "rubygems_", f"{HEX}{{48}}"),
    token("dockerhub-token", "dckr_[po]at_", f"{URL64}{{27,32}}"),
    token("grafana-token", "glsa_", f"{WORD}{{32}}_{HEX}{{8}}", checksum.grafana),
    token("new-relic-key", "NRAK-", "[A-Z0-9]{27}"),
    token("sentry-token", "sntryu_", f"{HEX}{{64}}"),
    shaped("sentry-token", "sntrys_", "sntrys_[0-9A-Za-z+/=]{40,}_[0-9A-Za-z+/]{43}"),
    token("atlassian-token", "ATATT3", f"{URL64}{{150,}}=[0-9A-F]{{8}}"),
    token("linear-key", "lin_(?:api|oauth)_", f"{WORD}{{40,64}}"),
    token("postman-key", "PMAK-", f"{HEX}{{24}}-{HEX}{{34}}"),
    token("figma-token", "figd_", f"{URL64}{{40}}"),
)
