"""Commands for whoever runs a stack, here or on AWS: `python -m shared.cli --help`.

They need the development requirements and are no part of the artefacts. IAM decides who may ask
AWS, a key of the workspace what the API shows.
"""
