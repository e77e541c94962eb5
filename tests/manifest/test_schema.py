"""The published schema is the model's own, and says what the model says."""

from scripts import schemas


def test_the_schema_of_routes_yaml_is_current() -> None:
    """routes.schema.json is what `make schema` writes."""
    assert schemas.routes_schema() == (schemas.ROOT / "routes.schema.json").read_text()
