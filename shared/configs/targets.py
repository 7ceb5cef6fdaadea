"""What is known of the systems behind webhook URLs: the form of their URLs, and what they ignore.

Sources:
- Zapier: "Trigger Zaps from webhooks" (Catch Hook, Catch Raw Hook).
- Make: https://apps.make.com/gateway and the list of zones of its API reference.
- Pipedream: https://pipedream.com/docs/workflows/domains
- n8n: https://docs.n8n.io/integrations/builtin/core-nodes/n8n-nodes-base.webhook/workflow-development
- Tray: https://docs.tray.ai/platform/embedded/advanced-features/whitelabelling/public-urls
- IFTTT: https://ifttt.com/maker_webhooks, "Receive a web request" with and without a JSON payload.
- AWS: https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from shared.configs.models import TargetType

# Anything but a plain host and port counts as no host; the check of addresses refuses it.
_URL = re.compile(r"https?://([^/?#:@]*)(?::\d*)?(?=[/?#]|$)([^?#]*)", re.IGNORECASE)
_FUNCTION_URL = r"[a-z0-9]+\.lambda-url\.([a-z0-9-]+)\.on\.aws"


class TargetError(ValueError):
    """The target type and the rest of the config contradict each other."""


class PathHint(NamedTuple):
    """A warning about a path in which `pattern` is found, or is not found."""

    pattern: str
    found: bool
    warning: str


class Target(NamedTuple):
    """`elsewhere` is the warning about a host that matches none of `hosts`."""

    name: str
    hosts: tuple[str, ...] = ()
    elsewhere: str = ""
    paths: tuple[PathHint, ...] = ()
    headers: str = ""

    def has(self, host: str) -> bool:
        return any(re.fullmatch(pattern, host) for pattern in self.hosts)


def _unless(pattern: str, warning: str) -> PathHint:
    return PathHint(pattern, found=False, warning=warning)


def _if(pattern: str, warning: str) -> PathHint:
    return PathHint(pattern, found=True, warning=warning)


TARGETS: dict[TargetType, Target] = {
    TargetType.CUSTOM: Target(name="custom"),
    TargetType.ZAPIER: Target(
        name="Zapier",
        hosts=(r"hooks\.zapier\.com",),
        elsewhere="Zapier's webhook URLs start with https://hooks.zapier.com/; copy yours from the "
        "trigger “Webhooks by Zapier”.",
        paths=(
            _unless(
                r"^/hooks/.",
                "The path of a Zapier webhook URL starts with /hooks/; copy the whole URL from "
                "the trigger “Webhooks by Zapier”.",
            ),
        ),
        headers="Zapier's “Catch Hook” does not show headers to the Zap; choose “Catch Raw Hook” "
        "if it needs them, the signature included.",
    ),
    TargetType.MAKE: Target(
        name="Make",
        hosts=(
            r"hook\.[a-z0-9-]+\.make\.com",
            r"hook\.(?:[a-z0-9-]+\.)?make\.celonis\.com",
            r"hook\.integromat\.com",
        ),
        elsewhere="Make's webhook URLs look like https://hook.eu1.make.com/…; copy yours from the "
        "module “Custom webhook” of the scenario.",
        paths=(_unless(r"^/.", "The URL lacks the webhook's own part; copy all of it from Make."),),
    ),
    TargetType.PIPEDREAM: Target(
        name="Pipedream",
        hosts=(r"[a-z0-9-]+\.m\.pipedream\.net",),
        elsewhere="Pipedream's own URLs end in .m.pipedream.net; if this is your custom domain at "
        "Pipedream, all is well.",
    ),
    TargetType.N8N: Target(
        name="n8n",
        paths=(
            _if(
                r"/webhook-test/",
                "This is n8n's test URL, which listens only while somebody tests in the editor; "
                "use the production URL, with /webhook/ in its path, and activate the workflow.",
            ),
            _unless(
                r"/webhook(?:-test)?/",
                "The path of an n8n webhook URL usually holds /webhook/; copy the production URL "
                "from the Webhook node, unless your n8n is set up with another path.",
            ),
        ),
    ),
    TargetType.TRAY_IO: Target(
        name="Tray",
        hosts=(
            r"(?:[a-z0-9-]+\.)+trayapp\.io",
            r"(?:[a-z0-9-]+\.)+integration-hook\.com",
            r"(?:[a-z0-9-]+\.)+tray\.io",
        ),
        elsewhere="Tray's webhook URLs end in .trayapp.io; copy yours from the trigger's options, "
        "“Copy public URL”.",
    ),
    TargetType.IFTTT: Target(
        name="IFTTT",
        hosts=(r"maker\.ifttt\.com",),
        elsewhere="IFTTT's webhook URLs start with https://maker.ifttt.com/trigger/; find yours "
        "under ifttt.com/maker_webhooks, “Documentation”.",
        paths=(
            _if(
                r"^/trigger/[^/]+/with/key/.",
                "At this URL IFTTT reads nothing but value1, value2 and value3, which our payload "
                "does not have; use /trigger/{event}/json/with/key/{key} and the IFTTT trigger "
                "“Receive a web request with a JSON payload”, which passes on all of it.",
            ),
            _unless(
                r"^/trigger/[^/]+/(?:json/)?with/key/.",
                "The path of an IFTTT webhook URL is /trigger/{event}/json/with/key/{key}, with "
                "your own event and key.",
            ),
        ),
    ),
    TargetType.AWS_LAMBDA: Target(
        name="AWS Lambda",
        hosts=(_FUNCTION_URL,),
        elsewhere="A Lambda function URL looks like https://<id>.lambda-url.<region>.on.aws/; find "
        "it under the function's configuration, “Function URL”.",
    ),
}


def check(target_type: TargetType, url: str, aws_iam_auth: bool) -> None:
    """Raises TargetError if the URL and the target type cannot work; a draft needs no URL."""
    if aws_iam_auth and target_type is not TargetType.AWS_LAMBDA:
        raise TargetError("awsIamAuth works with the target type aws_lambda only")
    if target_type is TargetType.AWS_LAMBDA and url.startswith("arn:"):
        raise TargetError(
            "an ARN is not a URL; give the function a function URL and use that, like "
            "https://<id>.lambda-url.<region>.on.aws/"
        )
    if aws_iam_auth and url and region(url) is None:
        raise TargetError(
            "awsIamAuth signs for Lambda function URLs only, like "
            "https://<id>.lambda-url.<region>.on.aws/"
        )


def warnings(
    target_type: TargetType,
    url: str,
    headers: Mapping[str, str],
    aws_iam_auth: bool = False,
    has_basic_auth: bool = False,
) -> list[str]:
    """Warnings about what looks wrong; each says what to do."""
    if not url:
        return []
    target = TARGETS[target_type]
    host, path = _parted(url)
    is_elsewhere = bool(target.hosts) and not target.has(host)
    said = list(_of_host(target, host) if is_elsewhere else _of_path(target, path))
    if target.headers and headers:
        said.append(target.headers)
    if aws_iam_auth and (has_basic_auth or "authorization" in map(str.lower, headers)):
        said.append(
            "awsIamAuth makes the header Authorization itself, so the one that you set is not "
            "sent; remove it, or use another header."
        )
    return said


def region(url: str) -> str | None:
    """The AWS region of a Lambda function URL; None for any other URL."""
    found = re.fullmatch(_FUNCTION_URL, _parted(url)[0])
    return found[1] if found else None


def _parted(url: str) -> tuple[str, str]:
    """The host in lower case and the path; both are empty if the URL has no plain host."""
    found = _URL.match(url)
    return (found[1].lower(), found[2]) if found else ("", "")


def _of_host(target: Target, host: str) -> Iterable[str]:
    yield target.elsewhere
    for kind, other in TARGETS.items():
        if other.has(host):
            yield f"This is a URL of {other.name}: choose the target type {kind}."


def _of_path(target: Target, path: str) -> Iterable[str]:
    return (
        hint.warning for hint in target.paths if bool(re.search(hint.pattern, path)) is hint.found
    )
