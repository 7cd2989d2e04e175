"""Rule groups tried out on a file of invoices, and what people see of a simulation.

files     reads rules, locations, stock and invoices      centres   the middle of each country
table     the figures side by side                        chart     the same as an SVG picture
"""
