"""A small to-do list kept in a JSON file."""
import argparse
import json
import os
import sys


class TodoList:
    def __init__(self, path):
        self.path = path
        self.tasks = []
        self.load()

    def load(self):
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as f:
                self.tasks = json.load(f)

    def save(self):
        tmp = self.path + ".tmp"
        with open(tmp, "w", encoding="utf-8") as f:
            json.dump(self.tasks, f, indent=2, ensure_ascii=False)
            f.write("\n")
        os.replace(tmp, self.path)

    def next_id(self):
        return max((t["id"] for t in self.tasks), default=0) + 1

    def find(self, task_id):
        for task in self.tasks:
            if task["id"] == task_id:
                return task
        raise KeyError(f"no task with id {task_id}")

    def add(self, text):
        text = text.strip()
        if not text:
            raise ValueError("the task text is empty")
        task = {"id": self.next_id(), "text": text, "done": False}
        self.tasks.append(task)
        self.save()
        return task

    def done(self, task_id):
        task = self.find(task_id)
        task["done"] = True
        self.save()
        return task

    def remove(self, task_id):
        task = self.find(task_id)
        self.tasks.remove(task)
        self.save()
        return task

    def list(self, show_all=False):
        return [t for t in self.tasks if show_all or not t["done"]]


def format_task(task):
    mark = "x" if task["done"] else " "
    return f"{task['id']:>3} [{mark}] {task['text']}"


def build_parser():
    parser = argparse.ArgumentParser(prog="todo", description="A small to-do list.")
    parser.add_argument("--file", default="todo.json", help="the JSON file (default: todo.json)")
    sub = parser.add_subparsers(dest="command", required=True)

    p = sub.add_parser("add", help="add a task")
    p.add_argument("text", nargs="+")

    p = sub.add_parser("list", help="show the open tasks")
    p.add_argument("--all", action="store_true", help="show the done ones too")

    p = sub.add_parser("done", help="mark a task as done")
    p.add_argument("id", type=int)

    p = sub.add_parser("remove", help="remove a task")
    p.add_argument("id", type=int)
    return parser


def main(argv=None):
    args = build_parser().parse_args(argv)
    todo = TodoList(args.file)
    try:
        if args.command == "add":
            print("Added", format_task(todo.add(" ".join(args.text))))
        elif args.command == "list":
            tasks = todo.list(args.all)
            if not tasks:
                print("Nothing to do.")
            for task in tasks:
                print(format_task(task))
        elif args.command == "done":
            print("Done", format_task(todo.done(args.id)))
        elif args.command == "remove":
            print("Removed", format_task(todo.remove(args.id)))
    except (KeyError, ValueError) as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
