/** A client in a process of its own: does what the driver tells it over IPC, one thing at a time. */
import { init } from '../client/index.js'

/** What the driver asks for. */
export type WorkerCommand =
  | { readonly do: 'put'; readonly key: string; readonly value: string }
  | { readonly do: 'get'; readonly key: string }
  | { readonly do: 'finalize' }

/** One answer a command; the first, unasked, says that the client is ready. */
export interface WorkerAnswer {
  readonly clientId: number
  readonly value?: string | undefined
  readonly error?: string
}

const client = await init({ dir: process.argv[2], timeoutMs: 10_000 })

async function obey(command: WorkerCommand): Promise<string | undefined> {
  switch (command.do) {
    case 'put':
      await client.put(command.key, command.value)
      return command.value
    case 'get':
      return (await client.get(command.key))?.value
    case 'finalize':
      await client.finalize()
      return undefined
  }
}

function answer(content: { value?: string | undefined; error?: string }): void {
  const message: WorkerAnswer = { clientId: client.id, ...content }
  process.send?.(message)
}

process.on('message', (command: WorkerCommand) => {
  obey(command)
    .then(
      (value) => answer({ value }),
      (error: unknown) => answer({ error: String(error) }),
    )
    .finally(() => command.do === 'finalize' && process.disconnect())
})
process.on('disconnect', () => process.exit())
answer({})
