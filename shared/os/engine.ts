/**
 * Opens the store of a node with the engine that its swarm's durability asks for. A store that is known
 * to have lost what was durable is refused: with it the node would answer for what it does not hold.
 *
 * Only the engine that is asked for is loaded: a node starts the sooner.
 */
import { basename } from 'node:path'
import { type Merge, mergeOf } from '../data/merge.js'
import type { Durability } from '../protocol/messages.js'
import type { NodeId } from '../ring/description.js'
import type { Engine } from '../runtime/ports.js'

export interface EngineOptions {
  /** Not used by `memory`, which leaves nothing on disk. */
  readonly path: string
  readonly durability: Durability
  /** By default that of mode `latest`. */
  readonly merge?: Merge
  /** Whose it is; by default the last part of the path. */
  readonly node?: NodeId
}

export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { path, merge = mergeOf('latest'), node = basename(path) } = options
  if (options.durability !== 'memory') {
    const { openLevelEngine } = await import('./level-store.js')
    return openLevelEngine({ ...options, merge, node })
  }
  const { MemoryEngine } = await import('./memory-engine.js')
  const engine = new MemoryEngine(merge)
  await engine.open()
  return engine
}
