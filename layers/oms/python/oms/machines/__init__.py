"""The state machines' side of the records: what each waiting state waits for, and which executions a record needs."""
