// A board of cards that can be dragged from one column to the next.
import { EventEmitter } from "node:events";
import { readFile, writeFile } from "node:fs/promises";

const COLUMNS = ["todo", "doing", "done"];
const ID = /^card-(\d+)$/i;

export class Board extends EventEmitter {
  #cards = new Map();
  #next = 1;

  constructor(options = {}) {
    super();
    this.limit = options.limit ?? 20;
    this.name = options.name || `board of ${new Date().toISOString().slice(0, 10)}`;
  }

  static async load(path) {
    const board = new Board();
    try {
      const { cards, next } = JSON.parse(await readFile(path, "utf8"));
      cards.forEach((card) => board.#cards.set(card.id, { ...card, moved: null }));
      board.#next = next;
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
    return board;
  }

  add(title, column = COLUMNS[0]) {
    if (this.#cards.size >= this.limit) {
      throw new RangeError(`there are ${this.#cards.size} cards already`);
    }
    const card = { id: `card-${this.#next++}`, title, column, moved: null };
    this.#cards.set(card.id, card);
    this.emit("change", card);
    return card;
  }

  move(id, column) {
    const card = this.#cards.get(id);
    if (!card || !ID.test(id) || !COLUMNS.includes(column)) return false;
    card.column = column;
    card.moved = Date.now();
    this.emit("change", card);
    return true;
  }

  *in(column) {
    for (const card of this.#cards.values()) {
      if (card.column === column) yield card;
    }
  }

  async save(path) {
    const text = JSON.stringify({ cards: [...this.#cards.values()], next: this.#next }, null, 2);
    await writeFile(path, text + "\n");
  }
}

document.querySelectorAll(".column").forEach((element) => {
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    const id = event.dataTransfer.getData("text/plain");
    window.board.move(id, element.dataset.column) && element.append(document.getElementById(id));
  });
});
