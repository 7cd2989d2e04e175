"""Rule groups tried out on a file of invoices.

files     reads rules, locations, stock and invoices      centres   the middle of each country
"""
