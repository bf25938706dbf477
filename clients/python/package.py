# SPDX-License-Identifier: LGPL-2.1-or-later
"""Make the wheel of a build (make python-package), which has the extension and the agent's program
in it: nothing is built, or run, when it is installed. It needs nothing but glibc; the licences of
the libraries that are linked in come from their Debian packages. Prints the wheel's name.
Usage: package.py BUILD VERSION"""

import base64
import hashlib
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).parent
PROGRAMS = ("_corral.abi3.so", "corral-agent")
LINKED_IN = ("jansson", "msgpack", "urcu", "xxhash")
WHEN = (2020, 1, 1, 0, 0, 0)  # of all files, so that the same build gives the same bytes


def contents(build):
    """The package's own files: name -> path. What Python has cached there is not among them."""
    return {
        f"corral/{path.name}": path
        for path in (build / "python" / "corral").iterdir()
        if path.name in PROGRAMS or path.suffix in (".py", ".pyi") or path.name == "py.typed"
    }


def stripped(path):
    with tempfile.NamedTemporaryFile() as copy:
        subprocess.run(["strip", "--strip-unneeded", "-o", copy.name, path], check=True)
        return pathlib.Path(copy.name).read_bytes()


def platform_tag(build):
    """The greatest version of glibc's symbols that they use is the oldest glibc that will do."""
    said = subprocess.run(
        ["objdump", "-T", *(build / "python" / "corral" / name for name in PROGRAMS)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    glibc = max(int(minor) for minor in re.findall(r"GLIBC_2\.([0-9]+)", said))
    return f"manylinux_2_{glibc}_{platform.machine()}"


def metadata(version):
    lines = [
        "Metadata-Version: 2.4",
        "Name: corral-client",
        f"Version: {version}",
        "Summary: Open carts in memory that all processes of a machine share",
        "License-Expression: LGPL-2.1-or-later AND MIT AND BSL-1.0 AND BSD-2-Clause",
        "License-File: LICENSE",
        *(f"License-File: {name}" for name in LINKED_IN),
        "Requires-Python: >=3.11",
        "Description-Content-Type: text/markdown",
    ]
    return "\n".join([*lines, "", (HERE / "README.md").read_text()])


def wheel(tag):
    lines = ("Wheel-Version: 1.0", "Generator: corral", "Root-Is-Purelib: false", f"Tag: {tag}")
    return "\n".join([*lines, ""])


def record_of(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def main():
    build, version = pathlib.Path(sys.argv[1]), sys.argv[2]
    tag = f"cp311-abi3-{platform_tag(build)}"
    info = f"corral_client-{version}.dist-info"
    files = {
        name: stripped(path) if path.name in PROGRAMS else path.read_bytes()
        for name, path in sorted(contents(build).items())
    }
    files[f"{info}/METADATA"] = metadata(version).encode()
    files[f"{info}/WHEEL"] = wheel(tag).encode()
    files[f"{info}/licenses/LICENSE"] = (HERE.parent.parent / "LICENSE").read_bytes()
    for name in LINKED_IN:
        copyright = pathlib.Path(f"/usr/share/doc/lib{name}-dev/copyright")
        files[f"{info}/licenses/{name}"] = copyright.read_bytes()
    record = f"{info}/RECORD"
    lines = [record_of(name, data) for name, data in files.items()]
    files[record] = "".join([*lines, f"{record},,\n"]).encode()
    made = build / f"corral_client-{version}-{tag}.whl"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, WHEN)
            mode = 0o755 if name.removeprefix("corral/") in PROGRAMS else 0o644
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    print(made.name)


if __name__ == "__main__":
    main()
