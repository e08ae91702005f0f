/**
 * The shapes of what reaches the journal, from a replay or off the wire: a message that would make a
 * step which a later replay refuses is refused itself.
 */
import * as v from 'valibot'
import type { Message } from '../shared/protocol/messages.js'

export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
export const token = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 1))
export const nodeId = v.pipe(v.string(), v.maxLength(16), v.regex(/^n[1-9][0-9]*$/))
export const nodeIdOrNone = v.union([nodeId, v.literal('')])

export const member = v.strictObject({
  id: nodeId,
  incarnation: count,
  pid: count,
  startTime: v.string(),
})

const join = v.object({ member, store: v.string(), epoch: count, boot: count })
const change = v.picklist(['add', 'remove', 'replace'])

/** False: the fields of a message are not what the protocol says. */
export function isSound(message: Message): boolean {
  switch (message.kind) {
    case 'node.enroll':
      return v.is(nodeIdOrNone, message.node)
    case 'node.join':
      return v.is(join, message)
    case 'node.leave':
      return v.is(nodeId, message.node) && v.is(count, message.incarnation)
    case 'chain.ready':
      return v.is(nodeId, message.node) && v.is(count, message.epoch)
    case 'node.ended':
      return v.is(nodeId, message.node)
    case 'client.register':
      return v.is(count, message.client)
    case 'supervisor.register':
      return v.is(count, message.nodes)
    case 'change.submit':
      return v.is(change, message.change) && v.is(nodeIdOrNone, message.node)
    case 'health.report':
      return v.is(nodeId, message.node) && v.is(count, message.incarnation)
    default:
      return true
  }
}
