"""What functions are called with, HTTP and events, and what they answer."""

from oms.api import cold_start

cold_start.begin()
