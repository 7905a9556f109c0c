"""A list of things to do, kept in a file."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field, asdict
from datetime import date, timedelta
from pathlib import Path

STORE = Path.home() / ".todo.json"


@dataclass
class Task:
    title: str
    due: date | None = None
    tags: list[str] = field(default_factory=list)
    done: bool = False

    def is_late(self, today: date) -> bool:
        return not self.done and self.due is not None and self.due < today

    def line(self, number: int) -> str:
        mark = "x" if self.done else " "
        due = f" (due {self.due:%d %b})" if self.due else ""
        return f"{number:>3} [{mark}] {self.title}{due} {' '.join('#' + tag for tag in self.tags)}"


def load(path: Path) -> list[Task]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        items = json.load(file)
    # Dates are kept as text, since JSON has none.
    return [Task(**{**item, "due": item["due"] and date.fromisoformat(item["due"])}) for item in items]


def save(path: Path, tasks: list[Task]) -> None:
    text = json.dumps([asdict(task) for task in tasks], default=str, indent=2)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="add a task")
    add.add_argument("title", nargs="+")
    add.add_argument("--days", type=int, default=7)
    done = commands.add_parser("done", help="mark a task as done")
    done.add_argument("number", type=int)
    commands.add_parser("list", help="show what is left")
    options = parser.parse_args(arguments)

    tasks = load(STORE)
    if options.command == "add":
        tasks.append(Task(" ".join(options.title), date.today() + timedelta(days=options.days)))
    elif options.command == "done":
        try:
            tasks[options.number - 1].done = True
        except IndexError:
            print(f"there is no task {options.number}", file=sys.stderr)
            return 1
    for number, task in enumerate(tasks, start=1):
        print(task.line(number), "!" if task.is_late(date.today()) else "")
    save(STORE, tasks)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
