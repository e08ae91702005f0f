/** What a forwarder says to a coordinator, and what it makes of the answer for the client. */
import type { Message } from '../shared/protocol/messages.js'
import type { NodeId } from '../shared/ring/description.js'
import type { Request } from './request.js'

/** `id`: of the forwarder. */
export function coordinateMessage(request: Request, id: number, epoch: number): Message {
  const { token, key, deadline } = request
  const common = { id, epoch, token, key, deadline }
  switch (request.kind) {
    case 'get':
    case 'explain': {
      const { kind, r, born } = request
      return { kind: `coordinate.${kind}`, ...common, r, born }
    }
    case 'put': {
      const { value, version, w } = request
      return { kind: 'coordinate.put', ...common, value, version, w }
    }
    case 'write': {
      const { value, stamp, condition, context, w } = request
      return { kind: 'coordinate.write', ...common, value, stamp, condition, context, w }
    }
  }
}

/** What the client gets; undefined: the reply is not the coordinator's success. */
export function passedOn(reply: Message, { id }: Request, self: NodeId): Message | undefined {
  switch (reply.kind) {
    case 'coordinate.put.ok':
      return { kind: 'put.ok', id }
    case 'coordinate.write.ok':
      return { ...reply, kind: 'write.ok', id }
    case 'coordinate.get.ok':
      return { ...reply, kind: 'get.ok', id }
    case 'coordinate.explain.ok': {
      // This node stands in the path, too.
      const path = [self, ...reply.report.path]
      return { kind: 'explain.ok', id, report: { ...reply.report, path } }
    }
    default:
      return undefined
  }
}
