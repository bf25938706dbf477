# SPDX-License-Identifier: LGPL-2.1-or-later
"""For LiveKit agents, which run one process for each job:

    async def entrypoint(ctx: JobContext):
        cart = store.cart("luigi", ctx.room.name)
        instructions = "\\n".join(filter(None, ["Take orders.", so_far(cart)]))
        agent = Agent(instructions=instructions, tools=order_tools(cart))
"""

from typing import Any

from corral import Cart
from livekit.agents import RunContext, function_tool
from tools import SCHEMAS, call


def order_tools(cart: Cart) -> list[Any]:
    """The tools of an agent that takes this order."""

    def tool(schema: dict[str, Any]) -> Any:
        async def run(raw_arguments: dict[str, Any], context: RunContext) -> dict[str, Any]:
            return call(cart, schema["name"], raw_arguments, context.function_call.call_id)

        return function_tool(run, raw_schema=schema)

    return [tool(schema) for schema in SCHEMAS]
