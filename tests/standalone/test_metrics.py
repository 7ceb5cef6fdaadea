import logging
import socket
import uuid
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from aws_lambda_powertools import Logger
from hypothesis import given
from hypothesis import strategies as st

from shared.observability import DELIVERED, FAILED, LATENESS, measured
from shared.standalone.metrics import BUCKETS_MS, TYPE, LineMetrics, Metrics, MetricsServer
from tests.standalone.exposition import read

TIMES = st.lists(st.floats(0, 100_000, allow_nan=False), max_size=20)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def log(metrics: Metrics) -> Logger:
    """A logger whose lines are counted."""
    logger, handler = Logger(service=uuid.uuid4().hex), LineMetrics(metrics)
    logger.addHandler(handler)
    return logger


class TestTheText:
    def test_of_nothing_is_empty(self, metrics: Metrics) -> None:
        assert metrics.text() == ""

    def test_counts_without_losing_a_digit(self, metrics: Metrics) -> None:
        metrics.add("accepted", (), 123_456_789)
        metrics.add("accepted", ())

        found = read(metrics.text())

        assert found["funnelhooks_accepted_total"].kind == "counter"
        assert found["funnelhooks_accepted_total"].of() == 123_456_790

    @given(value=st.text())
    def test_takes_any_text_as_the_value_of_a_label(self, value: str) -> None:
        metrics = Metrics()
        metrics.add("failed", (("cause", value),))

        ((_, labels),) = read(metrics.text())["funnelhooks_failed_total"].samples

        assert labels == {("cause", value)}

    @given(times=TIMES)
    def test_of_a_histogram_has_each_time_in_every_bucket_that_holds_it(
        self, times: list[float]
    ) -> None:
        metrics = Metrics()
        for ms in times:
            metrics.observe("lateness_ms", (), ms)

        if not times:
            assert metrics.text() == ""
            return
        found = read(metrics.text())["funnelhooks_lateness_ms"]
        for bound in BUCKETS_MS:
            assert found.of("_bucket", le=str(bound)) == sum(ms <= bound for ms in times)
        assert found.of("_count") == len(times)
        assert found.of("_sum") == pytest.approx(sum(times))

    def test_asks_for_gauges_when_it_is_read(self, metrics: Metrics) -> None:
        depth = [1.0]
        metrics.gauge(lambda: iter([("queue_messages", (("queue", "q"),), depth[0])]))
        metrics.gauge(lambda: iter([("syncs_total", (), 7)]))

        before = read(metrics.text())
        depth[0] = 2.5

        assert before["funnelhooks_queue_messages"].of(queue="q") == 1
        assert read(metrics.text())["funnelhooks_queue_messages"].of(queue="q") == 2.5
        assert before["funnelhooks_syncs_total"].kind == "counter"


@pytest.mark.parametrize(
    "text",
    [
        "a 1",
        "a 1\n",
        "# TYPE a counter\nb 1\n",
        "# TYPE a counter\na one\n",
        '# TYPE a counter\na{b="c} 1\n',
        "# TYPE a counter\na 1\na 2\n",
        "# TYPE a counter\n# TYPE a counter\n",
        '# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
    ],
)
def test_the_reader_refuses_what_is_no_text_of_prometheus(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- the text is the reader's own
        read(text)


class TestLogLines:
    def test_are_counted_by_what_they_measure(self, metrics: Metrics, log: Logger) -> None:
        for cause in ("timeout", "timeout", "status"):
            log.info("attempt.settled", cause=cause, **measured({FAILED: 1, LATENESS: 20}))
        log.info("attempt.settled", config_id="c-1", **measured({DELIVERED: 1}))

        found = read(metrics.text())

        assert found["funnelhooks_failed_total"].of(cause="timeout") == 2
        assert found["funnelhooks_failed_total"].of(cause="status") == 1
        assert found["funnelhooks_delivered_total"].of() == 1
        assert found["funnelhooks_lateness_ms"].of("_count") == 3

    def test_give_ids_to_no_label(self, metrics: Metrics, log: Logger) -> None:
        for number in range(100):
            log.info("attempt.settled", event_id=f"e-{number}", **measured({DELIVERED: 1}))

        assert len(read(metrics.text())["funnelhooks_delivered_total"].samples) == 1

    def test_about_errors_are_counted_by_their_message(self, metrics: Metrics, log: Logger) -> None:
        log.error("batch.failed", error="KeyError")
        log.warning("client.plain")
        log.info("plain")

        (one,) = read(metrics.text()).items()
        assert one[0] == "funnelhooks_errors_total"
        assert one[1].of(message="batch.failed") == 1

    def test_of_other_libraries_do_not_count(self, metrics: Metrics) -> None:
        logging.getLogger("urllib3").error("https://example.com/an-id")

        assert metrics.text() == ""


class TestTheServer:
    def test_answers_metrics_and_nothing_else(self, metrics: Metrics) -> None:
        metrics.answered(202, 0.004)
        server = MetricsServer(metrics, 0)
        server.start()
        try:
            with urlopen(server.url) as answer:
                told, kind = answer.read().decode(), answer.headers["Content-Type"]
            with pytest.raises(HTTPError, match="404") as refused:
                urlopen(server.url.replace("/metrics", "/other"))
            refused.value.close()
        finally:
            server.stop()

        assert kind == TYPE
        assert read(told)["funnelhooks_http_request_ms"].of("_count", status="202") == 1

    def test_needs_a_port_that_is_free(self, metrics: Metrics) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError):  # noqa: PT011
            MetricsServer(metrics, taken.getsockname()[1])
