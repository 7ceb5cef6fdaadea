"""The program as a process: how it starts, what it prints and leaves, and how it ends."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

from shared.standalone import admin
from shared.standalone.__main__ import main
from tests.local import standalone
from tests.local.receiver import Receiver, Reply
from tests.local.standalone import Standalone
from tests.stack.client import Client, until
from tests.standalone.exposition import Family, read

ROOT = Path(__file__).parents[2]
LABELS = {"function", "reason", "cause", "message", "status", "queue", "part", "le"}


def log_of(folder: Path) -> list[str]:
    return (folder / "standalone.log").read_text(encoding="utf-8").splitlines()


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log_of(folder) if line.startswith("{")]


def metrics_of(program: Standalone) -> dict[str, Family]:
    return read(requests.get(str(program.metrics_url), timeout=60).text)


def refused(*options: str) -> str:
    """What a program that cannot start says."""
    words = [sys.executable, "-m", "shared.standalone", "--port", "0", *options]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr


@contextlib.contextmanager
def running(folder: Path, *options: str) -> Iterator[Standalone]:
    program = standalone.start(folder, standalone.LOCAL_PARAMETERS, *options)
    try:
        yield program
    finally:
        if folder.joinpath("standalone.json").exists():
            program.stop()


class TestAProgramThatStarts:
    def test_says_so_in_one_line(self, folder: Path) -> None:
        with running(folder) as program:
            plain = [line for line in log_of(folder) if not line.startswith("{")]

        (line,) = plain
        assert line.startswith(f"Funnelhooks listens on {program.api_url}; ")

    def test_keeps_its_key_and_its_data_from_other_users(self, folder: Path) -> None:
        with running(folder) as program:
            modes = [
                path.stat().st_mode & 0o077
                for path in (program.data, folder / "standalone.json", program.data / "admin.sock")
            ]

        assert modes == [0, 0, 0]

    def test_is_ready(self, program: Standalone) -> None:
        assert requests.get(f"{program.api_url}/ready", timeout=60).json() == {"message": "OK"}

    def test_knows_its_first_workspace_again(self, folder: Path) -> None:
        with running(folder) as first:
            pass
        with running(folder) as second:
            client = requests.Session()
            client.headers["Authorization"] = f"Bearer {first.api_key}"
            answer = client.get(f"{second.api_url}/v1/events", timeout=60)

        assert (first.api_key, first.workspace_id) == (second.api_key, second.workspace_id)
        assert answer.status_code == 200

    def test_on_ipv6_has_an_address_that_a_client_can_use(self, folder: Path) -> None:
        with running(folder, "--host", "::1") as program:
            assert program.api_url.startswith("http://[::1]:")
            assert requests.get(f"{program.api_url}/ready", timeout=60).ok

    def test_speaks_https_with_a_certificate(self, folder: Path) -> None:
        authority = trustme.CA()
        made = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(folder / "ca.pem")
        made.private_key_pem.write_to_path(folder / "key.pem")
        for part in made.cert_chain_pems:
            part.write_to_path(folder / "cert.pem", append=True)
        files = ("--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem"))

        with running(folder, *files) as program:
            assert program.api_url.startswith("https://")
            answer = requests.get(
                f"{program.api_url}/ready", verify=str(folder / "ca.pem"), timeout=60
            )
            with pytest.raises(requests.exceptions.SSLError):
                requests.get(f"{program.api_url}/ready", timeout=60)

        assert answer.ok

    @pytest.mark.parametrize(
        ("options", "scheme"), [((), "http"), (("--proxy", "127.0.0.1"), "https")]
    )
    def test_believes_the_proxies_that_it_is_told_and_no_others(
        self, folder: Path, options: tuple[str, ...], scheme: str
    ) -> None:
        link = {"funnel_id": "f", "node_id": "n", "action_number": 1}
        with running(folder, *options) as program:
            headers = {"X-Forwarded-Proto": "https"}
            made = Client(program).call("POST", "/v1/actions/links", json=link, headers=headers)

        assert made.ok, made.text
        assert made.json()["url"].startswith(f"{scheme}://127.0.0.1:")

    def test_by_make_takes_the_words_of_make(self, folder: Path) -> None:
        given = [f"DATA={folder}/d", "PORT=0", "HOST=127.0.0.1"]
        given += ["PARAMETERS=RetentionDays=9 AllowPrivateTargets=true", "-o", ".venv/.stamp"]
        flags = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
        environment = {name: value for name, value in os.environ.items() if name not in flags}
        environment["FUNNELHOOKS_STATE"] = str(folder)

        process = subprocess.Popen(
            ["make", "serve", *given], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        description = json.loads((folder / "standalone.json").read_text(encoding="utf-8"))
        os.kill(description["pid"], signal.SIGTERM)

        assert process.wait(standalone.STOP_S) == 0
        process.stdout.close()
        assert line.startswith("Funnelhooks listens on http://127.0.0.1:")
        assert description["data"] == f"{folder}/d"


def test_the_unit_of_the_document_gives_options_that_there_are() -> None:
    unit = (ROOT / "docs" / "standalone.md").read_text(encoding="utf-8")
    (words,) = re.findall(r"^ExecStart=\S+ -m shared\.standalone (.*)$", unit, re.MULTILINE)

    context = main.make_context("standalone", words.split())

    assert context.params["proxies"] == ("127.0.0.1",)
    assert context.params["data"] == context.params["state"]


class TestAProgramThatCannotStart:
    def test_says_that_its_data_is_in_use(self, program: Standalone) -> None:
        told = refused("--data", str(program.data))

        assert told == f"Error: {program.data}/funnelhooks.sqlite is in use by another program.\n"
        assert requests.get(f"{program.api_url}/ready", timeout=60).ok

    @pytest.mark.parametrize("option", ["--port", "--metrics-port"])
    def test_says_that_a_port_is_taken(self, folder: Path, option: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            told = refused("--data", str(folder / "data"), option, str(port))

        assert told == (
            f"Error: Cannot listen on port {port} of 127.0.0.1: Address already in use. "
            f"Choose with {option}.\n"
        )

    def test_says_that_its_path_is_too_long_for_a_socket(self, folder: Path) -> None:
        told = refused("--data", str(folder / ("d" * 120)))

        assert told.startswith("Error: ")
        assert told.endswith("choose a data folder with a shorter path.\n")
        assert told.count("\n") == 1
        assert list(folder.iterdir()) == []

    def test_says_that_its_certificate_is_none(self, folder: Path) -> None:
        (folder / "text.pem").write_text("no certificate")
        pem = str(folder / "text.pem")

        told = refused("--data", str(folder / "data"), "--cert", pem, "--key", pem)

        assert "are no certificate and its key" in told
        assert told.count("\n") == 1


class TestAnAnswerOnTheWire:
    def test_to_head_has_no_body(self, program: Standalone) -> None:
        address = program.api_url.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1])), timeout=60) as connection:
            connection.sendall(b"HEAD /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            told = b"".join(iter(lambda: connection.recv(4096), b""))

        head, _, body = told.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"content-length: 17" in head
        assert body == b""

    def test_to_a_head_without_an_end_is_431(self, program: Standalone) -> None:
        address = program.api_url.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1])), timeout=60) as connection:
            connection.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\nX-Long: ")
            # It answers before all of this is sent, and may close the connection meanwhile.
            with contextlib.suppress(ConnectionError):
                for _ in range(1_000):
                    connection.sendall(b"y" * 65_536)
                pytest.fail("64 MB of headers were read")
            with contextlib.suppress(ConnectionError):
                told = connection.recv(4096)
                assert told.startswith(b"HTTP/1.1 431 ")

        assert requests.get(f"{program.api_url}/ready", timeout=60).ok

    def test_to_a_head_of_60_kb_is_an_answer(self, program: Standalone) -> None:
        headers = {f"X-{number}": "y" * 6_000 for number in range(10)}

        answer = requests.get(f"{program.api_url}/ready", headers=headers, timeout=60)

        assert answer.status_code == 200

    def test_to_an_event_has_the_correlation_id_of_its_lines(
        self, folder: Path, receiver: Receiver
    ) -> None:
        count = 24
        with running(folder) as program, ThreadPoolExecutor(count) as pool:
            client = Client(program)
            client.make_config(receiver.url("/in"))
            headers = {"Authorization": f"Bearer {client.api_key}"}
            together = threading.Barrier(count)

            def send(number: int) -> str:
                together.wait()
                body = {"event_type": "node_execution", "event_id": f"e-{number}"}
                url = f"{program.api_url}/v1/events"
                answer = requests.post(url, json=body, headers=headers, timeout=600)
                assert answer.status_code == 202
                return answer.headers["apigw-requestid"]

            told = dict(enumerate(pool.map(send, range(count))))
            for number in told:
                client.wait_for(f"e-{number}", "delivered")

        lines = lines_of(folder)
        accepted = {
            line["event_id"]: (line["correlation_id"], line["service"])
            for line in lines
            if line["message"] == "event.accepted"
        }
        settled = [line for line in lines if line["message"] == "attempt.settled"]
        assert accepted == {f"e-{number}": (told[number], "ingest") for number in told}
        assert {line["service"] for line in settled} == {"dispatch"}
        assert not {line["correlation_id"] for line in settled} & set(told.values())
        assert {line["service"] for line in lines if line["message"] == "fanned_out"} == {"fanout"}


class TestMetrics:
    def test_are_text_of_prometheus_with_labels_that_do_not_grow(
        self, program: Standalone, client: Client, receiver: Receiver
    ) -> None:
        config = client.make_config(receiver.url("/in"))
        events = [client.send() for _ in range(3)]
        for event_id in events:
            client.wait_for(event_id, "delivered")
        client.call("GET", f"/v1/deliveries/{events[0]}")

        found = metrics_of(program)

        labels = {label for one in found.values() for _, told in one.samples for label in told}
        assert {name for name, _ in labels} <= LABELS
        assert not {value for _, value in labels} & {config.id, client.workspace_id, *events}
        assert found["funnelhooks_accepted_total"].of(function="ingest") >= 3
        assert found["funnelhooks_delivered_total"].of(function="dispatch") >= 3
        assert found["funnelhooks_http_request_ms"].of("_count", status="202") >= 3
        assert found["funnelhooks_queue_messages"].of(queue="DispatchQueue") >= 0
        assert found["funnelhooks_syncs_total"].of() >= 1

    def test_are_not_told_to_those_who_reach_the_api(self, program: Standalone) -> None:
        answer = requests.get(f"{program.api_url}/metrics", timeout=60)

        assert "funnelhooks_" not in answer.text


def test_what_the_operator_has_deleted_stays_deleted_after_a_crash(folder: Path) -> None:
    program = standalone.start(folder)
    body = json.dumps({"workspace_id": program.workspace_id, "event_type": "none"})
    record = {"messageId": "m-1", "body": body, "eventSource": "aws:sqs"}
    admin.invoke(program.data, "ingest", {"Records": [record]})
    letters = {"queue": "IntakeDeadLetters", "count": 10}
    before = admin.call(program.data, "letters", **letters)

    deleted = admin.call(program.data, "delete", queue="IntakeDeadLetters")
    program.kill()

    with running(folder) as again:
        assert (len(before), deleted) == (1, 1)
        assert admin.call(again.data, "letters", **letters) == []


class TestAProgramThatIsToldToEnd:
    def test_answers_the_request_that_is_under_way(self, folder: Path) -> None:
        program = standalone.start(folder)
        body = json.dumps({"event_type": "node_execution", "event_id": "last"}).encode()
        address = program.api_url.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1])), timeout=600) as connection:
            connection.sendall(
                b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Authorization: Bearer %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n"
                % (program.api_key.encode(), len(body))
            )
            # It reads the request now, and so the request is under way.
            assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
            os.kill(program.pid, signal.SIGTERM)
            until(lambda: not _listens(program), "it accepts no new connection")
            connection.sendall(body)
            told = b"".join(iter(lambda: connection.recv(4096), b""))

        assert told.startswith(b"HTTP/1.1 202 ")
        assert program.wait() == 0
        with running(folder) as again:
            headers = {"Authorization": f"Bearer {again.api_key}"}
            url = f"{again.api_url}/v1/events/last"
            assert requests.get(url, headers=headers, timeout=60).ok

    def test_settles_the_deliveries_that_are_under_way(
        self, folder: Path, receiver: Receiver
    ) -> None:
        program, go_on = standalone.start(folder), threading.Event()
        receiver.script("/in", [Reply(after=go_on)])
        client = Client(program)
        client.make_config(receiver.url("/in"))
        event_id = client.send()
        receiver.wait_for(1, "/in")

        os.kill(program.pid, signal.SIGTERM)
        until(lambda: not _listens(program), "it accepts no new connection")
        go_on.set()

        assert program.wait() == 0
        assert not (folder / "standalone.json").exists()
        with running(folder) as again:
            client.api_url = again.api_url
            (delivery,) = client.deliveries(event_id)
        assert (delivery["state"], delivery["attempt"]) == ("delivered", 1)
        assert len(receiver.requests("/in")) == 1

    def test_under_load_loses_nothing_that_it_has_accepted(
        self, folder: Path, receiver: Receiver
    ) -> None:
        program = standalone.start(folder)
        client = Client(program)
        client.make_config(receiver.url("/in"))
        headers = {"Authorization": f"Bearer {client.api_key}"}
        accepted, statuses, senders = list[str](), set[int](), 8

        def send(sender: int) -> None:
            with requests.Session() as session:
                session.headers.update(headers)
                for number in range(100_000):
                    event_id = f"e-{sender}-{number}"
                    body = {"event_type": "node_execution", "event_id": event_id}
                    try:
                        answer = session.post(
                            f"{program.api_url}/v1/events", json=body, timeout=600
                        )
                    except requests.RequestException:
                        return
                    statuses.add(answer.status_code)
                    accepted.append(event_id)

        with ThreadPoolExecutor(senders) as pool:
            sending = [pool.submit(send, sender) for sender in range(senders)]
            receiver.wait_for(50, "/in")
            code = program.stop()
            for one in sending:
                one.result()

        assert code == 0
        assert statuses == {202}
        assert not (folder / "standalone.json").exists()
        with running(folder) as again:
            client.api_url = again.api_url
            for event_id in accepted:
                client.wait_for(event_id, "delivered")
        sent = [one.headers["webhook-id"] for one in receiver.requests("/in")]
        assert len(sent) == len(set(sent))
        assert len(sent) >= len(accepted)


def _listens(program: Standalone) -> bool:
    host, port = program.api_url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=60).close()
    except ConnectionRefusedError:
        return False
    return True
