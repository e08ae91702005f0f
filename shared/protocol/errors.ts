/**
 * Every error that crosses a socket or reaches a user. Each says what failed, whether the write
 * surely did not happen (definite) or may have happened (indefinite), and what to do next.
 */
export type ErrorCode =
  /** Fewer members than N: no request is accepted until enough nodes have joined. */
  | 'FORMING'
  /** Too few owners of the key answered. */
  | 'QUORUM_UNAVAILABLE'
  /** The deadline passed. */
  | 'TIMEOUT'
  /** No process of the swarm could be reached. */
  | 'CANNOT_CONNECT'
  /** The call itself is wrong: key, value, r, w or an option. */
  | 'INVALID_ARGUMENT'
  /** The value or key is over its limit. */
  | 'TOO_LARGE'
  /** A queue is full; the request was not begun. */
  | 'OVERLOADED'
  /** The swarm or the process is stopping. */
  | 'STOPPING'
  /** The client was finalized, or the call aborted by its signal. */
  | 'CLOSED'
  | 'ABORTED'
  /**
   * The message was too long on its way (see maxFlightMs), or stamped ahead of the clock. In a chain also,
   * and then indefinite: the write is older than the requests that its key remembers.
   */
  | 'EXPIRED'
  /** The disk refused a write or a sync. */
  | 'STORAGE_FAILED'
  /** Too little room is left on the disks of the key's owners: reads go on, writes do not. */
  | 'DISK_FULL'
  /**
   * Two programs speak different versions of the protocol or of a file format; or another swarm has taken
   * the place of the one that a client was begun with.
   */
  | 'VERSION_MISMATCH'
  /** A membership change cannot be done; the message says why. */
  | 'CHANGE_REFUSED'
  /** The named node, change or process is not known; of `read`: the key has no value. */
  | 'NOT_FOUND'
  /** The key is not as the write asks: it exists, is missing, or has another version. */
  | 'CONDITION_FAILED'
  /** The swarm's mode of replication does not have it; the message names the one that has. */
  | 'UNSUPPORTED'
  /** As many siblings are kept of the key as may be: get it, and put with that context. */
  | 'TOO_MANY_SIBLINGS'

export class GTStoreError extends Error {
  override readonly name = 'GTStoreError'
  readonly code: ErrorCode
  /** True: the write surely did not happen. False: it may have happened, or may still. */
  readonly definite: boolean
  /** With CONDITION_FAILED: the version that the key had; undefined where it was missing. */
  declare readonly version?: string

  constructor(
    code: ErrorCode,
    message: string,
    options: { definite?: boolean; cause?: unknown; version?: string | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.definite = options.definite ?? true
    if (options.version !== undefined) this.version = options.version
  }
}
