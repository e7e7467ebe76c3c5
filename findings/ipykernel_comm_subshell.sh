#!/usr/bin/env bash
# ipykernel 7.4.0: a comm on which the kernel has sent a message hears nothing on a subshell any more.
#
# A front end may name a subshell in the header of a message, so that the kernel handles it beside a running cell; JupyterLab does so
# for the comms of widgets. That works for a comm on which the kernel has only listened. Once a cell has sent one message on it,
# the kernel takes what comes in for replies, and hands it to the shell that sent last, whatever subshell the header names: the
# handler waits for the end of the cell.
# Why it surprises: the header is kept, no error is raised, and the same message to the same handler was handled at once before.
# A button to pause a training cannot work in the cell that trains if that cell also reports its progress by the same widget.
# Seen: two comms, one silent and one that has sent; both get the same message with the same subshell while a cell runs.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check ipykernel==7.4.0 jupyter_client==8.10.0 comm==0.2.3

cat >"$folder/ask.py" <<'PYTHON'
import sys
from jupyter_client.manager import start_new_kernel

SETUP = """
import threading
from comm import get_comm_manager

heard, comms = {}, {}

def opened(comm, _):
    comms[comm.comm_id] = comm
    heard[comm.comm_id] = threading.Event()
    comm.on_msg(lambda message: heard[comm.comm_id].set())

get_comm_manager().register_target("asked", opened)
"""

manager, client = start_new_kernel()


def run(code, meanwhile=lambda: None):
    """Run a cell, do something when it has begun to print, and return what it printed."""
    printed = []

    def hook(message):
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])
            if "begun" in printed[-1]:
                meanwhile()
        elif message["msg_type"] == "error":
            sys.exit("\n".join(message["content"]["traceback"]))

    client.execute_interactive(code, output_hook=hook, timeout=60)
    return "".join(printed)


def send(kind, content, subshell=None):
    message = client.session.msg(kind, content)
    if subshell is not None:
        message["header"]["subshell_id"] = subshell
    client.shell_channel.send(message)


request = client.session.msg("create_subshell_request", {})
client.control_channel.send(request)
subshell = client.control_channel.get_msg(timeout=60)["content"]["subshell_id"]

run(SETUP)
for name in ("silent", "sent"):
    send("comm_open", {"comm_id": name, "target_name": "asked", "data": {}})
run("comms['sent'].send({'progress': 1})")
for name in ("silent", "sent"):
    told = run(
        f"print('begun', flush=True)\nprint('while the cell runs' if heard[{name!r}].wait(8) else 'not while it runs')",
        lambda: send("comm_msg", {"comm_id": name, "data": {"ask": "pause"}}, subshell),
    )
    after = run(f"print(heard[{name!r}].wait(8))").strip()
    print(f"{name}: heard {told.split('begun')[1].strip()}; after it: {after}", flush=True)
client.stop_channels()
manager.shutdown_kernel(now=True)
PYTHON
cat >"$folder/expected" <<'EXPECTED'
silent: heard while the cell runs; after it: True
sent: heard not while it runs; after it: True
EXPECTED

cd "$folder"
venv/bin/python ask.py 2>notes >seen || { cat notes >&2; exit 1; }
cat seen
diff expected seen || { echo "ipykernel_comm_subshell: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "ipykernel_comm_subshell: as expected"
