"""Promises of template.yaml, read from the file itself."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from shared.apis.funnelflux.models import MAX_SCHEDULE_S
from shared.clock import MS_PER_S
from shared.imports.models import REPORT_SUFFIX
from shared.observability import FAULTS, METRICS
from shared.repair.sweeper import SHARD_MARGIN_MS
from shared.settings import Resource, Settings
from shared.standalone.engine.template import Json, Template, references, template

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
STAGES = ["configs", "ingest", "imports", "fanout", "dispatch", "retry", "repair", "deliveries"]
# Every variable that a function reads.
VARIABLES = {*get_args(Resource), *(field.upper() for field in Settings.model_fields)}
FUNCTIONS = [f"{stage.capitalize()}Function" for stage in STAGES]


@pytest.fixture(name="template")
def _template() -> Template:
    return template()


def function(name: str) -> Json:
    found: Json = template().functions()[name]
    return found


def statements(role: str) -> list[Json]:
    """What a role allows, each on condition of a parameter included."""
    (policy,) = template().of_type("AWS::IAM::Role")[role]["Policies"]
    return [
        entry["Fn::If"][1] if "Fn::If" in entry else entry
        for entry in policy["PolicyDocument"]["Statement"]
    ]


def alarms(metric: str) -> set[str]:
    """What the alarms on a metric watch."""
    return {
        name
        for alarm in template().of_type("AWS::CloudWatch::Alarm").values()
        if alarm["MetricName"] == metric
        for dimension in alarm["Dimensions"]
        for name in references(dimension["Value"])
    }


def default(name: str) -> Any:
    return template().parameters[name]["Default"]


def resolved(value: Any) -> Any:
    return default(value["Ref"]) if isinstance(value, dict) and "Ref" in value else value


def consumers() -> list[tuple[str, str]]:
    """Each queue that a function reads, with the function."""
    return [(source["Queue"]["Fn::GetAtt"][0], name) for name, source in template().events("SQS")]


class TestQueues:
    @pytest.mark.parametrize(("queue", "_function"), consumers())
    def test_with_a_consumer_give_up_a_message_to_dead_letters(
        self, template: Template, queue: str, _function: str
    ) -> None:
        redrive = template.of_type("AWS::SQS::Queue")[queue]["RedrivePolicy"]

        (letters,) = references(redrive["deadLetterTargetArn"])
        assert letters in template.of_type("AWS::SQS::Queue")
        assert letters == queue.removesuffix("Queue") + "DeadLetters"
        assert redrive["maxReceiveCount"] >= 3

    @pytest.mark.parametrize(("queue", "consumer"), consumers())
    def test_hide_a_message_for_six_times_as_long_as_its_function_may_run(
        self, template: Template, queue: str, consumer: str
    ) -> None:
        hidden_s = template.of_type("AWS::SQS::Queue")[queue]["VisibilityTimeout"]

        assert hidden_s >= 6 * function(consumer)["Timeout"]

    def test_of_dead_letters_each_have_an_alarm(self, template: Template) -> None:
        letters = {name for name in template.of_type("AWS::SQS::Queue") if "Letters" in name}

        assert len(letters) == 5
        assert alarms("ApproximateNumberOfMessagesVisible") == letters

    def test_that_are_read_each_have_an_alarm_on_their_age(self) -> None:
        assert alarms("ApproximateAgeOfOldestMessage") == {queue for queue, _ in consumers()}

    def test_keep_messages_for_14_days_encrypted(self, template: Template) -> None:
        for queue in template.of_type("AWS::SQS::Queue").values():
            assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
            assert queue["SqsManagedSseEnabled"] is True

    def test_take_a_whole_intake_message_to_its_dead_letters(self, template: Template) -> None:
        queues = template.of_type("AWS::SQS::Queue")

        assert queues["IntakeQueue"]["MaximumMessageSize"] == 1024 * 1024
        assert queues["IntakeDeadLetters"]["MaximumMessageSize"] == 1024 * 1024


class TestTheImportBucket:
    def test_is_private_encrypted_and_outlives_the_stack(self, template: Template) -> None:
        bucket = template.resources["ImportBucket"]

        assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
        properties = bucket["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(properties["PublicAccessBlockConfiguration"]) == 4
        assert properties["OwnershipControls"]["Rules"] == [
            {"ObjectOwnership": "BucketOwnerEnforced"}
        ]
        assert "KmsKeyArn" in references(properties["BucketEncryption"])

    def test_forgets_its_objects_and_keeps_no_old_versions(self, template: Template) -> None:
        bucket = template.of_type("AWS::S3::Bucket")["ImportBucket"]

        (rule,) = bucket["LifecycleConfiguration"]["Rules"]
        assert rule["Status"] == "Enabled"
        assert rule["ExpirationInDays"] == {"Ref": "RetentionDays"}
        assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 1
        assert "VersioningConfiguration" not in bucket

    def test_is_reached_by_tls_alone(self, template: Template) -> None:
        (policy,) = template.of_type("AWS::S3::BucketPolicy").values()

        (statement,) = policy["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Action"] == "s3:*"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_tells_of_uploads_but_not_of_reports(self, template: Template) -> None:
        pattern = template.of_type("AWS::Events::Rule")["ImportRule"]["EventPattern"]

        bucket = template.of_type("AWS::S3::Bucket")["ImportBucket"]
        assert bucket["NotificationConfiguration"] == {
            "EventBridgeConfiguration": {"EventBridgeEnabled": True}
        }
        suffixes = [entry["suffix"] for entry in pattern["detail"]["object"]["key"]]
        assert suffixes == [".jsonl", ".jsonl.gz"]
        assert not any(REPORT_SUFFIX.endswith(suffix) for suffix in suffixes)
        assert references(pattern["detail"]["bucket"]) == {"ImportBucket"}


class TestTables:
    @pytest.mark.parametrize("name", ["ConfigTable", "EventTable"])
    def test_outlive_the_stack_and_can_be_restored(self, template: Template, name: str) -> None:
        table = template.resources[name]

        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
        properties = table["Properties"]
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        assert properties["TimeToLiveSpecification"] == {
            "AttributeName": "expires_at",
            "Enabled": True,
        }
        assert "KmsKeyArn" in references(properties["SSESpecification"])

    def test_tell_the_stream_what_is_new(self, template: Template) -> None:
        table = template.of_type("AWS::DynamoDB::Table")["EventTable"]

        assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}

    def test_index_what_must_move_by_its_keys_alone(self, template: Template) -> None:
        indexes = template.of_type("AWS::DynamoDB::Table")["EventTable"]["GlobalSecondaryIndexes"]
        projections = {index["IndexName"]: index["Projection"] for index in indexes}

        assert projections.keys() == {"wake", "log", "state", "visitor", "replay"}
        assert projections["wake"] == {"ProjectionType": "KEYS_ONLY"}
        assert projections["log"] == projections["state"]
        assert "payload" not in projections["log"]["NonKeyAttributes"]
        assert "payload" not in projections["visitor"]["NonKeyAttributes"]


class TestFunctions:
    def test_are_one_for_each_stage(self, template: Template) -> None:
        assert sorted(template.functions()) == sorted(FUNCTIONS)

    @pytest.mark.parametrize("stage", STAGES)
    def test_are_built_and_handled_alike(self, stage: str) -> None:
        found = function(f"{stage.capitalize()}Function")

        assert found["Handler"] == f"functions.{stage}.handler.lambda_handler"
        assert found["CodeUri"] == "."
        assert found["Tracing"] == "Active"
        metadata = template().resources[f"{stage.capitalize()}Function"]["Metadata"]
        assert metadata == {"BuildMethod": "makefile"}

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_run_on_arm64_and_python_3_13_by_default(self, name: str) -> None:
        found = function(name)

        assert [resolved(value) for value in found["Architectures"]] == ["arm64"]
        assert resolved(found["Runtime"]) == "python3.13"

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_log_into_a_group_that_forgets(self, template: Template, name: str) -> None:
        (group,) = references(function(name)["LoggingConfig"]["LogGroup"])

        assert group == name.replace("Function", "Log")
        assert "RetentionInDays" in template.of_type("AWS::Logs::LogGroup")[group]

    def test_and_everything_else_logs_into_groups_that_forget(self, template: Template) -> None:
        for group in template.of_type("AWS::Logs::LogGroup").values():
            assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_are_given_settings_that_are_known(self, name: str) -> None:
        variables = function(name)["Environment"]["Variables"]
        own = {key for key in variables if not key.startswith("POWERTOOLS_")}

        assert own <= VARIABLES
        assert variables["POWERTOOLS_SERVICE_NAME"] == name.removesuffix("Function").lower()

    def test_are_given_every_setting_that_there_is(self) -> None:
        given = {key for name in FUNCTIONS for key in function(name)["Environment"]["Variables"]}

        assert given >= VARIABLES

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_have_alarms_on_errors_and_throttles(self, name: str) -> None:
        assert name in alarms("Errors")
        assert name in alarms("Throttles")

    @pytest.mark.parametrize(
        "name", ["ConfigsFunction", "IngestFunction", "DeliveriesFunction", "RepairFunction"]
    )
    def test_that_go_on_after_a_fault_have_an_alarm_on_it(self, name: str) -> None:
        alarm = template().of_type("AWS::CloudWatch::Alarm")[
            name.replace("Function", "FaultsAlarm")
        ]
        service = function(name)["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]

        assert alarm["MetricName"] == FAULTS.name
        assert alarm["Dimensions"] == [{"Name": "service", "Value": service}]

    def test_that_deliver_have_time_for_an_exchange_and_the_writes_around_it(self) -> None:
        for name in ("DispatchFunction", "RetryFunction"):
            assert function(name)["Timeout"] >= 2 * (10 + 5)

    def test_that_repair_have_time_until_the_next_run(self) -> None:
        assert function("RepairFunction")["Timeout"] >= 60 + SHARD_MARGIN_MS / MS_PER_S

    def test_that_try_an_endpoint_out_have_time_for_it(self) -> None:
        assert function("DeliveriesFunction")["Timeout"] >= 10 + 5

    def test_that_store_events_are_through_with_one_before_repair_looks(self) -> None:
        longest = max(function(name)["Timeout"] for name in FUNCTIONS)

        assert default("RepairAfterSeconds") > longest

    def test_defaults_are_those_of_the_settings(self) -> None:
        known = Settings()

        assert default("RetentionDays") == known.retention_days
        assert default("RepairAfterSeconds") == known.repair_after_s
        assert default("TargetPorts") == known.target_ports
        assert default("AllowPrivateTargets") == str(known.allow_private_targets).lower()


class TestRoles:
    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_belong_to_one_function_each(self, template: Template, name: str) -> None:
        (role,) = references(function(name)["Role"])

        assert role == name.replace("Function", "Role")
        properties = template.of_type("AWS::IAM::Role")[role]
        assert "ManagedPolicyArns" not in properties
        assert "Policies" not in function(name)
        (trust,) = properties["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_list_the_actions_that_they_allow(self, name: str) -> None:
        for statement in statements(name.replace("Function", "Role")):
            actions = statement["Action"]
            assert statement["Effect"] == "Allow"
            assert isinstance(actions, list)
            assert not any("*" in action for action in actions)
            assert "dynamodb:Scan" not in actions

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_name_the_resources_that_they_allow_them_on(self, name: str) -> None:
        for statement in statements(name.replace("Function", "Role")):
            if all(action.startswith("xray:") for action in statement["Action"]):
                continue
            assert references(statement["Resource"]), statement
            resource = json.dumps(statement["Resource"])
            for allowed in ("}/stream/*", "}/*.jsonl", "}/*.report.json"):
                resource = resource.replace(allowed, "}")
            assert "*" not in resource

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_let_a_function_write_its_own_log_only(self, name: str) -> None:
        logs = [
            statement
            for statement in statements(name.replace("Function", "Role"))
            if "logs:PutLogEvents" in statement["Action"]
        ]

        assert [references(s["Resource"]) for s in logs] == [{name.replace("Function", "Log")}]

    @pytest.mark.parametrize(
        ("stage", "action", "resource"),
        [
            ("ingest", "dynamodb:DeleteItem", "EventTable"),
            ("ingest", "dynamodb:PutItem", "ConfigTable"),
            ("imports", "dynamodb:PutItem", "ConfigTable"),
            ("imports", "sqs:SendMessage", "IntakeQueue"),
            ("fanout", "dynamodb:PutItem", "EventTable"),
            ("dispatch", "dynamodb:PutItem", "ConfigTable"),
            ("dispatch", "sqs:SendMessage", "DispatchQueue"),
            ("retry", "sqs:SendMessage", "DispatchQueue"),
            ("retry", "dynamodb:PutItem", "ConfigTable"),
            ("retry", "dynamodb:Query", "ConfigTable"),
            ("repair", "dynamodb:PutItem", "EventTable"),
            ("repair", "dynamodb:DeleteItem", "ConfigTable"),
            ("repair", "sqs:SendMessage", "DispatchQueue"),
            ("repair", "sqs:ReceiveMessage", "RetryQueue"),
            ("dispatch", "dynamodb:DeleteItem", "EventTable"),
            ("deliveries", "dynamodb:PutItem", "ConfigTable"),
            ("configs", "dynamodb:GetItem", "EventTable"),
        ],
    )
    def test_keep_a_stage_to_its_own_work(self, stage: str, action: str, resource: str) -> None:
        allowed = {
            (action, name)
            for statement in statements(f"{stage.capitalize()}Role")
            for action in statement["Action"]
            for name in references(statement["Resource"])
        }

        assert (action, resource) not in allowed

    @pytest.mark.parametrize(
        ("stage", "table", "partitions"),
        [
            ("ingest", "ConfigTable", ["KEY#*"]),
            ("ingest", "EventTable", ["W#*#V#*", "W#*#M#*"]),
            ("deliveries", "ConfigTable", ["KEY#*", "RATE#*", "W#*#REPLAYS", "JOBS"]),
        ],
    )
    def test_let_a_stage_change_no_other_items_than_its_own(
        self, stage: str, table: str, partitions: list[str]
    ) -> None:
        changes = [
            statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
            for statement in statements(f"{stage.capitalize()}Role")
            if "dynamodb:UpdateItem" in statement["Action"]
            if references(statement["Resource"]) == {table}
        ]

        assert changes == [partitions]


def fed_by(name: str) -> set[str]:
    """The queues into which a function may put messages."""
    (role,) = references(function(name)["Role"])
    return set().union(
        *(
            references(statement["Resource"])
            for statement in statements(role)
            if "sqs:SendMessage" in statement["Action"]
        )
    )


class TestEventSources:
    @pytest.mark.parametrize(("queue", "name"), consumers())
    def test_that_are_fed_by_their_own_function_are_no_runaway_loop_to_lambda(
        self, queue: str, name: str
    ) -> None:
        comes_round = queue in fed_by(name)

        assert (function(name).get("RecursiveLoop") == "Allow") is comes_round

    def test_all_let_a_bad_record_come_back_alone(self, template: Template) -> None:
        sources = [*template.events("SQS"), *template.events("DynamoDB")]

        assert len(sources) == 5
        for _, source in sources:
            assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]

    def test_of_queues_hand_over_ten_at_a_time_but_one_import(self, template: Template) -> None:
        sizes = {name: source["BatchSize"] for name, source in template.events("SQS")}

        assert sizes.pop("ImportsFunction") == 1
        assert set(sizes.values()) == {10}

    def test_of_retries_are_bounded_so_that_first_attempts_have_room(
        self, template: Template
    ) -> None:
        bounds = {name: s.get("ScalingConfig") for name, s in template.events("SQS")}

        assert bounds["RetryFunction"] == {"MaximumConcurrency": {"Ref": "RetryConcurrency"}}
        assert bounds["ImportsFunction"] == {"MaximumConcurrency": {"Ref": "ImportConcurrency"}}
        assert bounds["DispatchFunction"] == {"MaximumConcurrency": {"Ref": "DispatchConcurrency"}}

    def test_of_the_stream_ends_for_every_record(self, template: Template) -> None:
        ((name, stream),) = template.events("DynamoDB")

        assert name == "FanoutFunction"
        assert stream["BisectBatchOnFunctionError"] is True
        assert stream["MaximumRetryAttempts"] > 0
        assert references(stream["DestinationConfig"]["OnFailure"]) == {"FanoutDeadLetters"}
        assert stream["StartingPosition"] == "TRIM_HORIZON"

    def test_of_the_stream_lets_new_events_through_alone(self, template: Template) -> None:
        ((_, stream),) = template.events("DynamoDB")
        (pattern,) = stream["FilterCriteria"]["Filters"]

        assert json.loads(pattern["Pattern"]) == {
            "eventName": ["INSERT"],
            "dynamodb": {"Keys": {"sk": {"S": ["EVENT"]}}},
        }

    def test_of_the_sweep_runs_every_minute(self, template: Template) -> None:
        ((name, schedule),) = template.events("Schedule")

        assert name == "RepairFunction"
        assert schedule["Schedule"] == "rate(1 minute)"
        assert json.loads(schedule["Input"]) == {"operation": "sweep"}


class TestTheApi:
    def test_has_routes_that_lead_to_functions_that_may_be_called(self, template: Template) -> None:
        routes = template.of_type("AWS::ApiGatewayV2::Route").values()
        integrations = template.of_type("AWS::ApiGatewayV2::Integration")
        permissions = template.of_type("AWS::Lambda::Permission").values()
        permitted = set[str]().union(*(references(p["FunctionName"]) for p in permissions))

        for route in routes:
            (integration,) = references(route["Target"])
            uri = references(integrations[integration]["IntegrationUri"])
            assert uri <= set(FUNCTIONS)
            assert uri <= permitted

    def test_is_throttled_and_logged_without_what_callers_send(self, template: Template) -> None:
        (stage,) = template.of_type("AWS::ApiGatewayV2::Stage").values()

        settings = stage["DefaultRouteSettings"]
        written = json.loads(stage["AccessLogSettings"]["Format"])
        assert settings.keys() >= {"ThrottlingRateLimit", "ThrottlingBurstLimit"}
        assert stage["StageName"] == "$default"
        assert not {"query", "headers", "body", "ip"} & written.keys()

    def test_speaks_payload_format_2_0(self, template: Template) -> None:
        for integration in template.of_type("AWS::ApiGatewayV2::Integration").values():
            assert integration["PayloadFormatVersion"] == "2.0"


class TestTheStack:
    def test_describes_each_of_its_parameters(self, template: Template) -> None:
        for parameter in template.parameters.values():
            assert parameter["Description"]

    def test_needs_no_answers_to_be_deployed(self, template: Template) -> None:
        assert all("Default" in parameter for parameter in template.parameters.values())

    def test_keeps_private_targets_out_unless_told_otherwise(self) -> None:
        assert default("AllowPrivateTargets") == "false"
        assert default("TargetPorts") == "443,8443"

    def test_keeps_events_longer_than_a_schedule_may_last(self, template: Template) -> None:
        days = template.parameters["RetentionDays"]["MinValue"]

        assert days * 24 * 60 * 60 > MAX_SCHEDULE_S

    def test_tells_what_a_client_needs(self, template: Template) -> None:
        assert template.outputs.keys() >= {
            "ApiUrl",
            "ConfigsFunctionName",
            "IngestFunctionName",
            "EventBusName",
            "IntakeQueueUrl",
            "ImportBucketName",
        }
        for output in template.outputs.values():
            assert output["Description"]
            assert references(output["Value"]) <= template.resources.keys()

    def test_refers_to_nothing_that_it_does_not_have(self, template: Template) -> None:
        known = template.resources.keys() | template.parameters.keys()
        used = references(template.resources) | references(template.outputs)

        assert {name for name in used if not name.startswith("AWS")} <= known

    def test_shows_every_stage_on_its_dashboard(self, template: Template) -> None:
        (dashboard,) = template.of_type("AWS::CloudWatch::Dashboard").values()

        widgets = json.loads(dashboard["DashboardBody"]["Fn::Sub"])["widgets"]
        assert len(widgets) >= 6


class TestWhatWatchesIt:
    def test_has_a_section_of_the_runbook_for_each_alarm_and_no_other(
        self, template: Template
    ) -> None:
        runbook = RUNBOOK.read_text(encoding="utf-8")

        sections = re.findall(r"^### (\w+Alarm)$", runbook, re.MULTILINE)

        assert sorted(sections) == sorted(template.of_type("AWS::CloudWatch::Alarm"))

    @pytest.mark.parametrize("name", sorted(template().of_type("AWS::CloudWatch::Alarm")))
    def test_links_each_alarm_to_its_section(self, name: str) -> None:
        description = template().of_type("AWS::CloudWatch::Alarm")[name]["AlarmDescription"]

        assert description["Fn::Sub"].endswith(f" ${{RunbookUrl}}#{name.lower()}")

    @pytest.mark.parametrize("name", sorted(template().of_type("AWS::CloudWatch::Alarm")))
    def test_says_in_the_runbook_what_it_means_how_to_look_and_what_to_do(self, name: str) -> None:
        section = RUNBOOK.read_text(encoding="utf-8").split(f"### {name}\n")[1].split("\n#")[0]

        for heading in ("**Means.**", "**Look.**", "**Do.**"):
            assert heading in section

    def test_shows_metrics_that_there_are(self) -> None:
        dashboard = template().of_type("AWS::CloudWatch::Dashboard")["Dashboard"]
        body = json.loads(dashboard["DashboardBody"]["Fn::Sub"])
        shown = [metric for widget in body["widgets"] for metric in widget["properties"]["metrics"]]

        own = {metric[1] for metric in shown if metric[0] == "${AWS::StackName}"}
        searched = [metric[0]["expression"] for metric in shown if isinstance(metric[0], dict)]
        found = {name for text in searched for name in re.findall(r'MetricName="(\w+)"', text)}
        known = {metric.name: metric for metric in METRICS}
        assert own | found <= known.keys()
        assert all(known[name].by is None for name in own)
        assert all(f",service,{known[name].by}}}" in " ".join(searched) for name in found)

    def test_names_the_metrics_of_each_stack_after_it(self) -> None:
        for name in FUNCTIONS:
            variables = function(name)["Environment"]["Variables"]
            assert variables["METRICS_NAMESPACE"] == {"Ref": "AWS::StackName"}
