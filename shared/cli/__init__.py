"""Commands for operators of a stack, on this machine or on AWS: `python -m shared.cli --help`.

They need the development requirements and are not shipped. IAM decides which calls of AWS they may
make; an API key of the workspace decides what the API shows them.
"""
