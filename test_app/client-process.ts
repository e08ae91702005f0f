/** The driver's handle on a client process. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { WorkerAnswer, WorkerCommand } from './client-worker.js'

export class ClientProcess {
  readonly #child: ChildProcess
  readonly id: number

  private constructor(child: ChildProcess, id: number) {
    this.#child = child
    this.id = id
  }

  /** Starts a process whose client is connected to the swarm. */
  static async start(run: string): Promise<ClientProcess> {
    const script = fileURLToPath(new URL('client-worker.js', import.meta.url))
    const child = fork(script, [run], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const { clientId } = await nextAnswer(child)
    return new ClientProcess(child, clientId)
  }

  async put(key: string, value: string): Promise<void> {
    await this.#ask({ do: 'put', key, value })
  }

  async get(key: string): Promise<string | undefined> {
    return (await this.#ask({ do: 'get', key })).value
  }

  /** Finalizes the client and waits for its process to end by itself. */
  async end(): Promise<void> {
    const ended = once(this.#child, 'exit')
    await this.#ask({ do: 'finalize' })
    await ended
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async #ask(command: WorkerCommand): Promise<WorkerAnswer> {
    const answered = nextAnswer(this.#child)
    this.#child.send(command)
    const answer = await answered
    if (answer.error !== undefined) throw new Error(`${command.do}: ${answer.error}`)
    return answer
  }
}

/** Rejects if the process ends instead. */
function nextAnswer(child: ChildProcess): Promise<WorkerAnswer> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      child.off('message', onMessage).off('exit', onExit)
      act()
    }
    const onMessage = (message: unknown): void => settle(() => resolve(message as WorkerAnswer))
    const onExit = (code: number | null): void =>
      settle(() => reject(new Error(`the client process ended with exit code ${code}`)))
    child.on('message', onMessage).on('exit', onExit)
  })
}
