"""One folder for each Lambda function."""

from shared.aws import garbage

garbage.leave()
