/**
 * Ties a process to whoever started it: loaded with `--import`, it ends the process when the pipe at
 * descriptor 3 closes. The product's processes outlive their parents on purpose; those of a test
 * must not, however the test ends.
 */
import { Socket } from 'node:net'

const tether = new Socket({ fd: 3, readable: true, writable: false })
tether.on('close', () => process.kill(process.pid, 'SIGKILL'))
tether.resume()
tether.unref()
