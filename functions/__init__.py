"""One folder for each Lambda function."""

from shared import garbage

garbage.leave()
