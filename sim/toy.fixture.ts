/** A process that remembers what it was told, and a small host to put it on. */
import type { Message } from '../shared/protocol/messages.js'
import type { Address, Process } from '../shared/runtime/runtime.js'
import { Host } from './host.js'
import type { SimRuntime } from './runtime.js'
import { type Settings, settingsOf } from './settings.js'
import { World } from './world.js'

export class Toy implements Process {
  readonly runtime: SimRuntime
  readonly events: string[] = []
  /** What it does on a message, besides remembering it. */
  onMessage: (from: Address, message: Message) => void = () => {}

  constructor(host: Host, address: Address, listen = true) {
    this.runtime = host.openRuntime(address, listen)
    this.runtime.attach(this)
  }

  received(from: Address, message: Message): void {
    this.events.push(`${from} ${message.kind} ${'id' in message ? message.id : ''}`)
    this.onMessage(from, message)
  }

  opened(peer: Address): void {
    this.events.push(`${peer} opened`)
  }

  closed(peer: Address): void {
    this.events.push(`${peer} closed`)
  }
}

export function toyHost(seed: number, settings: Partial<Settings> = {}): Host {
  return new Host(new World(seed), { ...settingsOf(seed, 'latest'), ...settings })
}

export function runDown({ world }: Host): void {
  while (world.step());
}
