"""The functions of the template in this process: their handlers, environments and contexts."""

import importlib
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cached_property
from time import monotonic
from typing import Any

from shared.observability import logger
from shared.standalone.engine.template import Json, Template, resolved

# What stands for an account and a region in events and ARNs.
ACCOUNT = "000000000000"
REGION = "local"
MAX_FAILURES = 1_000

_current: ContextVar["StandaloneFunction | None"] = ContextVar("function", default=None)


class InvocationContext:
    """What Lambda hands to a handler beside the event."""

    def __init__(self, function: "StandaloneFunction") -> None:
        self.function_name = function.name
        self.function_version = "$LATEST"
        self.memory_limit_in_mb = function.memory_mb
        self.invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function.name}"
        self.aws_request_id = str(uuid.uuid4())
        self._deadline = monotonic() + function.timeout_s

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round(1000 * (self._deadline - monotonic())))


class StandaloneFunction:
    """`stage` is its short name: ingest, fanout, …"""

    def __init__(self, stage: str, properties: Json, variables: Mapping[str, str]) -> None:
        module, _, handler = properties["Handler"].rpartition(".")
        self.name = stage
        self.timeout_s: int = properties["Timeout"]
        self.memory_mb: int = properties.get("MemorySize", 512)
        self.variables = variables
        self._failures: deque[float] = deque(maxlen=MAX_FAILURES)
        self._module = module
        self._handler_name = handler

    @cached_property
    def handler(self) -> Callable[[Any, Any], Any]:
        """It is imported in the environment of the function."""
        token = _current.set(self)
        try:
            module = importlib.import_module(self._module)
        finally:
            _current.reset(token)
        handler: Callable[[Any, Any], Any] = getattr(module, self._handler_name)
        return handler

    def invoke(self, event: Any) -> Any:
        """The handler's answer, on the caller's thread. Raises what the handler raises."""
        handler = self.handler
        token, context = _current.set(self), InvocationContext(self)
        logger.thread_safe_append_keys(service=self.name, correlation_id=context.aws_request_id)
        try:
            return handler(event, context)
        except Exception:
            self._failures.append(monotonic())
            raise
        finally:
            _current.reset(token)

    def failures_since(self, moment: float) -> int:
        """Invocations that raised an error after that moment of `monotonic`: 1,000 at most,
        and none from before the program started."""
        return sum(failed > moment for failed in self._failures.copy())


class FunctionEnvironment(Mapping[str, str]):
    """The variables of the function that runs on this thread.

    A thread that belongs to no function, such as one of a look-up of DNS, reads the variables that
    have one value in all functions.
    """

    def __init__(self, functions: Mapping[str, StandaloneFunction]) -> None:
        values: dict[str, set[str]] = {}
        for function in functions.values():
            for name, value in function.variables.items():
                values.setdefault(name, set()).add(value)
        self._common = {name: found.pop() for name, found in values.items() if len(found) == 1}

    def __getitem__(self, name: str) -> str:
        return self._mine()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._mine())

    def __len__(self) -> int:
        return len(self._mine())

    def _mine(self) -> Mapping[str, str]:
        function = _current.get()
        return self._common if function is None else {**self._common, **function.variables}


def current_function() -> str | None:
    """The short name of the function that runs on this thread."""
    function = _current.get()
    return None if function is None else function.name


def functions_of(
    template: Template, parameters: Mapping[str, str], urls: Mapping[str, str]
) -> dict[str, StandaloneFunction]:
    """By their short names. `urls` are those of the queues, by logical id."""
    return {
        stage_of(name): StandaloneFunction(
            stage_of(name), properties, _variables(properties, template, parameters, urls)
        )
        for name, properties in template.functions().items()
    }


def stage_of(logical_id: str) -> str:
    return logical_id.removesuffix("Function").lower()


def _variables(
    properties: Json,
    template: Template,
    parameters: Mapping[str, str],
    urls: Mapping[str, str],
) -> dict[str, str]:
    def ref(name: str) -> str:
        if name in template.parameters:
            return str(template.parameter(name, parameters))
        return "Funnelhooks" if name == "AWS::StackName" else urls.get(name, name)

    given = resolved(properties["Environment"]["Variables"], ref, {})
    return {name: str(value) for name, value in given.items()}
