import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from shared import ids
from shared.delivery import signing

SECRETS = st.binary(min_size=24, max_size=64).map(
    lambda key: "whsec_" + base64.b64encode(key).decode()
)


def test_the_published_example_comes_out_as_published() -> None:
    signature = signing.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        b'{"test": 2432232314}',
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_headers_carry_what_was_signed() -> None:
    headers = signing.headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], "msg_1", 1_614_265_330, b"{}"
    )

    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"].startswith("v1,")


@given(SECRETS, st.dictionaries(st.text(), st.text(), max_size=5))
def test_the_standards_own_library_accepts_it(secret: str, values: dict[str, str]) -> None:
    body = json.dumps(values).encode()

    headers = signing.headers([secret], "msg_1", int(time.time()), body)

    assert Webhook(secret).verify(body, headers) == values


def test_the_standards_own_library_refuses_another_body() -> None:
    secret = ids.new_signing_secret()
    headers = signing.headers([secret], "msg_1", int(time.time()), b'{"amount": 1}')

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(b'{"amount": 2}', headers)


@given(st.lists(SECRETS, min_size=1, max_size=4))
def test_each_of_several_secrets_is_enough_to_verify(secrets: list[str]) -> None:
    headers = signing.headers(secrets, "msg_1", int(time.time()), b"{}")

    for secret in secrets:
        assert Webhook(secret).verify(b"{}", headers) == {}


def test_several_signatures_stand_in_the_order_of_their_secrets() -> None:
    secrets = [ids.new_signing_secret(), ids.new_signing_secret()]

    headers = signing.headers(secrets, "msg_1", 1_614_265_330, b"{}")

    assert headers["webhook-signature"].split(" ") == [
        signing.signature(secret, "msg_1", 1_614_265_330, b"{}") for secret in secrets
    ]


def test_a_new_secret_is_one_that_the_library_takes() -> None:
    secret = ids.new_signing_secret()

    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    Webhook(secret)
