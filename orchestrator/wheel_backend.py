"""Builds the wheel of the three programs: a backend as in PEP 517, of the standard library alone.

maturin makes one wheel of one package; here one wheel holds the programs of three. By hand:

    pip wheel --no-deps -w dist ./orchestrator

Settings (`--config-settings NAME=VALUE`): `profile`, by default `dist`, which takes long; `release`
for a trial. `target`, by default the machine's.
"""

import base64
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
NAME = "mlproject_orchestrator"
PROGRAMS = ["orchestrator", "data_download", "data_cleaning"]


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """The hook that pip and uv call; returns the name of the file."""
    settings = config_settings or {}
    profile, target = settings.get("profile", "dist"), settings.get("target")
    binaries = [build(program, profile, target) for program in PROGRAMS]
    package = cargo_metadata()
    tag = f"py3-none-{platform_tag(binaries)}"
    version = package["version"]
    info = f"{NAME}-{version}.dist-info"
    files = [(f"{NAME}-{version}.data/scripts/{os.path.basename(path)}", read(path), 0o755) for path in binaries]
    files += [(f"{info}/{name}", text.encode(), 0o644) for name, text in about(package, tag, target).items()]
    record = [f"{name},sha256={digest(content)},{len(content)}" for name, content, _ in files]
    record.append(f"{info}/RECORD,,")
    files.append((f"{info}/RECORD", "\n".join(record + [""]).encode(), 0o644))
    wheel = f"{NAME}-{version}-{tag}.whl"
    write(os.path.join(wheel_directory, wheel), files)
    return wheel


def build_sdist(sdist_directory, config_settings=None):
    """A source distribution would need the other packages of the workspace."""
    raise SystemExit("there is no source distribution, only a wheel: uv build --wheel, or pip wheel")


def build(program, profile, target):
    """Has cargo build one program, as all other commands do; returns the path of the binary."""
    command = ["cargo", "build", "--locked", "--profile", profile, "-p", program, "--message-format=json-render-diagnostics"]
    if target:
        command += ["--target", target]
    output = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    messages = [json.loads(line) for line in output.splitlines()]
    return next(message["executable"] for message in messages if message.get("executable"))


def cargo_metadata():
    """What Cargo.toml says of the orchestrator."""
    command = ["cargo", "metadata", "--format-version=1", "--no-deps", "--locked"]
    packages = json.loads(subprocess.check_output(command, cwd=ROOT))["packages"]
    return next(package for package in packages if package["name"] == "orchestrator")


def about(package, tag, target):
    """The texts of the folder .dist-info, but for RECORD."""
    licences = [sys.executable, os.path.join(ROOT, ".ci", "licences")]
    third_party = subprocess.check_output(licences + ([target] if target else []), text=True)
    own = read(os.path.join(ROOT, "LICENSE")).decode()
    metadata = [
        "Metadata-Version: 2.4",
        f"Name: {NAME.replace('_', '-')}",
        f"Version: {package['version']}",
        f"Summary: {package['description']}",
        f"License-Expression: {package['license']}",
        "License-File: LICENSE",
        "License-File: THIRD_PARTY",
        "Requires-Python: >=3.8",
    ]
    return {
        "METADATA": "\n".join(metadata + [""]),
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: wheel_backend\nRoot-Is-Purelib: false\nTag: {tag}\n",
        "licenses/LICENSE": own,
        "licenses/THIRD_PARTY": third_party,
    }


def platform_tag(binaries):
    """The platforms that the binaries run on, by what they ask of the system.

    On Linux that is the newest version of glibc that any of their symbols is of; a static binary
    asks for none, and also runs with musl.
    """
    contents = [read(path) for path in binaries]
    if contents[0][:4] == b"\x7fELF":
        machine = {62: "x86_64", 183: "aarch64"}[int.from_bytes(contents[0][18:20], "little")]
        minors = [int(minor) for content in contents for minor in re.findall(rb"\0GLIBC_2\.(\d+)", content)]
        if not minors:
            return f"manylinux_2_17_{machine}.musllinux_1_1_{machine}"
        return f"manylinux_2_{max(max(minors), 17)}_{machine}"
    system = subprocess.check_output(["rustc", "--print", "deployment-target"], text=True)
    major, minor = re.search(r"(\d+)\.(\d+)", system).groups()
    return f"macosx_{major}_{minor}_{platform.machine()}"


def write(path, files):
    """Writes the archive; the same files make the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in files:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100000 | mode) << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)


def digest(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def read(path):
    with open(path, "rb") as file:
        return file.read()
