"""What a table does with a count, in memory."""

from shared.endpoints.breaker import Count, EndpointHealth


def counted(health: EndpointHealth, count: Count) -> EndpointHealth:
    values, blank = health.model_dump(), EndpointHealth().model_dump()
    values |= {name: value for name, value in count.once.items() if values[name] is None}
    values |= {name: blank[name] if value is None else value for name, value in count.set.items()}
    values |= {name: values[name] + number for name, number in count.add.items()}
    return EndpointHealth.model_validate(values)
