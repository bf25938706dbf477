# SPDX-License-Identifier: LGPL-2.1-or-later
"""The wheel can be installed where nothing can be built or fetched, and works there."""

import base64
import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import zipfile

import corral
from kit import BUILD, HERE, plain_environment

PACKAGE = HERE.parent / "package.py"
LICENCES = ("LICENSE", "jansson", "msgpack", "urcu", "xxhash")
PROGRAM = """
import importlib.metadata, sys, corral
assert corral.agent_program.startswith(sys.prefix), corral.agent_program
assert importlib.metadata.version("corral-client") == corral.version
corral.start_agent(sys.argv[1])
with corral.open(sys.argv[1]) as store:
    print(store.cart("r", "s").add(corral.Item("coke", 250)).order.total_cents)
corral.stop_agent(sys.argv[1])
"""


def wanted(info):
    source = HERE.parent / "corral"
    modules = [*source.glob("*.py"), *source.glob("*.pyi"), source / "py.typed"]
    names = [path.name for path in modules] + ["_corral.abi3.so", "corral-agent"]
    metadata = ["METADATA", "WHEEL", "RECORD"] + [f"licenses/{name}" for name in LICENCES]
    return {f"corral/{name}" for name in names} | {f"{info}/{name}" for name in metadata}


def run(*command, **options):
    """What it says."""
    said = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True, **options
    )
    return said.stdout


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.name = run(sys.executable, PACKAGE, BUILD, corral.version).strip()
        cls.info = f"corral_client-{corral.version}.dist-info"

    def test_the_wheel_has_what_is_needed_and_nothing_else(self):
        print(self.name)
        self.assertRegex(
            self.name,
            rf"^corral_client-{re.escape(corral.version)}-cp311-abi3-manylinux_2_\d+_\w+\.whl$",
        )
        with zipfile.ZipFile(BUILD / self.name) as wheel:
            files = {name: wheel.read(name) for name in wheel.namelist()}
        self.assertEqual(set(files), wanted(self.info))
        for name in LICENCES:
            self.assertRegex(files[f"{self.info}/licenses/{name}"], b"Copyright")
        record = dict(
            line.split(",", 1) for line in files[f"{self.info}/RECORD"].decode().splitlines()
        )
        self.assertEqual(set(record), set(files))
        for name, data in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
            of_itself = "," if name.endswith("/RECORD") else None
            self.assertEqual(record[name], of_itself or f"sha256={digest.decode()},{len(data)}")

    def test_the_same_build_gives_the_same_bytes(self):
        before = (BUILD / self.name).read_bytes()
        self.setUpClass()
        self.assertEqual((BUILD / self.name).read_bytes(), before)

    def test_it_is_installed_without_a_network_in_an_empty_environment_and_works_there(self):
        with tempfile.TemporaryDirectory() as dir:
            place = pathlib.Path(dir)
            python = place / "venv/bin/python"
            plain = {"env": plain_environment(), "cwd": dir}
            run(sys.executable, "-m", "venv", "--without-pip", place / "venv", **plain)
            pip = [sys.executable, "-I", "-m", "pip", "--quiet", "--disable-pip-version-check"]
            into = ["--python", python, "install", "--no-index"]
            run(*pip, *into, BUILD / self.name, **plain)
            self.assertEqual(run(python, "-I", "-c", PROGRAM, place / "carts"), "250\n")
