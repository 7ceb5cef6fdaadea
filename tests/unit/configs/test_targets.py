import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.configs import targets
from shared.configs.models import TargetType
from shared.configs.targets import TargetError

FUNCTION_URL = "https://abc123.lambda-url.eu-central-1.on.aws/"

FITTING = [
    ("custom", "https://example.com/anything"),
    ("zapier", "https://hooks.zapier.com/hooks/catch/123/abc/"),
    ("zapier", "https://hooks.zapier.com/hooks/standard/123/abc/"),
    ("make", "https://hook.eu1.make.com/abc"),
    ("make", "https://hook.us2.make.com/abc?x={hit}"),
    ("make", "https://hook.integromat.com/abc"),
    ("make", "https://hook.make.celonis.com/abc"),
    ("make", "https://hook.eu1.make.celonis.com/abc"),
    ("pipedream", "https://eo1abc.m.pipedream.net"),
    ("pipedream", "https://eo1abc.m.pipedream.net/path"),
    ("n8n", "https://me.app.n8n.cloud/webhook/abc"),
    ("n8n", "https://flows.example.com/webhook/abc"),
    ("n8n", "https://example.com/n8n/webhook/abc"),
    ("tray_io", "https://0c1.trayapp.io"),
    ("tray_io", "https://0c1.eu1.trayapp.io/in"),
    ("tray_io", "https://0c1.integration-hook.com"),
    ("tray_io", "https://hooks.tray.io/in"),
    ("ifttt", "https://maker.ifttt.com/trigger/lead/json/with/key/k1"),
    ("aws_lambda", FUNCTION_URL),
    ("aws_lambda", "HTTPS://ABC123.Lambda-URL.eu-central-1.on.aws:443/in?a=b"),
]
SUSPICIOUS = [
    ("zapier", "https://zapier.com/editor/123", "hooks.zapier.com"),
    ("zapier", "https://hooks.zapier.com.example.com/hooks/catch/1/a", "hooks.zapier.com"),
    ("zapier", "https://hooks.zapier.com/", "starts with /hooks/"),
    ("make", "https://eu1.make.com/123/scenarios", "hook.eu1.make.com"),
    ("make", "https://hook.eu1.make.com.example.com/abc", "hook.eu1.make.com"),
    ("make", "https://hook.eu1.make.com/", "copy all of it"),
    ("pipedream", "https://hooks.example.com/in", "if this is your custom domain"),
    ("n8n", "https://me.app.n8n.cloud/webhook-test/abc", "only while somebody tests"),
    ("n8n", "https://me.app.n8n.cloud/workflow/abc", "usually holds /webhook/"),
    ("tray_io", "https://app.trayapp.com/in", ".trayapp.io"),
    ("ifttt", "https://ifttt.com/maker_webhooks", "maker.ifttt.com/trigger/"),
    ("ifttt", "https://maker.ifttt.com/use/k1", "/trigger/{event}/json/with/key/{key}"),
    ("ifttt", "https://maker.ifttt.com/trigger/lead/with/key/k1", "value1, value2 and value3"),
    ("aws_lambda", "https://abc.execute-api.eu-central-1.amazonaws.com/", "Lambda function URL"),
]


@pytest.mark.parametrize(("kind", "url"), FITTING)
def test_a_url_that_fits_its_target_type_brings_no_warning(kind: str, url: str) -> None:
    assert targets.warnings(TargetType(kind), url, {}) == []


@pytest.mark.parametrize(("kind", "url", "hint"), SUSPICIOUS)
def test_a_url_that_looks_wrong_brings_one_warning_with_the_way_out(
    kind: str, url: str, hint: str
) -> None:
    (warning,) = targets.warnings(TargetType(kind), url, {})

    assert hint in warning
    assert warning.endswith(".")


def test_a_url_of_another_target_type_is_recognised() -> None:
    warnings = targets.warnings(TargetType.ZAPIER, "https://hook.eu1.make.com/abc", {})

    assert warnings[1] == "This is a URL of Make: choose the target type make."


@pytest.mark.parametrize("kind", TargetType)
def test_a_draft_without_a_url_brings_no_warning(kind: TargetType) -> None:
    assert targets.warnings(kind, "", {"X-Team": "growth"}) == []


def test_zapier_shows_headers_with_one_of_its_triggers_only() -> None:
    url = "https://hooks.zapier.com/hooks/catch/123/abc/"

    (warning,) = targets.warnings(TargetType.ZAPIER, url, {"X-Team": "growth"})

    assert "Catch Raw Hook" in warning


@pytest.mark.parametrize(
    ("headers", "has_basic_auth"), [({"authorization": "Bearer x"}, False), ({}, True)]
)
def test_iam_replaces_any_other_authorization(
    headers: dict[str, str], has_basic_auth: bool
) -> None:
    given_both = targets.warnings(
        TargetType.AWS_LAMBDA, FUNCTION_URL, headers, True, has_basic_auth
    )
    without_iam = targets.warnings(
        TargetType.AWS_LAMBDA, FUNCTION_URL, headers, False, has_basic_auth
    )

    assert "Authorization" in given_both[0]
    assert without_iam == []


@given(st.sampled_from(TargetType), st.text() | st.text().map("https://{}".format))
def test_no_text_in_place_of_a_url_breaks_it(kind: TargetType, url: str) -> None:
    targets.warnings(kind, url, {})
    targets.check(kind, url.removeprefix("arn:"), aws_iam_auth=False)


@pytest.mark.parametrize("url", ["", FUNCTION_URL, FUNCTION_URL + "in?visitor={visitor}"])
def test_iam_is_accepted_for_a_function_url_and_for_a_draft(url: str) -> None:
    targets.check(TargetType.AWS_LAMBDA, url, aws_iam_auth=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "https://abc123.lambda-url.eu-central-1.on.aws.example.com/",
        "https://abc123.lambda-url.eu-central-1.on.aws@example.com/",
        "https://abc123.lambda-url.eu-central-1.on.aws:x@example.com/",
        "https://abc123.lambda-url.eu-central-1.on.aws\\@example.com/",
        "https://example.com/https://abc123.lambda-url.eu-central-1.on.aws/",
        "https://example.com?abc123.lambda-url.eu-central-1.on.aws",
        "https://.lambda-url.eu-central-1.on.aws/",
        "https://abc123.lambda-url.eu-central-1.on.aws./",
    ],
)
def test_iam_is_refused_for_any_other_host(url: str) -> None:
    with pytest.raises(TargetError, match="Lambda function URLs only"):
        targets.check(TargetType.AWS_LAMBDA, url, aws_iam_auth=True)

    assert targets.region(url) is None


@pytest.mark.parametrize("kind", [kind for kind in TargetType if kind is not TargetType.AWS_LAMBDA])
def test_iam_is_refused_for_any_other_target_type(kind: TargetType) -> None:
    with pytest.raises(TargetError, match="aws_lambda only"):
        targets.check(kind, FUNCTION_URL, aws_iam_auth=True)

    targets.check(kind, FUNCTION_URL, aws_iam_auth=False)


def test_an_arn_is_no_url() -> None:
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:leads"

    with pytest.raises(TargetError, match="an ARN is not a URL"):
        targets.check(TargetType.AWS_LAMBDA, arn, aws_iam_auth=False)


def test_a_function_url_names_its_region() -> None:
    assert targets.region(FUNCTION_URL) == "eu-central-1"
    assert targets.region("https://abc.lambda-url.us-gov-west-1.on.aws:8443") == "us-gov-west-1"
