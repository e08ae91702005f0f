/**
 * What the modes of replication do not have: refused before anything is begun, with the mode that has it.
 * A client library refuses it first; another program may not.
 */
import type { Mode } from '../shared/data/mode.js'
import type { Request } from './request.js'

/** Why the swarm's mode refuses the request; undefined: it has what is asked for. */
export function unsupportedBy(mode: Mode, request: Request): string | undefined {
  if (request.kind === 'put') {
    return mode === 'latest' ? undefined : `a put is a write in mode ${mode}: mode latest has puts`
  }
  if (request.kind !== 'write') return undefined
  if (mode === 'latest') {
    return 'mode latest has neither conditions (mode chain) nor causal contexts (mode siblings)'
  }
  if (mode === 'siblings' && request.condition !== null) {
    return 'mode siblings decides no conditions: mode chain does'
  }
  if (mode === 'chain' && request.context !== null) {
    return 'mode chain has no causal contexts: mode siblings has'
  }
  return undefined
}
