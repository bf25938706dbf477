# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the model may call. Each call is one change of the cart, under the call's own id: when it
comes again, after a lost answer or to another job, it is not made again."""

from typing import Any, Optional

from corral import Answer, Cart, CorralError, Order
from menu import TAX_PPM, to_item

Json = dict[str, Any]


def schema(name: str, description: str, properties: Json) -> Json:
    parameters = {"type": "object", "properties": properties}
    return {"type": "function", "name": name, "description": description, "parameters": parameters}


ITEM: Json = {
    "id": {"type": "string"},
    "quantity": {"type": "integer"},
    "modifiers": {"type": "array", "items": {"type": "string"}},
    "notes": {"type": "string"},
}
SCHEMAS = [
    schema("add_to_order", "Add an item, or several: items", {**ITEM, "items": {"type": "array"}}),
    schema("remove_from_order", "Remove an item, or some of it", ITEM),
    schema("clear_order", "Begin anew", {}),
    schema("confirm_order", "The customer wants it so", {"version": {"type": "integer"}}),
]


def tell(order: Optional[Order]) -> Json:
    """What the model reads out. The version is what the customer has heard."""
    if order is None:
        return {"order": [], "total": 0}
    lines = [
        [f"{line.quantity}", line.name, *(wish.name for wish in line.modifiers), line.notes]
        for line in order.items
    ]
    return {
        "order": [" ".join(filter(None, line)) for line in lines],
        "total": order.total_cents,
        "version": order.version,
    }


def change(cart: Cart, name: str, said: Json, op_id: str) -> Answer:
    if name == "add_to_order":  # kiosk style: several items; staff style: one
        items = [to_item(item) for item in said.get("items", [said])]
        return cart.add(items, op_id=op_id, tax_ppm=TAX_PPM)
    if name == "remove_from_order" and "quantity" in said:
        return cart.change_quantity(said["id"], -said["quantity"], op_id=op_id)
    if name == "remove_from_order":
        return cart.remove(said["id"], op_id=op_id)
    if name == "clear_order":
        return cart.clear(op_id=op_id)
    if name == "confirm_order":
        return cart.checkout(op_id=op_id, if_version=said["version"])
    raise ValueError(f"there is no tool {name}")


# What an error means to the model, which says it in its own words.
MEANINGS = {
    "ECANCELED": "the order has changed since it was read out: read it again",
    "ESHUTDOWN": "the order is confirmed already",
    "ENOENT": "there is no order yet",
    "ENXIO": "that is not in the order",
    "EMLINK": "there are several of these: ask which one",
    "EBUSY": "try again",
}


def call(cart: Cart, name: str, said: Json, op_id: str) -> Json:
    """Make a tool call; what it answers is for the model."""
    try:
        answer = change(cart, name, said, op_id)
    except CorralError as error:
        if error.code not in MEANINGS:
            raise
        return {"error": MEANINGS[error.code]}
    except (KeyError, TypeError, ValueError) as error:
        return {"error": str(error)}
    return {"confirmed": answer.status == "checked_out", **tell(answer.order)}


def so_far(cart: Cart) -> Optional[str]:
    """What a job tells the model when it takes up a call: None if it is a new one. After a crash
    the order is there, and the next job goes on with it."""
    order = cart.get()
    return None if order is None else f"The order so far: {tell(order)}"
