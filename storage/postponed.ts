/**
 * A request that can go on in a moment: once a ring is adopted, or seen here that others have seen. It is
 * in flight like any other, so it counts towards nodeInFlightMax, and a node that leaves waits for it.
 */
import { nodeInFlightMax, staleRetryMs } from '../shared/runtime/limits.js'
import type { Desk, Exchange } from './desk.js'
import { type Request, replyError } from './request.js'

const waiting: Exchange = {
  received() {},
  closed() {},
  ringChanged() {},
  // Its deadline is looked at when it is routed again.
  sweep() {},
}

/** Routes it again after staleRetryMs; OVERLOADED where too many are in flight. */
export function postpone(desk: Desk, request: Request, label: string): void {
  const { inFlight, runtime, self } = desk
  if (inFlight.size >= nodeInFlightMax) {
    return replyError(runtime, request, 'OVERLOADED', `${self} has too many requests`)
  }
  const id = inFlight.add(waiting)
  runtime.after(staleRetryMs, label, () => {
    inFlight.delete(id)
    desk.route(request)
  })
}
