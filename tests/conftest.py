"""What holds for every test: no real AWS, no deadline that a busy machine could miss."""

import os

import hypothesis

# Made up, so that no test can reach an account. The account's own endpoint is one that moto does
# not answer for streams.
os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "AWS_EC2_METADATA_DISABLED": "true",
}
for _name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION"):
    os.environ.pop(_name, None)

hypothesis.settings.register_profile("dev", deadline=None, max_examples=60)
# The same examples at every run: what fails here fails on the next machine too.
hypothesis.settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")
