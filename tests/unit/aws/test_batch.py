from shared.aws.batch import Record, each, failures, message_id

RECORDS = [{"messageId": "m1", "body": "1"}, {"messageId": "m2", "body": "x"}, {"messageId": "m3"}]


def test_a_bad_record_comes_back_alone() -> None:
    worked = []

    def work(record: Record) -> None:
        worked.append(int(record["body"]))

    failed = each(RECORDS[:2], message_id, work)

    assert failed == ["m2"]
    assert worked == [1]


def test_a_record_after_a_bad_one_is_still_worked_on() -> None:
    seen = []

    def work(record: Record) -> None:
        seen.append(record["messageId"])
        if record["messageId"] == "m2":
            raise ValueError

    assert each(RECORDS, message_id, work) == ["m2"]
    assert seen == ["m1", "m2", "m3"]


def test_failures_are_told_as_lambda_reads_them() -> None:
    assert failures(["m2"]) == {"batchItemFailures": [{"itemIdentifier": "m2"}]}
    assert failures([]) == {"batchItemFailures": []}
