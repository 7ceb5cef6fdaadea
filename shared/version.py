VERSION = "0.1.0"
# How requests of ours name their sender; the number is that of the wire format, not of the code.
USER_AGENT = "Funnelhooks/1"
