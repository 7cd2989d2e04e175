"""Money in and out: tenders folded from events, gateways, funds, invoices and credit memos."""
