"""Waits for what the demo expects, and shows it as it comes."""

import time
from collections import Counter
from collections.abc import Sequence

from tests.local.demo_api import Api
from tests.local.demo_check import Config, Expected, Result, event_type, match
from tests.local.demo_show import Screen
from tests.local.receiver import Received, Receiver

PATIENCE_S = 60
REMIND_EVERY_S = 10


class Watch:
    def __init__(
        self,
        api: Api,
        screen: Screen,
        receiver: Receiver,
        configs: Sequence[Config],
        expected: Sequence[Expected],
    ) -> None:
        self._api = api
        self._screen = screen
        self._receiver = receiver
        self._configs = configs
        self._expected = expected
        self._shown = Counter[str]()
        self._began = time.monotonic()

    def results(self) -> list[Result]:
        """Those that there are, once there are all, or after PATIENCE_S."""
        self._screen.heading("Webhooks, in seconds since the first 202")
        remind_at = REMIND_EVERY_S
        with self._screen.progress("where they should be", len(self._expected)) as bar:
            while True:
                results = self._look()
                absent = [result for result in results if not result.is_there]
                bar.show(len(results) - len(absent))
                if not absent or self._waited_s() > PATIENCE_S:
                    return results
                if self._waited_s() > remind_at:
                    self._remind(absent)
                    remind_at += REMIND_EVERY_S
                time.sleep(0.1)

    def _look(self) -> list[Result]:
        deliveries = {config.id: self._api.deliveries(config.id) for config in self._configs}
        received = self._receiver.requests()
        for request in received[self._shown.total() :]:
            self._show(request)
        return match(self._expected, deliveries, received)

    def _show(self, request: Received) -> None:
        name = request.path.strip("/")
        number = self._shown[name]
        self._shown[name] += 1
        answers = next((c.answers for c in self._configs if c.name == name), (404,))
        answer = answers[number] if number < len(answers) else 200
        after_s = request.monotonic - self._expected[0].accepted_at
        self._screen.webhook(after_s, name, event_type(request), answer)

    def _remind(self, absent: Sequence[Result]) -> None:
        names = ", ".join(str(result.expected) for result in absent)
        self._screen.line(f"still waiting after {self._waited_s():.0f} s for {names}")

    def _waited_s(self) -> float:
        return time.monotonic() - self._began
