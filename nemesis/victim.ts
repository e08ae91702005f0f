/** The swarm that the nemesis torments: started, asked and stopped as a user would, by the command. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { killProcess } from '../shared/os/linux.js'
import { listProcesses, type ProcessEntry } from '../shared/os/process-files.js'

const cli = fileURLToPath(new URL('../cli/main.js', import.meta.url))

export interface Said {
  readonly exitCode: number | null
  readonly output: string
}

export class Victim {
  readonly run: string
  readonly nodesAtStart: number
  readonly #root: string
  readonly #data: string
  readonly #flags: readonly string[]

  constructor(nodes: number, flags: readonly string[]) {
    // A short path: those of sockets are limited.
    this.#root = mkdtempSync('/tmp/gtn-')
    this.run = join(this.#root, 'r')
    this.#data = join(this.#root, 'd')
    this.nodesAtStart = nodes
    this.#flags = flags
  }

  /**
   * Starts it, or adopts what runs of it. What is struck while it starts may end the start, and does no
   * harm: the next one goes on from there.
   */
  async up(): Promise<void> {
    const said: string[] = []
    while (said.length < upAttemptsMax) {
      const { exitCode, output } = await this.gtstore(
        ...['up', '--detach', '--nodes', String(this.nodesAtStart)],
        ...this.#flags,
      )
      if (exitCode === 0 || this.supervisors().length > 0) return
      said.push(output)
    }
    throw new Error(`up failed ${said.length} times: ${said.join('\n')}`)
  }

  nodes(): ProcessEntry[] {
    return this.#ofRole('node').filter(({ address }) => /^n\d+\./.test(address))
  }

  managers(): ProcessEntry[] {
    return this.#ofRole('manager')
  }

  supervisors(): ProcessEntry[] {
    return this.#ofRole('supervisor')
  }

  /** A command that may be refused or overtaken; what it came to. */
  async command(...args: readonly string[]): Promise<string> {
    const { exitCode } = await this.gtstore(...args)
    return `${args.join(' ')}: ${exitCode === 0 ? 'done' : `exit code ${exitCode}`}`
  }

  gtstore(...args: readonly string[]): Promise<Said> {
    const child = spawn(process.execPath, [cli, ...args], {
      cwd: this.#root,
      env: { ...process.env, GTSTORE_DIR: this.run, GTSTORE_DATA: this.#data },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text
      })
    }
    const limit = setTimeout(() => child.kill('SIGTERM'), commandMs)
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (exitCode) => {
        clearTimeout(limit)
        resolve({ exitCode, output })
      })
    })
  }

  /** Ends every process and removes the data. */
  async end(): Promise<void> {
    await this.gtstore('down')
    for (const each of listProcesses(this.run)) killProcess(each)
    rmSync(this.#root, { recursive: true, force: true })
  }

  #ofRole(role: ProcessEntry['role']): ProcessEntry[] {
    return listProcesses(this.run).filter((each) => each.role === role)
  }
}

/** In a row, with faults going on beside. */
const upAttemptsMax = 6
/** No command of a run takes longer, however starved the host. */
const commandMs = 120_000
