/**
 * What is particular to Linux, and nothing else: processes and the host's boot as /proc shows them.
 * Another system needs another file with these exports.
 */
import { readFileSync, statSync } from 'node:fs'
import type { Micros } from '../data/version.js'
import { GTStoreError } from '../protocol/errors.js'
import type { ProcessId } from '../runtime/runtime.js'

/** Refuses other systems in words, before anything is started. */
export function assertSupportedPlatform(platform: string = process.platform): void {
  if (platform === 'linux') return
  throw new GTStoreError(
    'INVALID_ARGUMENT',
    `GTStore runs on Linux only so far, this is ${platform}: it tells processes apart by /proc. ` +
      'Run it in a Linux virtual machine or container.',
  )
}

/** Random id of this life of the host; its monotonic clock starts again with each. */
export function hostBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

let bootMark: string | undefined

/**
 * When the process started: `boot-ticks`, clock ticks since that boot; undefined if there is none. A
 * zombie counts as none: it has closed everything and will never run again. Ticks alone would not do:
 * they and the pids begin anew with the host, and what starts with it starts in the same order, so
 * that a process may have exactly the pid and ticks of one that a file of an earlier boot names.
 */
export function startTimeOf(pid: number): string | undefined {
  const fields = statOf(pid)
  if (fields === undefined || /[ZX]/.test(fields[0] ?? '')) return undefined
  bootMark ??= hostBootId().slice(0, 8)
  return `${bootMark}-${fields[19]}`
}

/** True while a signal (SIGSTOP) keeps the process from running. */
export function isProcessPaused(id: ProcessId): boolean {
  return isProcessAlive(id) && statOf(id.pid)?.[0] === 'T'
}

/** /proc/PID/stat from field 3 (state) on, so that field 22 (start time) is at 19. */
function statOf(pid: number): string[] | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // proc(5): the name, field 2, may itself hold spaces and brackets.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** The start time tells the process from a later one with its pid. */
export function isProcessAlive(id: ProcessId): boolean {
  return startTimeOf(id.pid) === id.startTime
}

/** This process, as others can check it. */
export function ownProcessId(): ProcessId {
  const startTime = startTimeOf(process.pid)
  if (startTime === undefined) throw new Error('/proc does not show this process')
  return { pid: process.pid, startTime }
}

/** The last `count` arguments of this process, byte for byte: `process.argv` holds what is text in them. */
export function ownArguments(count: number): Buffer[] {
  // proc_pid_cmdline(5): each ends with a zero byte. Latin-1 keeps every byte.
  const all = readFileSync('/proc/self/cmdline', 'latin1').split('\0').slice(0, -1)
  return all.slice(all.length - count).map((argument) => Buffer.from(argument, 'latin1'))
}

/** CLOCK_MONOTONIC: the same in every process of the host, so that stamps can be compared. */
export function hostMicros(): Micros {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000_000 + Math.floor(nanoseconds / 1000)
}

/** The process that holds a lock on the file; undefined if none does or it cannot be told. */
export function lockHolder(path: string): number | undefined {
  try {
    const { ino } = statSync(path)
    // proc_locks(5): number, kind, mode, access, pid, major:minor:inode, start, end.
    const held = readFileSync('/proc/locks', 'utf8').matchAll(
      /^\d+: \w+\s+\w+\s+\w+ (\d+) \S+:(\d+) /gm,
    )
    for (const [, pid, inode] of held) if (Number(inode) === ino) return Number(pid)
    return undefined
  } catch {
    return undefined
  }
}

/** Signals the process if it still is the one that is meant; false: it is gone. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): boolean {
  if (!isProcessAlive(id)) return false
  try {
    return process.kill(id.pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    return false
  }
}

/** SIGKILL: stores are safe against it, as against any crash. */
export function killProcess(id: ProcessId): void {
  signalProcess(id, 'SIGKILL')
}
