VERSION = "0.1.0"
# How requests of ours name their sender; the number is that of the wire format, not of the code.
USER_AGENT = "Funnelhooks/1"
# FlowEstate names its own, which its receivers may look for.
FLOWESTATE_AGENT = "FlowEstate-Webhook/1.0"
USER_AGENTS = frozenset({USER_AGENT, FLOWESTATE_AGENT})
