# SPDX-License-Identifier: LGPL-2.1-or-later
"""For Pipecat, which runs one process for each call:

    order_tools(llm, cart)
    if text := so_far(cart):
        context.add_message({"role": "system", "content": text})
"""

from typing import Any

from corral import Cart
from tools import SCHEMAS, call


def order_tools(llm: Any, cart: Cart) -> None:
    """Register the tools with the service of the model that takes this order."""

    async def run(params: Any) -> None:
        said, op_id = dict(params.arguments), params.tool_call_id
        await params.result_callback(call(cart, params.function_name, said, op_id))

    for schema in SCHEMAS:
        llm.register_function(schema["name"], run)
