"""Carriers: what they tell us of parcels."""
