"""The code that all functions share, in rooms. Imports run down; none comes from functions/.

What happens to an event, in reading order:
events       an event: read, checked, identified, stored once
deliveries   one event on its way to one config: its item, its transitions, its messages
attempts     one HTTP request of a delivery, and what follows from it
endpoints    whether a customer's server may be asked now, and what follows from its responses
repair       finds what a queue, the stream or a crash lost

What customers manage and see:
workspaces   tenants, their limits and retention, API keys
configs      webhook configs: who gets which events, and where
dialects     one module for each wire format
actions      action links and forms
visitors     whose an event is
replays      events once more, by a job
imports      files of events
moving       export and import of configs
privacy      erasure on request, expiry by time
apis         what the clients of each system say: a folder for each

The edges:
outbound     the only way to customers' servers
web          our HTTPS API
aws          DynamoDB, SQS, the Lambda runtime

The ground: tables (keys), input (JSON from outside), and the modules of this folder.
cli has the commands for operators; it is not shipped. tests/rooms.py declares the order.
"""
