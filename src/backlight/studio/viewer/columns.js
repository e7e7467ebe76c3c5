// Columns of numbers that grow and stay bounded: when they are full, every second row of them goes.

export class Columns {
  /**
   * @param {string[]} names of the columns; "step" is the first and never falls.
   * @param {number} most rows
   */
  constructor(names, most) {
    this.names = names;
    this.most = most;
    this.length = 0;
    this.arrays = names.map(() => new Float64Array(64));
    this.every = 1; // of the rows that were added, this many are one
    this.skipped = 0;
  }

  /** Return a column; only its first `length` numbers are in use. */
  column(name) {
    return this.arrays[this.names.indexOf(name)];
  }

  /** Add a row. A row that has something that is not finite is always kept. */
  add(...row) {
    const finite = row.every(Number.isFinite);
    this.skipped += 1;
    if (finite && this.skipped < this.every) return;
    this.skipped = 0;
    if (this.length === this.most) this.halve();
    if (this.length === this.arrays[0].length) this.grow();
    row.forEach((value, place) => {
      this.arrays[place][this.length] = value;
    });
    this.length += 1;
  }

  grow() {
    this.arrays = this.arrays.map((old) => {
      const larger = new Float64Array(old.length * 2);
      larger.set(old);
      return larger;
    });
  }

  halve() {
    this.every *= 2;
    this.length = Math.floor(this.length / 2);
    for (const array of this.arrays) {
      for (let row = 0; row < this.length; row += 1) array[row] = array[2 * row];
    }
  }
}

/**
 * Return the place of the last step that is not after `step`; -1 if there is none.
 * @param {ArrayLike<any>} steps in ascending order
 * @param {number} length how many of them are in use
 * @param {(item: any) => number} stepOf
 */
export function lastUpTo(steps, length, step, stepOf = Number) {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stepOf(steps[middle]) <= step) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
