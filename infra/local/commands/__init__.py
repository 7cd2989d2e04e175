"""The sub-commands of `oms`: name and one line of help, in the order in which they are listed.

A sub-command is a module with a docstring, `arguments(parser)`, which declares what it takes, and `run(parsed)`, which returns its
exit code. To add one, write the module and name it here; a module is imported only when it is called.
"""

COMMANDS = {
    "start": "start the stack and stay until Ctrl-C",
    "stop": "stop the stack that runs, saving its state",
    "status": "say whether it runs, where, and what its state machines do",
    "demo": "play the life of one order and exit",
    "replay": "place, ship and capture the invoices of a CSV file",
    "check": "check that stock adds up, and repair what does not",
    "simulate": "run a routing rule group over past orders or a CSV file of invoices; no stock is touched",
    "token": "print an access token for the API",
    "logs": "show what the functions log",
    "open": "show an order, its timeline and its executions",
}
