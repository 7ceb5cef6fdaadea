"""The one logger. Ids, sizes and outcomes go in; bodies, secrets and signatures never do."""

import traceback
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

logger = Logger()


def fault(error: BaseException) -> dict[str, Any]:
    """Where an unexpected error arose. Its own text may quote a payload, so only AWS's is kept."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "detail": str(error) if isinstance(error, ClientError) else None,
        "at": [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[-6:]],
    }
