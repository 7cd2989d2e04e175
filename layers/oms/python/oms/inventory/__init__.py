"""Stock per SKU and location."""
