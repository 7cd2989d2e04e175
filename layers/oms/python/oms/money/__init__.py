"""Exact money: whole minor units, frozen shares per unit."""
