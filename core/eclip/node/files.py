"""What the files of `record` and `report` have in common: one JSON object each, written and read by the same type."""

from typing import ClassVar, Self

from pydantic import ValidationError

from eclip.api.objects import Part
from eclip.errors import InputError


class NodeFile(Part):
    """The content of one file."""

    called: ClassVar[str]
    """What a message calls it."""

    def text(self) -> str:
        """The file's content."""
        return self.model_dump_json(by_alias=True, exclude_none=True, indent=1) + "\n"

    @classmethod
    def parse(cls, text: str, source: str) -> Self:
        """What `text` wrote.

        Raises:
            InputError: it is something else.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise InputError(f"{source}: is no {cls.called}: {where}: {fault['msg']}") from error
