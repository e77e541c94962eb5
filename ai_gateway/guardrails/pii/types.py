"""The types of personal data by name, apart from all that finds them."""

from __future__ import annotations

from typing import Literal, get_args

Type = Literal[
    "au_tfn",
    "br_cpf",
    "ca_sin",
    "card",
    "crypto",
    "date_of_birth",
    "de_steuer_id",
    "email",
    "es_dni_nie",
    "fr_nir",
    "iban",
    "in_aadhaar",
    "ip",
    "it_codice_fiscale",
    "mac",
    "nl_bsn",
    "passport",
    "phone",
    "pl_pesel",
    "se_personnummer",
    "uk_nhs",
    "uk_nino",
    "url_credentials",
    "us_bank_routing",
    "us_driver_license",
    "us_itin",
    "us_ssn",
    "vin",
]
TYPES: tuple[Type, ...] = get_args(Type)


def kind(type_: str) -> str:
    """The placeholder that a redaction leaves: ``EMAIL``, ``SSN``, ``UK_NHS``."""
    return type_.removeprefix("us_").upper()
