"""Parts of botocore that leave out what is of no use here (docs/decisions/0018-performance.md)."""

from typing import Any

from botocore.loaders import Loader as AnyLoader
from botocore.parsers import JSONParser, ResponseParser, ResponseParserFactory

# Of DynamoDB's values, in the model of the service.
_VALUE = "AttributeValue"


class Loader(AnyLoader):
    """Takes the services that are asked for as known: to check that, botocore would list the
    folders of all 441 of them, which takes half of the time in which a client is made."""

    def list_available_services(self, type_name: str) -> list[str]:
        return ["dynamodb", "events", "s3", "sqs"]

    def load_data_with_path(self, name: str) -> Any:
        """Not the hosts of every service in every region, 1.2 MB of JSON: requests go by the rules
        that come with each service, and those know its hosts."""
        if name == "endpoints":
            return {"partitions": []}, self.BUILTIN_DATA_PATH
        return super().load_data_with_path(name)


class Parsers(ResponseParserFactory):
    """One parser of each kind. botocore makes two for every answer, in a cycle that stays until the
    garbage is collected."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, ResponseParser] = {}

    def create_parser(self, protocol_name: str) -> ResponseParser:
        if protocol_name not in self._made:
            of_items = protocol_name == "json"
            parser = _ItemParser() if of_items else super().create_parser(protocol_name)
            self._made[protocol_name] = parser
        return self._made[protocol_name]


class _ItemParser(JSONParser):
    def _handle_structure(self, shape: Any, value: Any) -> Any:
        """Values of items stay as they came: `from_item` reads what lies in them, bytes too."""
        if shape.name == _VALUE:
            return value
        return super()._handle_structure(shape, value)  # type: ignore[misc]  # not in the stubs
