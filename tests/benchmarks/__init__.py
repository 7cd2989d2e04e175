"""What an order costs and how many fit into a second: `make bench`, or `QUICK=1 make bench` for the short form.

cost      one life alone on the stack: capacity, transitions, invocations, sizes, dollars (prices.py)
imports   what importing each handler takes, against boto3 alone
load      orders placed and whole lives a second at 1, 4 and 16 clients; who gets the last 40 units
tables    how it is printed; budgets stand beside the figures and fail nothing

The last line is one JSON object.
"""
