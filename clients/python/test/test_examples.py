# SPDX-License-Identifier: LGPL-2.1-or-later
"""The voice-order example takes the order that its caller makes, though a job is killed in the
middle of it; its adapters are tried with stand-ins of the interfaces of LiveKit and Pipecat."""

import asyncio
import dataclasses
import importlib
import subprocess
import sys
import types

from kit import HERE, ArenaTest

EXAMPLE = HERE.parent / "examples" / "voice_order"
ORDER = [
    ("call_1", "add_to_order", {"items": [{"id": "burger", "modifiers": ["bacon"]}]}),
    ("call_2", "add_to_order", {"id": "coke", "quantity": 3, "notes": "cold"}),
    ("call_2", "add_to_order", {"id": "coke", "quantity": 3, "notes": "cold"}),
    ("call_3", "add_to_order", {"id": "pizza"}),
    ("call_4", "remove_from_order", {"id": "coke", "quantity": 1}),
    ("call_5", "remove_from_order", {"id": "fries"}),
]
ANSWERED = ["1 Burger bacon", "2 Coke cold"]


@dataclasses.dataclass
class FunctionCall:
    """As LiveKit's, of which the id counts."""

    call_id: str


@dataclasses.dataclass
class RunContext:
    function_call: FunctionCall


def function_tool(function, *, raw_schema):
    """As LiveKit's, which makes a tool of a function that takes what the model said as it is."""
    function.schema = raw_schema
    return function


@dataclasses.dataclass
class FunctionCallParams:
    """As Pipecat's."""

    function_name: str
    tool_call_id: str
    arguments: dict
    result_callback: object


class Examples(ArenaTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.enterClassContext(importing(EXAMPLE))

    def ordered(self, cart, answers):
        so_far = importlib.import_module("tools").so_far
        self.assertEqual(answers[-2]["order"], ANSWERED)
        self.assertEqual(answers[1], answers[2])
        self.assertIn("no pizza", answers[3]["error"])
        self.assertIn("not in the order", answers[5]["error"])
        # another job
        self.assertIn(str(ANSWERED), so_far(self.store.cart("luigi", cart.session_id)))
        self.assertIsNone(so_far(self.store.cart("luigi", "another call")))
        self.assertEqual(cart.get().version, 3)

    def test_the_adapter_for_livekit(self):
        agents = types.ModuleType("livekit.agents")
        agents.RunContext, agents.function_tool = RunContext, function_tool
        sys.modules["livekit"], sys.modules["livekit.agents"] = types.ModuleType("livekit"), agents
        self.addCleanup(sys.modules.pop, "livekit")
        self.addCleanup(sys.modules.pop, "livekit.agents")
        adapter = importlib.import_module("livekit_tools")
        cart = self.fresh()
        tools = {tool.schema["name"]: tool for tool in adapter.order_tools(cart)}
        answers = [
            asyncio.run(tools[name](said, RunContext(FunctionCall(id)))) for id, name, said in ORDER
        ]
        self.ordered(cart, answers)

    def test_the_adapter_for_pipecat(self):
        adapter = importlib.import_module("pipecat_tools")
        cart, handlers, answers = self.fresh(), {}, []

        class Llm:
            register_function = staticmethod(handlers.__setitem__)

        async def result(value):
            answers.append(value)

        adapter.order_tools(Llm, cart)
        for id, name, said in ORDER:
            asyncio.run(handlers[name](FunctionCallParams(name, id, said, result)))
        self.ordered(cart, answers)

    def test_the_voice_order_is_right_to_the_cent_though_a_job_was_killed_in_its_middle(self):
        run = subprocess.run(
            [sys.executable, str(EXAMPLE / "start.py")], capture_output=True, text=True
        )
        self.assertEqual(run.returncode, 0, run.stderr)
        # 8.99 + (8.99 + 1.50) + 2 * 2.50, and 8.25 %
        self.assertTrue(run.stdout.endswith("\nconfirmed: true, total 2650 cents\n"), run.stdout)
        self.assertIn("there is no pizza on the menu", run.stdout)
        self.assertEqual(run.stdout.count("a new job: The order so far"), 2)


class importing:
    """Modules of this folder can be imported in the block."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __enter__(self):
        sys.path.insert(0, self.folder)

    def __exit__(self, *error):
        sys.path.remove(self.folder)
