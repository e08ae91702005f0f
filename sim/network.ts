/**
 * The simulated sockets. Sending connects first where needed; both sides are told `opened` before
 * anything is received, and `closed` after the last message when the other side is gone or nobody
 * listens there. Messages take as long as the weather says, and overtake one another: between lanes
 * always, within one lane where the run asks for it, so that nothing rests on an order that the
 * protocol does not promise. It promises one to chains: what one member sends to the next stays in order.
 */
import type { Micros } from '../shared/data/version.js'
import { type Lane, laneOf, type Message, type MessageKind } from '../shared/protocol/messages.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { Interference } from './interference.js'
import type { Random } from './random.js'
import type { SimRuntime } from './runtime.js'
import type { Weather } from './weather.js'
import type { World } from './world.js'

const asking: ReadonlySet<MessageKind> = new Set<MessageKind>(['get', 'put', 'write'])

/** They never overtake one another. */
const inOrder: ReadonlySet<MessageKind> = new Set<MessageKind>([
  'chain.put',
  'chain.ack',
  'chain.mark',
])

/** One side's end of a connection. */
export interface Link {
  readonly owner: SimRuntime
  readonly peer: Address
  state: 'new' | 'dialing' | 'open' | 'closed'
  other: Link | undefined
  /** Sent before the connection stood. */
  readonly waiting: Message[]
  /** Messages sent and not arrived. */
  inFlight: number
  /** Messages that this side took from the other. */
  taken: number
  /** What was owed, from the beginning, when the first of those on their way was sent. */
  owedBefore: number
  /** When the last message so far of each lane arrives at the other side. */
  readonly arrivals: Record<Lane, Micros>
  /** When the last of those arrives that stay in order. */
  orderedArrival: Micros
}

export interface NetworkOptions {
  readonly world: World
  readonly weather: Weather
  readonly interference: Interference
  /** Messages of one lane overtake one another too. */
  readonly reorder: boolean
  /** Messages that wait for one peer before `send` says that its queue is full. */
  readonly inFlightMax: number
  /** What a message is after its way over the wire: the codec's work, or the message itself. */
  readonly overWire: (message: Message) => Message
}

export type Watcher = (from: Address, to: Address, message: Message) => void

export class Network {
  readonly #options: NetworkOptions
  readonly #listening = new Map<Address, SimRuntime>()
  readonly #watchers: Watcher[] = []
  readonly #arrivalWatchers: Watcher[] = []
  #asked = 0
  #longestQueue = 0

  constructor(options: NetworkOptions) {
    this.#options = options
  }

  /** Told of every message as it leaves its sender, even when it then gets lost. */
  watch(watcher: Watcher): void {
    this.#watchers.push(watcher)
  }

  /** Told of every message as it reaches its receiver. */
  watchArrivals(watcher: Watcher): void {
    this.#arrivalWatchers.push(watcher)
  }

  /**
   * The most messages that ever waited for one peer, beyond one for each request that clients made
   * meanwhile and one for each message that was taken from the peer: so many are owed to a peer that does
   * not read, and the limit in bytes is for them.
   */
  get longestQueue(): number {
    return this.#longestQueue
  }

  register(runtime: SimRuntime): void {
    if (!runtime.listening) return
    if (this.#listening.has(runtime.address)) throw new Error(`${runtime.address} is taken`)
    this.#listening.set(runtime.address, runtime)
  }

  unregister(runtime: SimRuntime): void {
    if (runtime.listening) this.#listening.delete(runtime.address)
    for (const link of [...runtime.links.values()]) this.#closeFrom(link)
    runtime.links.clear()
  }

  /** The link that a message to this peer goes by; undefined where its queue is full. */
  queue(from: SimRuntime, to: Address): Link | undefined {
    let link = from.links.get(to)
    if (link === undefined) {
      link = newLink(from, to, 'new')
      from.links.set(to, link)
    }
    if (link.inFlight >= this.#options.inFlightMax) return undefined
    const owed = this.#asked + link.taken
    if (link.inFlight === 0) link.owedBefore = owed
    link.inFlight++
    this.#longestQueue = Math.max(this.#longestQueue, link.inFlight - (owed - link.owedBefore))
    return link
  }

  transmit(link: Link, message: Message): void {
    for (const watcher of this.#watchers) watcher(link.owner.address, link.peer, message)
    if (asking.has(message.kind)) this.#asked++
    if (link.state === 'open') this.#carry(link, message)
    else if (link.state !== 'closed') link.waiting.push(message)
    if (link.state === 'new') this.#dial(link)
  }

  /** Both sides lose the connection and what was on its way. */
  cut(a: SimRuntime, b: SimRuntime): void {
    const link = a.links.get(b.address)
    if (link === undefined) return
    for (const end of [link, link.other]) {
      if (end === undefined || end.state === 'closed') continue
      this.#reportClosed(end)
    }
  }

  /** Cuts every connection of which either direction is so. */
  cutAll(isCut: (from: Address, to: Address) => boolean): void {
    for (const { owner, other } of this.#open()) {
      const isOne = isCut(owner.address, other.owner.address)
      if (isOne || isCut(other.owner.address, owner.address)) this.cut(owner, other.owner)
    }
  }

  /** Cuts one connection of those that stand and may be cut; none if there is none. */
  cutSomewhere(random: Random, mayCut: (a: Address, b: Address) => boolean): void {
    const links = this.#open().filter(({ owner, peer }) => mayCut(owner.address, peer))
    if (links.length === 0) return
    const { owner, other } = random.pick(links)
    this.cut(owner, other.owner)
  }

  /** The connections that stand, each once or twice. */
  #open(): (Link & { readonly other: Link })[] {
    return [...this.#listening.values()]
      .flatMap((runtime) => [...runtime.links.values()])
      .filter((link): link is Link & { readonly other: Link } => {
        return link.state === 'open' && link.other !== undefined
      })
  }

  #dial(link: Link): void {
    const { world, weather, interference } = this.#options
    link.state = 'dialing'
    world.at(weather.delay(link.owner.address, link.peer, undefined), () => {
      if (link.state !== 'dialing') return
      const target = this.#listening.get(link.peer)
      const wait = interference.dial(link.owner.address, link.peer)
      if (target === undefined || target === link.owner || wait === 'refused') {
        this.#reportClosed(link)
      } else if (wait === 0) this.#connect(link, target)
      else interference.hold(wait, () => this.#connectLate(link))
    })
  }

  #connectLate(link: Link): void {
    if (link.state === 'dialing' && !link.owner.closed) this.#dial(link)
  }

  /** Where both dial at once, the two attempts become one connection. */
  #connect(link: Link, target: SimRuntime): void {
    const known = target.links.get(link.owner.address)
    const isFree = known !== undefined && (known.state === 'new' || known.state === 'dialing')
    const other = isFree ? known : newLink(target, link.owner.address, 'open')
    if (!isFree) {
      if (known !== undefined) this.#reportClosed(known)
      target.links.set(link.owner.address, other)
    }
    link.other = other
    other.other = link
    for (const end of [other, link]) {
      end.state = 'open'
      this.#note('opened', end)
      end.owner.arrive(() => end.owner.opened(end.peer))
    }
    for (const end of [other, link]) {
      for (const message of end.waiting.splice(0)) this.#carry(end, message)
    }
  }

  #carry(link: Link, message: Message): void {
    const { weather, interference, overWire } = this.#options
    const { address } = link.owner
    const { copies, held, delay } = interference.carry(address, link.peer, message.kind)
    link.inFlight += copies - 1
    for (let copy = 0; copy < copies; copy++) {
      const received = overWire(message)
      interference.hold(held, () => {
        const takes = delay + weather.delay(address, link.peer, message.kind)
        this.#arrive(link, message, received, takes)
      })
    }
  }

  #arrive(link: Link, message: Message, received: Message, takes: Micros): void {
    const { world, reorder } = this.#options
    const lane = laneOf(message.kind)
    let arrival = world.micros + takes
    if (inOrder.has(message.kind)) {
      arrival = Math.max(arrival, link.orderedArrival)
      link.orderedArrival = arrival
    }
    if (!reorder) arrival = Math.max(arrival, link.arrivals[lane])
    link.arrivals[lane] = Math.max(link.arrivals[lane], arrival)
    world.at(arrival - world.micros, () => {
      link.inFlight--
      const end = link.other
      if (end === undefined || end.state !== 'open' || end.owner.closed) return
      const id = 'id' in message ? message.id : 0
      world.trace.message(world.micros, link.owner.address, link.peer, message.kind, id)
      for (const watcher of this.#arrivalWatchers) watcher(link.owner.address, link.peer, received)
      end.owner.arrive(() => {
        end.taken++
        end.owner.received(end.peer, received)
      })
    })
  }

  /** One side is gone: the other hears of it after the last message of that side has arrived. */
  #closeFrom(link: Link): void {
    const { world, weather } = this.#options
    link.state = 'closed'
    const end = link.other
    if (end === undefined) return
    const { data, control, bulk } = link.arrivals
    const soonest = world.micros + weather.delay(link.owner.address, link.peer, undefined)
    world.at(Math.max(soonest, data, control, bulk) - world.micros, () => {
      if (end.state !== 'closed') this.#reportClosed(end)
    })
  }

  #reportClosed(end: Link): void {
    end.state = 'closed'
    if (end.owner.links.get(end.peer) === end) end.owner.links.delete(end.peer)
    if (end.owner.closed) return
    this.#note('closed', end)
    end.owner.arrive(() => end.owner.peerClosed(end.peer))
  }

  #note(step: string, end: Link): void {
    const { world } = this.#options
    world.trace.message(world.micros, end.owner.address, end.peer, step, 0)
  }
}

function newLink(owner: SimRuntime, peer: Address, state: Link['state']): Link {
  const arrivals = { data: 0, control: 0, bulk: 0 }
  return {
    owner,
    peer,
    state,
    other: undefined,
    waiting: [],
    inFlight: 0,
    taken: 0,
    owedBefore: 0,
    arrivals,
    orderedArrival: 0,
  }
}
