#!/usr/bin/env bash
# Many tasks side by side against one server.
#
# examples/parallel.sh TASKS.txt FOLDER [JOBS]
# TASKS.txt has a line a task: `NAME: what is wanted`. Each one works in FOLDER/NAME, has its result in FOLDER/NAME.json and
# what was said on the way in FOLDER/NAME.log. JOBS (4) is best the server's number of slots. A task that has a result is not
# done again, so that the same call goes on after a break.
#
# examples/parallel.sh --one FOLDER LINE   does one task; the batch jobs beside this file call it so.
set -uo pipefail

# one FOLDER LINE
one() {
  local folder=$1 name=${2%%:*} wanted=${2#*:}
  if [[ ! $name =~ ^[A-Za-z0-9_-]+$ || $wanted == "$2" ]]; then
    echo "error: no task: \`$2\`" >&2
    return 2
  fi
  [ -s "$folder/$name.json" ] && return
  mkdir -p "$folder"
  # The description goes in through stdin: it may be long, and it is nobody's business in a list of processes.
  faos -w "$folder/$name" --output-format json <<< "$wanted" > "$folder/$name.part" 2> "$folder/$name.log"
  local code=$?
  # 0 and 3 are verdicts. Everything else is a reason to try again: no model, no sandbox, an interrupt.
  if [ "$code" -eq 0 ] || [ "$code" -eq 3 ]; then
    mv "$folder/$name.part" "$folder/$name.json"
  else
    rm -f "$folder/$name.part"
    echo "$name: exit $code, see $folder/$name.log" >&2
  fi
  return "$code"
}

if [ "${1:-}" = --one ]; then
  one "${2:?usage: parallel.sh --one FOLDER LINE}" "${3:?usage: parallel.sh --one FOLDER LINE}"
  exit
fi

tasks=${1:?usage: parallel.sh TASKS.txt FOLDER [JOBS]}
folder=${2:?usage: parallel.sh TASKS.txt FOLDER [JOBS]}
jobs=${3:-4}

lines() {
  grep -v -e '^#' -e '^[[:space:]]*$' "$tasks"
}

if command -v parallel > /dev/null && parallel --version 2> /dev/null | grep -q GNU; then
  lines | parallel --jobs "$jobs" "$0" --one "$folder" {}
else
  lines | xargs --delimiter '\n' --max-args 1 --max-procs "$jobs" "$0" --one "$folder"
fi

python3 - "$folder" "$(lines | wc -l)" <<'PYTHON'
import json, pathlib, sys

folder, tasks = pathlib.Path(sys.argv[1]), int(sys.argv[2])
results = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
for name, result in results.items():
    usage = result["usage"]
    print(f"{result['verdict']:<10} {name}: {usage['requests']} requests, {usage['completion_tokens']} tokens written")
bad = tasks - sum(result["verdict"] in ("passed", "unchecked") for result in results.values())
print(f"{tasks} tasks, {bad} of them not well")
sys.exit(3 if bad else 0)
PYTHON
