"use strict";

/** A board whose edges are joined (a torus). */
class Life {
  constructor(columns, rows) {
    this.columns = columns;
    this.rows = rows;
    this.cells = new Uint8Array(columns * rows);
    this.generation = 0;
  }

  index(x, y) {
    return (y % this.rows) * this.columns + (x % this.columns);
  }

  get(x, y) {
    return this.cells[this.index(x, y)];
  }

  set(x, y, alive) {
    this.cells[this.index(x, y)] = alive ? 1 : 0;
  }

  neighbours(x, y) {
    let n = 0;
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        if (dx !== 0 || dy !== 0) n += this.get(x + dx, y + dy);
      }
    }
    return n;
  }

  step() {
    const next = new Uint8Array(this.cells.length);
    for (let y = 0; y < this.rows; y++) {
      for (let x = 0; x < this.columns; x++) {
        const n = this.neighbours(x, y);
        next[this.index(x, y)] = n === 3 || (n === 2 && this.get(x, y)) ? 1 : 0;
      }
    }
    this.cells = next;
    this.generation++;
  }

  clear() {
    this.cells.fill(0);
    this.generation = 0;
  }

  randomize(density = 0.3) {
    this.clear();
    for (let i = 0; i < this.cells.length; i++) {
      this.cells[i] = Math.random() < density ? 1 : 0;
    }
  }
}

if (typeof module !== "undefined") {
  module.exports = { Life };
}
