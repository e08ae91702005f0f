/** The modes of replication, and what a write may ask for. */
import type { Version } from './version.js'

/**
 * What a swarm promises of its keys, chosen once, when it is made. `latest` and `siblings` are quorum
 * replication: of concurrent writes the newest wins, or all are kept. `chain` is chain replication.
 */
export type Mode = 'latest' | 'siblings' | 'chain'

/** What a write asks of the key that it meets; null asks nothing. Only a chain can decide it. */
export type Condition =
  | { readonly is: 'absent' }
  | { readonly is: 'present' }
  | { readonly is: 'version'; readonly version: Version }
