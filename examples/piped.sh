#!/usr/bin/env bash
# A description in a file, a program in a folder, a verdict for the next step: faos in a pipe.
#
# examples/piped.sh DESCRIPTION.txt FOLDER
# The server is found on the usual loopback ports; FAOS_ENDPOINT names another.
set -uo pipefail

description=${1:?usage: piped.sh DESCRIPTION.txt FOLDER}
folder=${2:?usage: piped.sh DESCRIPTION.txt FOLDER}

result=$(faos -w "$folder" --output-format json < "$description")
code=$?
python3 - "$result" <<'PYTHON'
import json, sys

result = json.loads(sys.argv[1])
print(f"{result['verdict']} after {result['usage']['requests']} requests")
for change in result["files"]:
    print(f"  {change['kind']:<8} {change['path']}")
for run in result["runs"]:
    print(f"  ran in {run['wall_s']:.2f} s: {run['command'].splitlines()[0]}")
PYTHON
exit $code
