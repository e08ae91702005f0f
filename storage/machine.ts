/**
 * The life of a storage node, as an XState machine.
 *
 * `membership` follows the rings: a node is what the newest ring it holds says it is. Beside it, the
 * two sides of a handoff run in parallel. The machine decides which messages are legal in which
 * state, by the tags of its states; the node supplies everything that is done.
 */
import { setup } from 'xstate'
import type { MessageKind } from '../shared/protocol/messages.js'

/** How a ring names this node. */
export type NodeEvent =
  /** The process has its store and its sockets, and tells the manager so. */
  | { type: 'opened' }
  /** The same, with a store that belonged to a member before. */
  | { type: 'returned' }
  /** A ring in which the node owns vnodes now, and still will after the change under way. */
  | { type: 'ring.member' }
  /** A ring that is giving vnodes to the node, which had none. */
  | { type: 'ring.joiner' }
  /** A ring that is taking all vnodes from the node. */
  | { type: 'ring.leaver' }
  /** A ring that does not name the node. */
  | { type: 'ring.absent' }
  | { type: 'donate.begun' }
  | { type: 'donate.ended' }
  | { type: 'receive.begun' }
  | { type: 'receive.ended' }
  /** SIGTERM before the node was ever a member. */
  | { type: 'gave.up' }

/** What a state lets a node do. */
export type Permission = 'forward' | 'replicate'

export const nodeMachine = setup({
  types: { events: {} as NodeEvent, tags: {} as Permission },
}).createMachine({
  id: 'node',
  type: 'parallel',
  states: {
    membership: {
      initial: 'starting',
      states: {
        starting: {
          on: { opened: 'joining', returned: 'recovering', 'gave.up': 'left' },
        },
        joining: {
          tags: ['forward', 'replicate'],
          on: { 'ring.member': 'active', 'ring.leaver': 'leaving', 'gave.up': 'left' },
        },
        recovering: {
          tags: ['forward', 'replicate'],
          on: {
            'ring.member': 'active',
            'ring.joiner': 'joining',
            'ring.leaver': 'leaving',
            'gave.up': 'left',
          },
        },
        active: {
          tags: ['forward', 'replicate'],
          on: { 'ring.leaver': 'leaving', 'ring.joiner': 'joining', 'ring.absent': 'left' },
        },
        leaving: {
          tags: ['forward', 'replicate'],
          on: { 'ring.member': 'active', 'ring.absent': 'left' },
        },
        left: { tags: ['forward'] },
      },
    },
    donating: {
      initial: 'idle',
      states: {
        idle: { on: { 'donate.begun': 'streaming' } },
        streaming: { on: { 'donate.ended': 'idle' } },
      },
    },
    receiving: {
      initial: 'idle',
      states: {
        idle: { on: { 'receive.begun': 'merging' } },
        merging: { on: { 'receive.ended': 'idle' } },
      },
    },
  },
})

/**
 * The permission that a request to a node needs; null: legal in every state. Messages that are not
 * named are replies or not for nodes.
 */
export const permissionNeeded: Partial<Record<MessageKind, Permission | null>> = {
  put: 'forward',
  get: 'forward',
  write: 'forward',
  explain: 'forward',
  'coordinate.put': 'replicate',
  'coordinate.get': 'replicate',
  'coordinate.write': 'replicate',
  'coordinate.explain': 'replicate',
  'replica.put': 'replicate',
  'replica.get': 'replicate',
  'handoff.pull': 'replicate',
  'handoff.push': 'replicate',
  'hint.put': 'replicate',
  'hint.query': 'replicate',
  'merkle.get': 'replicate',
  'tombstone.confirm': 'replicate',
  'tombstone.collect': 'replicate',
  'chain.put': 'replicate',
  'chain.ack': 'replicate',
  'chain.mark': 'replicate',
  'ring.publish': null,
  'node.stop': null,
  'node.stats': null,
  'node.dump': null,
}
