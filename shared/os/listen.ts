/**
 * Binds a server to its path in the run directory.
 *
 * A process that was killed leaves its socket file behind. Nodes' names hold their incarnation and
 * never come again; `manager.sock` and `supervisor.sock` do. If something stands at such a path, we
 * connect to it: only a refusal proves that nobody listens, and then it is removed.
 */
import { unlinkSync } from 'node:fs'
import { createConnection, type Server } from 'node:net'
import { basename } from 'node:path'
import { GTStoreError } from '../protocol/errors.js'
import { connectionsMax } from '../runtime/limits.js'

const reused = /^(manager|supervisor)\.sock$/

export async function listen(server: Server, path: string): Promise<void> {
  try {
    return await bind(server, path)
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw failure(path, error)
  }
  if (!reused.test(basename(path)) || (await isAnswered(path))) {
    throw new GTStoreError(
      'INVALID_ARGUMENT',
      `another process listens on ${path}: stop it first, or name another run directory with --dir`,
    )
  }
  unlinkSync(path)
  await bind(server, path).catch((error) => {
    throw failure(path, error)
  })
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // The backlog holds those who connect while this process is busy; beyond it they are refused.
    server.listen({ path, backlog: connectionsMax }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error) => resolve(codeOf(error) !== 'ECONNREFUSED'))
  })
}

function failure(path: string, error: unknown): GTStoreError {
  return new GTStoreError(
    'INVALID_ARGUMENT',
    `cannot listen on ${path}: ${(error as Error).message}`,
    { cause: error },
  )
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
