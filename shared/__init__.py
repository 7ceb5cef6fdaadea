"""The platform's rooms; none of them imports from functions/.

api         what every HTTPS function needs: resolver, authentication, errors, paging
workspaces  workspaces and API keys
configs     webhook configs, their triggers and jobs, and the ConfigTable store
actions     action links and forms: what they submit, who may follow them, the event they become
events      accepting an event, and the EventTable store of events
imports     objects of JSON Lines, line by line into events, with a report beside each
visitors    whose an event is: identities, merging, history, erasure
funnelytics what Funnelytics' clients send, and what becomes of it
flowestate  subscriptions, and how FlowEstate tells what is wrong
clickfunnels  endpoints, events and pages as ClickFunnels has them, and its errors
dialects    one module per system: how it is spoken; the payload contract and its schema
delivery    the story of an attempt: gate, breaker, guard, sender, masking, ledger, queues, releases
replays     events once more, or to a config made after them, by jobs that survive a crash
cli         commands for whoever runs a stack; not shipped
"""
