/**
 * What a client asked of one key and what it was told.
 *
 * The history counts operations, not clock time: `called` and `returned` are positions in the order
 * in which the run saw them.
 */

/**
 * What a write asked of the key that it met. Versions are given by the values that they were read with:
 * each value is written once, so each has one version.
 */
export type Asked =
  | { readonly is: 'absent' }
  | { readonly is: 'present' }
  | { readonly is: 'value'; readonly value: string }

export interface Operation {
  readonly client: string
  readonly kind: 'put' | 'get' | 'delete'
  readonly key: string
  /** put: what was written, unique in the history. get: what was read, undefined if missing. */
  readonly value: string | undefined
  /** Of a write that asked something. */
  readonly asked?: Asked | undefined
  /** What it asked did not hold: it wrote nothing. Only a write that was answered knows. */
  readonly refused?: boolean | undefined
  /** What a refused write met, where that is known; undefined for a missing key. */
  readonly met?: { readonly value: string | undefined } | undefined
  /**
   * A write whose version somebody was told of: where it stands among those of its key. It tells the search
   * where to look first, and makes nothing legal.
   */
  readonly order?: number | undefined
  /** A get of siblings: all that it read. */
  readonly values?: readonly string[] | undefined
  /** A write among siblings: what the get read whose context it carried; absent: it carried none. */
  readonly seen?: readonly string[] | undefined
  readonly called: number
  /** Infinity: it never answered. Operations that surely did not happen do not belong here. */
  readonly returned: number
}

/** It changes nothing, whatever it met. */
export function isReading({ kind, refused }: Operation): boolean {
  return kind === 'get' || refused === true
}

/** `c1 put v7 if absent [12, 19]`: the interval is in positions of the history. */
export function describe(operation: Operation): string {
  const { client, kind, value, asked, refused, called, returned } = operation
  const what = kind === 'put' ? ` ${value}` : kind === 'get' ? ` -> ${value ?? 'nothing'}` : ''
  const condition =
    asked === undefined ? '' : ` if ${asked.is === 'value' ? asked.value : asked.is}`
  const outcome = refused === true ? ` -> refused${metText(operation)}` : ''
  const end = returned === Number.POSITIVE_INFINITY ? 'no answer' : `${returned}`
  return `${client} ${kind}${what}${condition}${outcome} [${called}, ${end}]`
}

function metText({ met }: Operation): string {
  return met === undefined ? '' : ` by ${met.value ?? 'nothing'}`
}

export function byKey<Any extends { readonly key: string }>(
  history: readonly Any[],
): Map<string, Any[]> {
  const keys = new Map<string, Any[]>()
  for (const operation of history) {
    const known = keys.get(operation.key)
    if (known === undefined) keys.set(operation.key, [operation])
    else known.push(operation)
  }
  return keys
}
