"""Real sales, replayed: a CSV file of invoices becomes orders, placed and driven through the API.

rows      reads the file                       mapping   invoices into order bodies (no I/O)
stock     puts what the orders ask for         drive     places one order and sees it through
runner    many at once, with measurements      report    what people read at the end
"""
