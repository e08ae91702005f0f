/**
 * Every command, argument and option, in one place. Each command is a module of its own, loaded when
 * it is called: start-up is most of what a single `put` costs.
 */
import { existsSync, readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { maxFlightMs } from '../shared/runtime/limits.js'
import { ofRead } from './errors.js'
import { type Context, contextOf, type GlobalFlags, integer, nodeId, processId } from './options.js'
import { byteCount, duration } from './quantities.js'
import {
  evictAfterMsLeast,
  evictAfterMsMost,
  handoffRateLeast,
  nodesMax,
  valueBytesLimit,
  virtualNodesMax,
} from './swarm-options.js'

/** A write must not be on its way for longer (limits.ts, maxFlightMs). */
const callMillisMax = maxFlightMs

const exitCodeHelp = `
Exit codes: 0 ok, 1 failure, 2 usage, 3 key not found, 4 condition failed,
  5 quorum not available, 6 cannot connect, 7 outcome of a write unknown,
  8 another process is the manager, 9 taken out of the swarm, 130 interrupted`

/** Runs one command; the exit code comes back. */
type Run<Flags, Args extends readonly unknown[]> = (
  context: Context,
  flags: Flags,
  ...args: Args
) => Promise<number>

/** Passes the context, the command's own options and its arguments on. */
function action<Flags, Args extends readonly unknown[]>(load: () => Promise<Run<Flags, Args>>) {
  return async (...args: unknown[]): Promise<void> => {
    const command = args.at(-1) as Command
    const context = contextOf(command.optsWithGlobals<GlobalFlags>())
    const run = await load()
    process.exitCode = await run(context, command.opts() as Flags, ...(args.slice(0, -2) as never))
  }
}

/** The same of a command that only reads. */
function reading<Flags, Args extends readonly unknown[]>(load: () => Promise<Run<Flags, Args>>) {
  const run = action(load)
  return (...args: unknown[]): Promise<void> =>
    run(...args).catch((error) => {
      throw ofRead(error)
    })
}

export function createProgram(): Command {
  const program = new Command('gtstore')
    .description('A replicated key-value store that lives on one machine.')
    .option('--swarm <name>', 'the swarm to use (env: GTSTORE_SWARM)')
    .option('--dir <path>', 'its run directory, for sockets (env: GTSTORE_DIR, without --swarm)')
    .option('--data <path>', 'its data directory (env: GTSTORE_DATA, without --swarm)')
    .version(packageVersion(), '-V, --version')
    .option('--json', 'data as JSON on stdout, a failure as JSON on stderr')
    .addHelpText('after', exitCodeHelp)
  strict(program)
  addSwarmCommands(program)
  addDataCommands(program)
  addInspectionCommands(program)
  return program
}

/** The package's own: its file is the nearest above this one. */
function packageVersion(): string {
  for (let folder = new URL('.', import.meta.url); ; folder = new URL('..', folder)) {
    const file = new URL('package.json', folder)
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')).version
  }
}

/** Errors come back as exceptions; subcommands made from here on inherit that. */
function strict(program: Command): void {
  program
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .configureHelp({ showGlobalOptions: true })
}

function addSwarmCommands(program: Command): void {
  withSwarmOptions(program.command('up'))
    .description('start the swarm, or start it again; Ctrl-C stops it')
    .option('-d, --detach', 'return when it serves, and leave it running')
    .addOption(logLevel())
    .action(action(async () => (await import('./up.js')).up))
  program
    .command('supervise <start>', { hidden: true })
    .action(action(async () => (await import('./up.js')).supervise))
  program
    .command('down')
    .description('stop every process of the swarm; the data stays')
    .option('--volumes', 'remove the data too')
    .action(action(async () => (await import('./down.js')).down))
  const run = program.command('run').description('run one process by hand, in the foreground')
  withSwarmOptions(run.command('manager'))
    .description('the manager; SIGINT or SIGTERM stops the swarm')
    .option('--standby', 'wait until the manager dies or hangs, then take its place')
    .addOption(logLevel())
    .action(action(async () => (await import('./run.js')).runManager))
  run
    .command('node')
    .description('a storage node; SIGINT or SIGTERM makes it leave, its data goes to the others')
    .option('--node <id>', 'start this node again; left out: a new one', nodeId)
    .addOption(logLevel())
    .action(action(async () => (await import('./run.js')).runNode))
}

/** The options that make a swarm, for `up` and `run manager`. */
function withSwarmOptions(command: Command): Command {
  const durability = ['sync', 'write', 'memory']
  const restart = ['on-failure', 'never']
  return command
    .option('-n, --nodes <count>', 'storage nodes of a new swarm (6)', integer(1, nodesMax))
    .option('--replicas <n>', 'N: copies of every key (3)', integer(1, nodesMax))
    .option('--read-quorum <r>', 'R: owners that answer a get (N/2+1)', integer(1, nodesMax))
    .option('--write-quorum <w>', 'W: owners that confirm a put (N/2+1)', integer(1, nodesMax))
    .addOption(
      new Option(
        '--replication <kind>',
        'quorum: R and W of N owners; chain: all in turn, with atomic conditions (quorum)',
      ).choices(['quorum', 'chain']),
    )
    .addOption(
      new Option(
        '--conflicts <rule>',
        'of values written at the same time keep the latest, or all as siblings (latest)',
      ).choices(['latest', 'siblings']),
    )
    .option('--virtual-nodes <v>', 'tokens of each node (3)', integer(1, virtualNodesMax))
    .addOption(
      new Option('--durability <kind>', 'what an acknowledged write survives (sync)').choices(
        durability,
      ),
    )
    .addOption(new Option('--restart <when>', 'crashed processes (on-failure)').choices(restart))
    .option('--value-bytes-max <bytes>', 'largest value (8 MiB)', integer(1, valueBytesLimit))
    .option(
      '--evict-after <duration>',
      'a node that is down for so long loses its place (30s)',
      duration(evictAfterMsLeast, evictAfterMsMost),
    )
    .option(
      '--sloppy',
      'hints count towards W: writes go on with fewer owners, reads may miss them',
    )
    .option('--log-operations', 'every node logs each operation with its outcome')
    .option(
      '--handoff-rate <bytes>',
      'bytes per second that a node receives by handoffs (0: no limit)',
      byteCount(handoffRateLeast),
    )
}

function logLevel(): Option {
  const levels = ['debug', 'info', 'warn', 'error']
  return new Option('--log-level <level>', 'least level logged').choices(levels).default('info')
}

function addDataCommands(program: Command): void {
  withCallOptions(program.command('put <key> <value>'))
    .description('store a value: the text, @FILE, or - for stdin, byte for byte')
    .addOption(writeQuorum())
    .option('--if-absent', 'only if the key has no value (replication: chain)')
    .option('--if-present', 'only if the key has a value')
    .addOption(ifVersion())
    .addOption(causalContext())
    .action(action(async () => (await import('./data.js')).put))
  withReadOptions(program.command('get <key>'))
    .description('print the value of a key, or its siblings, one a line')
    .action(reading(async () => (await import('./data.js')).get))
  withCallOptions(program.command('delete [key]'))
    .description('delete a key, or many')
    .addOption(writeQuorum())
    .option('--if-present', 'only if the key has a value')
    .addOption(ifVersion())
    .addOption(causalContext())
    .option('--node <id>', 'all keys that this node stores, from all their owners', nodeId)
    .option('--all', 'all keys')
    .option('--yes', 'with --node and --all: really')
    .action(action(async () => (await import('./delete.js')).remove))
  addRecordCommands(program)
}

/** Create, read, update; delete is one of them already. */
function addRecordCommands(program: Command): void {
  withCallOptions(program.command('create <key> <value>'))
    .description('store a value where the key has none (exit code 4); value as for put')
    .addOption(writeQuorum())
    .action(action(async () => (await import('./data.js')).create))
  withReadOptions(program.command('read <key>'))
    .description('the same as get')
    .action(reading(async () => (await import('./data.js')).get))
  withCallOptions(program.command('update <key> <value>'))
    .description('store a value where the key has one already (exit code 4); value as for put')
    .addOption(writeQuorum())
    .addOption(ifVersion())
    .addOption(causalContext())
    .action(action(async () => (await import('./data.js')).update))
  program
    .command('scan')
    .description('print keys and values as they are stored, one pair a line')
    .option('--node <id>', 'what this node stores', nodeId)
    .option('--all', 'every key of the swarm, once')
    .action(reading(async () => (await import('./scan.js')).scan))
}

function writeQuorum(): Option {
  const what = 'owners that must confirm'
  return new Option('-w, --write-quorum <w>', what).argParser(integer(1, nodesMax))
}

function ifVersion(): Option {
  return new Option('--if-version <v>', 'only if the key has this version (replication: chain)')
}

function causalContext(): Option {
  const what = 'supersedes what the get saw that gave this (conflicts: siblings)'
  return new Option('--context <c>', what)
}

function withReadOptions(command: Command): Command {
  return withCallOptions(command)
    .option('-r, --read-quorum <r>', 'owners that must answer', integer(1, nodesMax))
    .option('--meta', 'its version and the node that answered, on stderr')
    .option('--explain', 'instead: which owner has what, who answered, and why this value')
}

function withCallOptions(command: Command): Command {
  return command
    .option('--via <id>', 'the node to send it through', nodeId)
    .option('--timeout <ms>', 'give up after this time (5000)', integer(1, callMillisMax))
}

function addInspectionCommands(program: Command): void {
  program
    .command('status')
    .description('state of the swarm, its nodes and its membership changes')
    .action(reading(async () => (await import('./status.js')).status))
  program
    .command('ring')
    .description('who owns what')
    .option('--key <key>', 'the owners of this key')
    .action(reading(async () => (await import('./ring.js')).ring))
  addRecoveryCommands(program)
  const node = program.command('node').description('change the membership, try a failure')
  addMembershipCommands(node)
  addProcessCommands(node)
  program
    .command('logs [processes...]')
    .description('what the processes logged: n1 n2 ..., manager, supervisor; all by default')
    .option('-f, --follow', 'go on with what they log from now on')
    .action(reading(async () => (await import('./logs.js')).logs))
  program
    .command('doctor')
    .description('check what the swarm needs, and what stands in its way')
    .action(reading(async () => (await import('./doctor.js')).doctor))
  program
    .command('bench')
    .description('measure puts and gets on this swarm; its keys start with bench/')
    .option('-n, --operations <count>', 'how many', integer(1, 1e9), 100_000)
    .option('-c, --concurrency <count>', 'calls in flight', integer(1, 4096), 64)
    .option('-d, --bytes <count>', 'size of a value', integer(0, valueBytesLimit), 100)
    .option('--mix <put:get>', 'shares of puts and gets', '50:50')
    .option('--via <id>', 'the node to send it through', nodeId)
    .action(action(async () => (await import('./bench.js')).bench))
}

function addRecoveryCommands(program: Command): void {
  program
    .command('transfers')
    .description('what the nodes copy, keep for others and mend right now')
    .option('--watch', 'show it again every second, until Ctrl-C')
    .action(reading(async () => (await import('./transfers.js')).transfers))
  program
    .command('repair')
    .description('have the owners of every key compare and mend their copies now')
    .option('--node <id>', 'only what this node owns', nodeId)
    .action(action(async () => (await import('./repair.js')).repair))
  program
    .command('verify')
    .description(
      'count copies missing, misplaced, divergent or beyond N; exit code 1 if there are any',
    )
    .option('--wait <seconds>', 'look again until all is well, or so long', integer(0, 86_400), 0)
    .action(reading(async () => (await import('./verify.js')).verify))
}

function addMembershipCommands(node: Command): void {
  node
    .command('add')
    .description('start a new node; it takes its share of the data')
    .action(action(async () => (await import('./node.js')).add))
  withForce(node.command('remove'))
    .description('let a node leave; its data goes to the others first')
    .action(action(async () => (await import('./node.js')).remove))
  withForce(node.command('replace'))
    .description('start a new node that takes the place of this one')
    .action(action(async () => (await import('./node.js')).replace))
}

function withForce(command: Command): Command {
  return command
    .argument('<id>', 'the node', nodeId)
    .option(
      '--force',
      'without its help: it is killed, its ranges are copied from the other owners',
    )
    .option(
      '--accept-loss',
      'with --force: go on where too few owners are left to have every write',
    )
}

function addProcessCommands(node: Command): void {
  const load = () => import('./node-processes.js')
  const signal = (name: string) => node.command(name).argument('<id>', 'the node', processId)
  signal('kill')
    .description('end its process at once, without a goodbye (SIGKILL)')
    .action(action(async () => (await load()).kill))
  signal('pause')
    .description('stop its process where it is, until `resume` (SIGSTOP)')
    .action(action(async () => (await load()).pause))
  signal('resume')
    .description('let a paused process go on (SIGCONT)')
    .action(action(async () => (await load()).resume))
  node
    .command('restart')
    .argument('<id>', 'the node', nodeId)
    .description('kill its process, where there is one, and have the supervisor start it again')
    .action(action(async () => (await load()).restart))
}
