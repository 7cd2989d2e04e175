"""Identity: an order's id is born once; everything under it is derived from it.

    ord_<key>    fo_<key>_1    shp_<key>_2    pay_<key>_1    inv_<key>_1    ret_<key>_1    cm_<key>_1    exc_<key>_3

So the order of any record is read off the record's id, and no look-up table can disagree with it. A checkout reservation, res_<key>, is
born like an order and belongs to none.
"""

from __future__ import annotations

import base64
import os
import time

_KEY_LENGTH = 20


def new_order_id() -> str:
    """A new order id."""
    return new_id("ord")


def new_id(prefix: str) -> str:
    """A new id: 6 bytes of time (so that ids sort by age) and 6 random bytes, in lower-case base32hex."""
    raw = int(time.time() * 1000).to_bytes(6, "big") + os.urandom(6)
    return f"{prefix}_" + base64.b32hexencode(raw).decode().rstrip("=").lower()


def part_id(prefix: str, order_id: str, number: int) -> str:
    """Id of an order's `number`-th record of a kind: part_id("fo", "ord_x", 1) is "fo_x_1"."""
    return f"{prefix}_{order_id.removeprefix('ord_')}_{number}"


def invoice_of(shipment_id: str) -> str:
    """Id of a shipment's invoice."""
    return shipment_id.replace("shp_", "inv_", 1)


def memo_of(return_id: str, settled: int) -> str:
    """Id of the credit memo of a return of which so many units were settled before."""
    return f"{return_id.replace('ret_', 'cm_', 1)}_{settled}"


def invoice_of_return(return_id: str, settled: int) -> str:
    """Id of the invoice of a return's fees, when so many units were settled before: ret_<key>_1 has inv_<key>_r1_0."""
    return f"{_part_of('inv', 'r', return_id)}_{settled}"


def invoice_of_change(change_id: str) -> str:
    """Id of the invoice of what a change adds to the price: chg_<key>_2 has inv_<key>_c2."""
    return _part_of("inv", "c", change_id)


def memo_of_change(change_id: str) -> str:
    """Id of the credit memo of what a change takes off units that had left."""
    return _part_of("cm", "c", change_id)


def _part_of(prefix: str, letter: str, record_id: str) -> str:
    _, key, number = record_id.split("_")
    return f"{prefix}_{key}_{letter}{number}"


def order_of(record_id: str) -> str | None:
    """The order id that a derived id belongs to, or None when it is not such an id."""
    parts = record_id.split("_")
    if len(parts) >= 2 and len(parts[1]) == _KEY_LENGTH and parts[1].isalnum():
        return f"ord_{parts[1]}"
    return None
