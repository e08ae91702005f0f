/** How far a range of a plan has been received, as it is kept beside the data. */
import type { NodeId } from '../shared/ring/description.js'
import type { Cursor } from '../shared/runtime/ports.js'

export interface TaskProgress {
  readonly plan: number
  readonly source: NodeId
  /** Where the source's scan goes on. */
  readonly cursor: Cursor | undefined
  readonly done: boolean
}

export function formatProgress({ plan, source, cursor, done }: TaskProgress): string {
  const key = cursor === undefined ? null : Buffer.from(cursor.key).toString('base64')
  return JSON.stringify([plan, source, done, cursor?.token ?? null, key])
}

export function parseProgress(text: string | undefined): TaskProgress | undefined {
  if (text === undefined) return undefined
  const [plan, source, done, token, key] = JSON.parse(text)
  const cursor = key === null ? undefined : { token, key: Buffer.from(key, 'base64') }
  return { plan, source, done, cursor }
}
