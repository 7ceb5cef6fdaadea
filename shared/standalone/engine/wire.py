"""What a call of a client passes through on its way to the data file."""

import sqlite3

from shared.standalone.engine.clients import Apply
from shared.standalone.engine.errors import client_error
from shared.standalone.engine.file import DataFile
from shared.standalone.engine.template import Json


class FileWire:
    """Each call is a transaction of the file: it is made whole, or has changed nothing."""

    def __init__(self, file: DataFile) -> None:
        self._file = file

    def call(self, operation: str, apply: Apply, partial: Apply | None = None) -> Json:
        """Raises ClientError; trouble with the file is the service's own, as on AWS."""
        try:
            with self._file.transaction():
                return apply()
        except sqlite3.Error as error:
            raise client_error(operation, "InternalServerError", str(error)) from error
