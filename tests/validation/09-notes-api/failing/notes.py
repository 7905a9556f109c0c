#!/usr/bin/env python3
"""A tiny REST API for notes, standard library only."""
from __future__ import annotations

import argparse
import json
import re
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

MAX_BODY = 1_000_000


class Store:
    def __init__(self, path: str) -> None:
        self.db = sqlite3.connect(path)
        self.db.row_factory = sqlite3.Row
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS notes ("
            " id INTEGER PRIMARY KEY AUTOINCREMENT,"
            " title TEXT NOT NULL,"
            " body TEXT NOT NULL,"
            " created TEXT NOT NULL DEFAULT (datetime('now')))"
        )
        self.db.commit()

    def list(self, query: str = "") -> list[dict]:
        sql = "SELECT * FROM notes"
        args: list[str] = []
        if query:
            sql += " WHERE title LIKE ? OR body LIKE ?"
            args = [f"%{query}%"] * 2
        return [dict(r) for r in self.db.execute(sql + " ORDER BY id", args)]

    def get(self, note_id: int) -> dict | None:
        row = self.db.execute("SELECT * FROM notes WHERE id = ?", (note_id,)).fetchone()
        return dict(row) if row else None

    def add(self, title: str, body: str) -> dict:
        cur = self.db.execute("INSERT INTO notes (title, body) VALUES (?, ?)", (title, body))
        self.db.commit()
        return self.get(cur.lastrowid)

    def update(self, note_id: int, title: str, body: str) -> dict | None:
        self.db.execute("UPDATE notes SET title = ?, body = ? WHERE id = ?", (title, body, note_id))
        self.db.commit()
        return self.get(note_id)

    def delete(self, note_id: int) -> bool:
        cur = self.db.execute("DELETE FROM notes WHERE id = ?", (note_id,))
        self.db.commit()
        return cur.rowcount > 0

    def close(self) -> None:
        self.db.close()


class BadRequest(Exception):
    pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def send_json(self, status: int, data=None, **headers) -> None:
        payload = b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        if payload:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def read_note(self) -> tuple[str, str]:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            raise BadRequest("the body is too large")
        try:
            data = json.loads(self.rfile.read(length))
        except ValueError:
            raise BadRequest("the body is not JSON")
        if not isinstance(data, dict):
            raise BadRequest("the body is not an object")
        title, body = data.get("title"), data.get("body", "")
        if not isinstance(title, str) or not title.strip():
            raise BadRequest("title is missing")
        if not isinstance(body, str):
            raise BadRequest("body is not a string")
        return title.strip(), body

    def route(self) -> None:
        url = urlsplit(self.path)
        store = self.server.store
        try:
            if url.path == "/notes":
                if self.command == "GET":
                    query = parse_qs(url.query).get("q", [""])[0]
                    return self.send_json(200, store.list(query))
                if self.command == "POST":
                    note = store.add(*self.read_note())
                    return self.send_json(201, note, Location=f"/notes/{note['id']}")
                return self.send_json(405, {"error": "method not allowed"}, Allow="GET, POST")

            match = re.fullmatch(r"/notes/(\d+)", url.path)
            if match:
                note_id = int(match[1])
                if self.command == "GET":
                    note = store.get(note_id)
                elif self.command == "PUT":
                    note = store.update(note_id, *self.read_note())
                elif self.command == "DELETE":
                    if store.delete(note_id):
                        return self.send_json(204)
                    note = None
                else:
                    return self.send_json(405, {"error": "method not allowed"}, Allow="GET, PUT, DELETE")
                if note:
                    return self.send_json(200, note)
            self.send_json(404, {"error": "not found"})
        except BadRequest as e:
            self.send_json(400, {"error": str(e)})

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = route

    def log_message(self, format: str, *args) -> None:
        if self.server.verbose:
            super().log_message(format, *args)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address, db_path: str, verbose: bool = False) -> None:
        super().__init__(address, Handler)
        self.store = Store(db_path)
        self.verbose = verbose

    def server_close(self) -> None:
        super().server_close()
        self.store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--db", default="notes.db")
    args = parser.parse_args()
    with Server((args.host, args.port), args.db, verbose=True) as server:
        print(f"http://{args.host}:{server.server_port}/notes", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
