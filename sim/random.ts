/**
 * Seeded randomness: everything that varies between two simulated runs comes from here.
 *
 * A generator is named (`network`, `n3.1`, `load`): each name is a stream of its own under the seed,
 * so that a part of the simulator that draws once more does not shift what the others draw.
 * The generator is sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, fast, no weak seeds
 * after its first rounds.
 */
export class Random {
  readonly #seed: number
  readonly #name: string
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number, name: string) {
    this.#seed = seed
    this.#name = name
    this.#a = seed | 0
    this.#b = Math.floor(seed / 2 ** 32) | 0
    this.#c = hashText(name)
    for (let round = 0; round < 12; round++) this.#bits()
  }

  /** A stream of its own under the same seed. */
  stream(name: string): Random {
    return new Random(this.#seed, `${this.#name}/${name}`)
  }

  /** In [0, 1). */
  next(): number {
    return this.#bits() / 2 ** 32
  }

  /** A whole number in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  /** A whole number in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new Error('nothing to pick from')
    return choices[this.below(choices.length)] as T
  }

  /** Digits of a random hexadecimal id. */
  hex(digits: number): string {
    let text = ''
    while (text.length < digits) text += this.#bits().toString(16).padStart(8, '0')
    return text.slice(0, digits)
  }

  #bits(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    this.#c |= 0
    return sum >>> 0
  }
}

/** FNV-1a over the text's UTF-16 units. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  return hash | 0
}
